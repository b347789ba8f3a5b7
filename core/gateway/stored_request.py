"""Requests as the ledger keeps them: a frame, and the messages in it once each.

A conversation is sent whole at every step. With each message kept once, under its hash, a ledger grows with the
length of the conversations and not with its square.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any

import orjson

from core.gateway.places import Places

_LISTS = ("messages", "input")


def request_hash(request: dict[str, Any], places: Places) -> str:
    """SHA-256 of the request's canonical JSON: equal requests hash alike, whatever the order of keys and wherever
    the checkout lies."""
    return hashlib.sha256(places.named(orjson.dumps(request, option=orjson.OPT_SORT_KEYS))).hexdigest()


def disassemble(request: dict[str, Any]) -> tuple[bytes, dict[bytes, bytes]]:
    """(frame, parts by hash): what ``assemble`` makes the request from."""
    parts: dict[bytes, bytes] = {}
    frame = dict(request)
    for name in _LISTS:
        if isinstance(request.get(name), list):
            hashes = []
            for item in request[name]:
                body = orjson.dumps(item)
                digest = hashlib.blake2b(body, digest_size=16).digest()
                parts[digest] = body
                hashes.append(digest.hex())
            frame[name] = hashes
    return orjson.dumps(frame), parts


def assemble(frame: bytes, part: Callable[[bytes], bytes]) -> dict[str, Any]:
    """The request again.

    Args:
        part: hash -> part.
    """
    request = orjson.loads(frame)
    for name in _LISTS:
        if isinstance(request.get(name), list):
            request[name] = [orjson.loads(part(bytes.fromhex(item))) for item in request[name]]
    return request
