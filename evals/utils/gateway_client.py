"""The way of this process to the gateway: one connection, who is calling and why, and typed faults.

``connect`` once; then everything in this process that calls a model or asks for a grade uses it. Context
variables say what a call is for, so that a design's own code needs to say nothing.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
import heapq
import json
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import orjson

from evals.contract import Phase, Verdict

if TYPE_CHECKING:
    import openai

_SYNC_TIMEOUT_S = 300.0


class InfraError(RuntimeError):
    """A model, a server or the gateway failed. It says nothing about the design or the agent: never scored."""


class RequestRejected(RuntimeError):
    """The provider understood the request and will not serve it (an unknown model, a bad schema)."""


class ContextOverflow(RequestRejected):
    """The conversation is longer than the model's context."""


class Refused(RequestRejected):
    """The model, or a filter before it, declined to answer."""


@dataclass
class Usage:
    """Adds up what the calls of one scope cost.

    Attributes:
        infra_error: the last outage in the scope, kept even when the code that met it swallowed the exception.
    """

    calls: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    infra_error: str | None = None

    def add(self, usage: dict[str, Any]) -> None:
        """Count one answered call; ``usage`` as in the response."""
        self.calls += 1
        self.prompt_tokens += usage.get("prompt_tokens") or 0
        self.completion_tokens += usage.get("completion_tokens") or 0


call_scope: ContextVar[dict[str, Any]] = ContextVar("call_scope", default={})  # noqa: B039 (never changed)
call_purpose: ContextVar[str] = ContextVar("call_purpose", default="memory")
call_seed: ContextVar[int | None] = ContextVar("call_seed", default=None)
call_usage: ContextVar[Usage | None] = ContextVar("call_usage", default=None)


class _Connection:
    """Clients of the gateway: one per event loop, since their sockets belong to it, and one that blocks."""

    def __init__(self, socket_path: Path, token: str) -> None:
        self._socket = str(socket_path)
        self._token = token
        self._by_loop: dict[asyncio.AbstractEventLoop, openai.AsyncOpenAI] = {}
        self._blocking: openai.OpenAI | None = None
        self.numbers = _Numbers()

    def client(self) -> openai.AsyncOpenAI:
        loop = asyncio.get_running_loop()
        client = self._by_loop.get(loop)
        if client is None:
            self._by_loop = {known: c for known, c in self._by_loop.items() if not known.is_closed()}
            client = self._by_loop[loop] = self._new_client()
        return client

    def blocking_client(self) -> openai.OpenAI:
        if self._blocking is None:
            import httpx2
            import openai

            transport = httpx2.HTTPTransport(uds=self._socket, verify=_no_tls())
            self._blocking = openai.OpenAI(
                **self._options(),
                timeout=_SYNC_TIMEOUT_S,
                http_client=httpx2.Client(transport=transport, trust_env=False),
            )
        return self._blocking

    async def close(self) -> None:
        client = self._by_loop.pop(asyncio.get_running_loop(), None)
        if client is not None:
            await client.close()
        self.close_blocking()

    def close_blocking(self) -> None:
        if self._blocking is not None:
            self._blocking.close()
            self._blocking = None

    def _new_client(self) -> openai.AsyncOpenAI:
        # Imported here: half a second that a process without model calls need not spend.
        import httpx2
        import openai

        limits = httpx2.Limits(max_connections=None, max_keepalive_connections=None)
        transport = httpx2.AsyncHTTPTransport(uds=self._socket, limits=limits, verify=_no_tls())
        return openai.AsyncOpenAI(
            **self._options(),
            timeout=httpx2.Timeout(None, connect=10.0),  # the gateway's own limits end every call
            http_client=httpx2.AsyncClient(transport=transport, trust_env=False),
        )

    def _options(self) -> dict[str, Any]:
        return {"api_key": self._token, "base_url": "http://gateway/v1", "max_retries": 0}


class _Numbers:
    """Counts equal requests, so that each finds its own answer again when the work is repeated.

    Counted where the requests are made: on their way to the gateway, concurrent ones may overtake each other. The
    number of a request that met an outage is given out again, since the gateway keeps no answer for it.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._next: Counter[bytes] = Counter()
        self._free: dict[bytes, list[int]] = {}

    @contextlib.contextmanager
    def number(self, *request: bytes) -> Iterator[int]:
        key = hashlib.blake2b(b"\0".join(request), digest_size=16).digest()
        with self._lock:
            if free := self._free.get(key):
                number = heapq.heappop(free)
            else:
                number = self._next[key]
                self._next[key] += 1
        try:
            yield number
        except InfraError:
            with self._lock:
                heapq.heappush(self._free.setdefault(key, []), number)
            raise


def _no_tls() -> Any:
    """A bare TLS context for transports that insist on one: loading the CA bundle costs 20 ms, for nothing here."""
    import ssl

    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


_current: _Connection | None = None


def connect(socket_path: Path | str, token: str) -> None:
    """Use the gateway at this Unix socket, with this token, from now on in this process."""
    global _current
    if _current is not None:
        _current.close_blocking()
    _current = _Connection(Path(socket_path), token)


async def close() -> None:
    """Close what the running event loop has open to the gateway; a later call opens it again."""
    if _current is not None:
        await _current.close()


def _connection() -> _Connection:
    if _current is None:
        raise InfraError("no gateway: connect() was not called in this process")
    return _current


async def request(path: str, body: dict[str, Any], purpose: str) -> dict[str, Any]:
    """POST to the gateway and return the response JSON.

    Raises:
        InfraError: an outage; nobody's request is at fault.
        ContextOverflow, Refused, RequestRejected: the provider will not serve this request.
    """
    import openai

    connection = _connection()
    content, scope = _encode(body), json.dumps(call_scope.get())
    with connection.numbers.number(purpose.encode(), scope.encode(), content) as number:
        try:
            response = await connection.client().post(path, **_arguments(content, purpose, scope, number))
        except openai.OpenAIError as error:
            _raise(error)
    return orjson.loads(response.content)


def request_blocking(path: str, body: dict[str, Any], purpose: str) -> dict[str, Any]:
    """As :func:`request`, without an event loop or beside a running one (which stands still meanwhile).

    Not for the process that runs the gateway: there it would wait for itself.
    """
    import openai

    connection = _connection()
    content, scope = _encode(body), json.dumps(call_scope.get())
    with connection.numbers.number(purpose.encode(), scope.encode(), content) as number:
        try:
            response = connection.blocking_client().post(path, **_arguments(content, purpose, scope, number))
        except openai.OpenAIError as error:
            _raise(error)
    return orjson.loads(response.content)


async def ask_grade(task: str, phase: Phase, repeat: int, changes: dict[str, bytes | None]) -> Verdict:
    """Have the parent grade a submission.

    Args:
        changes: relative path -> new content, None for a deleted file.

    Raises:
        InfraError: grading itself failed.
        RequestRejected: the submission names no task of this evaluation, or cannot be read.
    """
    encoded = {
        path: None if content is None else base64.b64encode(content).decode()
        for path, content in changes.items()
    }
    body = {"task": task, "phase": phase, "repeat": repeat, "changes": encoded}
    verdict = Verdict.from_dict(await request("http://gateway/grade", body, "act"))
    if verdict.error is not None:
        raise InfraError(f"grading {task} failed: {verdict.error}")
    return verdict


def count(response: dict[str, Any]) -> None:
    """Add an answered call to the usage of the current scope."""
    usage = call_usage.get()
    if usage is not None:
        usage.add(response.get("usage") or {})


def _arguments(content: bytes, purpose: str, scope: str, number: int) -> dict[str, Any]:
    import httpx2

    headers = {
        "Content-Type": "application/json",
        "x-alma-purpose": purpose,
        "x-alma-scope": scope,
        "x-alma-occurrence": str(number),
    }
    # The generic post(), not chat.completions.create(): that walks the conversation in Python, 0.15 ms a message.
    return {"cast_to": httpx2.Response, "content": content, "options": {"headers": headers}}


def _encode(body: dict[str, Any]) -> bytes:
    try:
        return orjson.dumps(body)
    except TypeError:  # half a surrogate pair in a program's output, or a schema with odd keys
        return json.dumps(body, ensure_ascii=False, default=str).encode("utf-8", "replace")


def _raise(error: openai.OpenAIError) -> NoReturn:
    """Turn the client's exception into ours; an outage is also noted in the scope's usage."""
    import openai

    kind: Callable[[str], Exception] = InfraError
    message = str(error)
    if isinstance(error, openai.APIStatusError):
        body = error.body if isinstance(error.body, dict) else {}
        message = str(body.get("message") or error.message)
        kind = _kind(error.status_code, error.code)
    elif isinstance(error, openai.APIConnectionError):
        message = f"connection to the gateway lost: {error.__cause__ or error}"
    if kind is InfraError and (usage := call_usage.get()) is not None:
        usage.infra_error = message
    raise kind(message) from error


def _kind(status: int, code: str | None) -> type[RuntimeError]:
    if code == "context_length_exceeded":
        return ContextOverflow
    if code in ("content_filter", "content_policy_violation", "invalid_prompt"):
        return Refused
    if status in (400, 404, 413, 422):
        return RequestRejected
    return InfraError
