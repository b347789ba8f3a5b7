"""The HTTP face of the gateway: a bare ASGI application, since four fixed routes need no framework."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

import orjson

from core.gateway.provider import ProviderError

_BODY_LIMIT = 32 * 1024 * 1024

Scope = dict[str, Any]
Headers = dict[bytes, bytes]
Handler = Callable[[Scope, Headers, bytes], Awaitable[bytes]]


class GatewayApp:
    """Args:
    routes: (method, path) -> handler(token scope, headers, body) -> response JSON. A handler raises
        :class:`ProviderError` for every answer other than 200.
    authorize: bearer token -> its scope, or None.
    """

    def __init__(
        self, routes: dict[tuple[str, str], Handler], authorize: Callable[[str], Scope | None]
    ) -> None:
        self._routes = routes
        self._authorize = authorize

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        try:
            body = await self._answer(scope, receive)
            status = 200
        except ProviderError as error:
            body = orjson.dumps(error.payload())
            status = error.status
        except asyncio.CancelledError:  # the gateway closes while a grading or a call goes on
            body = orjson.dumps(ProviderError.infra("the gateway is closing").payload())
            status = 503
        headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    async def _answer(self, scope: dict[str, Any], receive: Any) -> bytes:
        headers: Headers = dict(scope["headers"])
        kind, _, token = headers.get(b"authorization", b"").decode("latin-1").partition(" ")
        granted = self._authorize(token) if kind.lower() == "bearer" else None
        if granted is None:
            raise invalid("unknown or revoked gateway token", status=401, code="invalid_token")
        handler = self._routes.get((scope["method"], scope["path"]))
        if handler is None:
            raise invalid(f"no such route: {scope['method']} {scope['path']}", status=404)
        body = await _read(receive)
        return await handler(granted, headers, body)


async def _read(receive: Any) -> bytes:
    """The whole request body."""
    parts, size, more = [], 0, True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise invalid("the client went away")
        part = message.get("body", b"")
        size += len(part)
        if size > _BODY_LIMIT:
            raise invalid(f"the request is larger than {_BODY_LIMIT} bytes", status=413)
        parts.append(part)
        more = message.get("more_body", False)
    return b"".join(parts)


def parse_object(body: bytes) -> dict[str, Any]:
    """The request body as a JSON object, else a 400."""
    try:
        data = orjson.loads(body)
    except ValueError as error:
        raise invalid(f"the request is not JSON: {error}") from error
    if not isinstance(data, dict):
        raise invalid("the request is not a JSON object")
    return data


def parse_header_object(headers: Headers, name: bytes) -> dict[str, Any]:
    """A JSON object in a header, empty when the header is absent, else a 400."""
    try:
        data = json.loads(headers.get(name, b"{}"))
    except ValueError as error:
        raise invalid(f"header {name.decode()} is not JSON: {error}") from error
    if not isinstance(data, dict):
        raise invalid(f"header {name.decode()} is not a JSON object")
    return data


def invalid(message: str, *, status: int = 400, code: str | None = None) -> ProviderError:
    """The answer to a request that cannot be served as it is."""
    return ProviderError(status, message, code=code, kind="invalid_request_error")
