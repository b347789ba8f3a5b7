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
import http.client
import json
import socket
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import orjson

from evals.contract import Phase, Verdict
from evals.utils.sandbox import CommandResult

_SYNC_TIMEOUT_S = 300.0
_GRADE, _TURN, _COMMAND = "/grade", "/turn", "/command"
ORIGINAL_MODEL = "gpt-4.1"
"""What the original's ``Agent`` takes when it is not told a model."""
STALLED_S = 60.0
"""A call that takes longer waits for a rate limit or an outage to pass."""


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


class _Unavailable(Exception):
    """The gateway could not be reached, or broke off in the middle of an answer."""


class _Connection:
    """The way to the gateway: idle sockets by event loop, since a socket belongs to one.

    HTTP/1.1 by hand: the other end is our own server, which always says the length of its answers. The openai
    client, which fits the gateway as well, takes half a second to import and a millisecond a call.
    """

    def __init__(self, socket_path: Path, token: str, model: str) -> None:
        self.model = model
        self._socket = str(socket_path)
        self._authorization = f"Bearer {token}"
        self._idle: dict[asyncio.AbstractEventLoop, list[_Socket]] = {}
        self.numbers = _Numbers()

    async def post(self, path: str, headers: dict[str, str], body: bytes) -> tuple[int, bytes]:
        """Send a request; returns status and body. Waits as long as the gateway does: its limits end every call.

        Raises:
            _Unavailable: there is no answer.
        """
        idle = self._idle_here()
        try:
            idle[:] = [known for known in idle if known.usable()]
            connection = idle.pop() if idle else _Socket(*await asyncio.open_unix_connection(self._socket))
            try:
                answer = await connection.exchange(self._head(path, headers, body) + body)
            except BaseException:  # half an answer must not meet the next question
                connection.close()
                raise
        except (OSError, EOFError, ValueError, IndexError) as error:
            raise _Unavailable(str(error) or type(error).__name__) from error
        idle.append(connection)
        return answer

    def post_blocking(self, path: str, headers: dict[str, str], body: bytes) -> tuple[int, bytes]:
        """As :meth:`post`, on a socket of its own, so that any thread may call it."""
        connection = http.client.HTTPConnection("gateway", timeout=_SYNC_TIMEOUT_S)
        connection.sock = socket.socket(socket.AF_UNIX)
        try:
            connection.sock.settimeout(_SYNC_TIMEOUT_S)
            connection.sock.connect(self._socket)
            connection.request("POST", path, body, {**headers, "Authorization": self._authorization})
            response = connection.getresponse()
            return response.status, response.read()
        except (OSError, http.client.HTTPException) as error:
            raise _Unavailable(str(error) or type(error).__name__) from error
        finally:
            connection.close()

    async def close(self) -> None:
        for connection in self._idle.pop(asyncio.get_running_loop(), []):
            connection.close()

    def _idle_here(self) -> list[_Socket]:
        loop = asyncio.get_running_loop()
        if loop not in self._idle:
            self._idle = {known: idle for known, idle in self._idle.items() if not known.is_closed()}
        return self._idle.setdefault(loop, [])

    def _head(self, path: str, headers: dict[str, str], body: bytes) -> bytes:
        fields = {"Host": "gateway", "Authorization": self._authorization, **headers}
        lines = [f"{name}: {value}" for name, value in fields.items()]
        return "\r\n".join([f"POST {path} HTTP/1.1", *lines, f"Content-Length: {len(body)}", "", ""]).encode(
            "latin-1", "replace"
        )


class _Socket:
    """One kept-alive connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    def usable(self) -> bool:
        return not self._reader.at_eof() and not self._writer.is_closing()

    async def exchange(self, request: bytes) -> tuple[int, bytes]:
        self._writer.write(request)
        head = (await self._reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        length = head.lower().partition("content-length:")[2].partition("\r\n")[0]
        return int(head.split(" ", 2)[1]), await self._reader.readexactly(int(length))

    def close(self) -> None:
        self._writer.close()


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
        except (InfraError, _Unavailable):
            with self._lock:
                heapq.heappush(self._free.setdefault(key, []), number)
            raise


_current: _Connection | None = None


def connect(socket_path: Path | str, token: str, model: str = ORIGINAL_MODEL) -> None:
    """Use the gateway at this Unix socket, with this token, from now on in this process.

    Args:
        model: answers those who name none.
    """
    global _current
    _current = _Connection(Path(socket_path), token, model)


def default_model() -> str:
    """The model of those who name none."""
    return _current.model if _current is not None else ORIGINAL_MODEL


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
    with _outages(), _call(path, body, purpose) as (connection, call):
        return _answer(*await connection.post(*call))


def request_blocking(path: str, body: dict[str, Any], purpose: str) -> dict[str, Any]:
    """As :func:`request`, without an event loop or beside a running one (which stands still meanwhile).

    Not for the process that runs the gateway: there it would wait for itself.
    """
    with _outages(), _call(path, body, purpose) as (connection, call):
        return _answer(*connection.post_blocking(*call))


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
    verdict = Verdict.from_dict(await request(_GRADE, body, "act"))
    if verdict.error is not None:
        raise InfraError(f"grading {task} failed: {verdict.error}")
    return verdict


async def ask_command(tree: str, task: str, command: str | list[str] | None, wall_s: float) -> CommandResult:
    """Have the parent run a command in a task's image, on one of the folders that it has lent.

    Args:
        tree: name of the folder.
        command: as of ``Session.run``; None ends the folder's container.

    Raises:
        InfraError: the parent is gone.
        RequestRejected: it is no folder or task of this evaluation.
    """
    body = {"tree": tree, "task": task, "command": command, "wall_s": wall_s}
    return CommandResult(**await request(_COMMAND, body, "act"))


async def take_turn(task: str, repeat: int, state: Literal["start", "end"]) -> None:
    """Tell the parent that an episode is about to start, and wait until it may; or that it has ended.

    Raises:
        InfraError: the gateway is gone.
    """
    await request(_TURN, {"task": task, "repeat": repeat, "state": state}, "act")


def count(response: dict[str, Any]) -> None:
    """Add an answered call to the usage of the current scope."""
    usage = call_usage.get()
    if usage is not None:
        usage.add(response.get("usage") or {})


def _route(path: str) -> str:
    """Models are where the OpenAI API has them; the rest is our own."""
    return path if path in (_GRADE, _TURN, _COMMAND) else f"/v1{path}"


@contextlib.contextmanager
def _call(
    path: str, body: dict[str, Any], purpose: str
) -> Iterator[tuple[_Connection, tuple[str, dict[str, str], bytes]]]:
    """A call under way: the connection, and what to post with it (path, headers, body)."""
    connection = _connection()
    content, scope = _encode(body), json.dumps(call_scope.get())
    with _under_way(), connection.numbers.number(purpose.encode(), scope.encode(), content) as number:
        yield connection, (_route(path), _headers(purpose, scope, number), content)


def _headers(purpose: str, scope: str, number: int) -> dict[str, str]:
    return {
        "Content-Type": "application/json",
        "x-alma-purpose": purpose,
        "x-alma-scope": scope,
        "x-alma-occurrence": str(number),
    }


def _encode(body: dict[str, Any]) -> bytes:
    try:
        return orjson.dumps(body)
    except TypeError:  # half a surrogate pair in a program's output, or a schema with odd keys
        return json.dumps(body, ensure_ascii=False, default=str).encode("utf-8", "replace")


def _answer(status: int, body: bytes) -> dict[str, Any]:
    """The response JSON, or the fault it stands for as our exception."""
    try:
        answer = orjson.loads(body)
    except ValueError as error:
        raise InfraError(f"the gateway's answer is not JSON: {body[:200]!r}") from error
    if status == 200:
        return answer
    fault = answer["error"]
    raise _kind(status, fault["code"])(fault["message"])


_begun: dict[object, float] = {}


@contextlib.contextmanager
def _under_way() -> Iterator[None]:
    call = object()
    _begun[call] = time.monotonic()
    try:
        yield
    finally:
        del _begun[call]


def stalled() -> str | None:
    """Why what waits for a model now is not to blame for its waiting; None when no call has taken that long."""
    seconds = time.monotonic() - min(list(_begun.values()), default=time.monotonic())
    return f"a model call has not come back for {seconds:.0f} s" if seconds > STALLED_S else None


@contextlib.contextmanager
def _outages() -> Iterator[None]:
    """Turns a lost connection into an InfraError, and notes every InfraError in the scope's usage."""
    try:
        try:
            yield
        except _Unavailable as error:
            raise InfraError(f"connection to the gateway lost: {error}") from error
    except InfraError as error:
        if (usage := call_usage.get()) is not None:
            usage.infra_error = str(error)
        raise


def _kind(status: int, code: str | None) -> type[RuntimeError]:
    if code == "context_length_exceeded":
        return ContextOverflow
    if code in ("content_filter", "content_policy_violation", "invalid_prompt"):
        return Refused
    if status in (400, 404, 413, 422):
        return RequestRejected
    return InfraError
