"""Compressed data inside the page: read by its script piece by piece, when something is opened.

A page of 5,000 episodes has to open at once, so what it holds of them is neither parsed nor inflated before it is asked
for. A piece is JSON, deflated, in base64, in a ``<script type="text/plain">``, which browsers do not run.
"""

from __future__ import annotations

import base64
import hashlib
import json
import zlib
from collections.abc import Iterable
from typing import Any

from markupsafe import Markup

PIECE = 256 << 10
"""Characters of JSON in a piece, or one longer text: little to inflate for one episode, enough to compress well."""


def piece(name: str, data: Any) -> Markup:
    """``data`` as an element with the id ``data-<name>``."""
    text = json.dumps(data, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    # Memory of one compressor for each piece: deflate without header, as DecompressionStream("deflate-raw") reads it.
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    packed = base64.b64encode(packer.compress(text.encode("utf-8")) + packer.flush()).decode("ascii")
    return Markup('<script type="text/plain" id="data-{}">{}</script>\n').format(name, packed)


class Series:
    """A growing list of values, kept in pieces ``<prefix>0``, ``<prefix>1``, ...; values are found by their number."""

    def __init__(self, prefix: str) -> None:
        self._prefix = prefix
        self._open: list[Any] = []
        self._size = 0
        self._count = 0
        self._done: list[Markup] = []
        self.starts: list[int] = []

    def add(self, value: Any, size: int) -> int:
        """Append a value of about ``size`` characters; returns its number."""
        if not self._open:
            self.starts.append(self._count)
        self._open.append(value)
        self._size += size
        self._count += 1
        if self._size >= PIECE:
            self._close()
        return self._count - 1

    def elements(self) -> Iterable[Markup]:
        """All pieces."""
        self._close()
        return self._done

    def _close(self) -> None:
        if self._open:
            self._done.append(piece(f"{self._prefix}{len(self._done)}", self._open))
            self._open, self._size = [], 0


class Texts:
    """Texts, each kept once: agents read the same files and see the same test output over and over."""

    def __init__(self) -> None:
        self.series = Series("text")
        self._known: dict[bytes, int] = {}

    def add(self, text: str) -> int:
        """The number of a text."""
        digest = hashlib.blake2b(text.encode("utf-8"), digest_size=16).digest()
        if digest not in self._known:
            self._known[digest] = self.series.add(text, len(text))
        return self._known[digest]
