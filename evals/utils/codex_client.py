"""``CodexAgent``: the Codex app-server as a model that answers with text.

The app-server (``codex app-server``, npm package ``@openai/codex``) speaks JSON-RPC over its standard streams, one
object a line, without the ``jsonrpc`` member. It is made to carry agents with tools; here all of them are switched
off, and the instructions are ours alone. What the settings and messages do was found out on version 0.169.0; the
server is started with ``--strict-config``, so that a version that renamed one of them refuses to start instead of
bringing its tools back.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
import signal
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from evals.utils.subprocesses import start_process

INSTALL = "npm install -g @openai/codex@0.169.0"
START_S = 30.0
REPLY_S = 60.0
STOP_S = 6.0
LINE_BYTES = 64 << 20
KEPT_ERRORS = 2000

_FEATURES = [
    "shell_tool",
    "unified_exec",
    "view_image",
    "goals",
    "apps",
    "plugins",
    "remote_plugin",
    "hooks",
    "image_generation",
    "browser_use",
    "computer_use",
    "in_app_browser",
    "tool_suggest",
    "skill_search",
    "sleep_tool",
    "shell_snapshot",
    "code_mode_host",
    "memories",
    "unbounded_connection_retries",
]
PURE_TEXT = (
    *("approval_policy=never", "sandbox_mode=read-only", "check_for_update_on_startup=false"),
    *("web_search=disabled", "project_doc_max_bytes=0", "include_permissions_instructions=false"),
    *("include_apps_instructions=false", "include_environment_context=false"),
    *("include_collaboration_mode_instructions=false", "skills.include_instructions=false"),
    *("skills.bundled.enabled=false", "analytics.enabled=false", "history.persistence=none"),
    *(
        "feedback.enabled=false",
        "agents.enabled=false",
        "tools.experimental_request_user_input.enabled=false",
    ),
    *(f"features.{name}=false" for name in _FEATURES),
)
_UNWANTED = [
    "item/agentMessage/delta",
    "account/rateLimits/updated",
    "remoteControl/status/changed",
    "thread/status/changed",
]


class CodexError(Exception):
    """A call that brought no answer.

    Args:
        info: Codex's word for it (``contextWindowExceeded``, ``modelNotFound``, ...), ``timeout`` when we gave up, or
            ``gone`` when the server has ended.
        status: the provider's HTTP status, where one is known.
    """

    def __init__(self, message: str, info: str, status: int | None = None) -> None:
        super().__init__(message)
        self.info = info
        self.status = status


@dataclass(frozen=True)
class CodexAnswer:
    """A turn's last message, and the tokens of all provider requests it took. ``cached`` is part of ``prompt``."""

    text: str
    prompt: int = 0
    completion: int = 0
    cached: int = 0
    reasoning: int = 0


@dataclass
class _Turn:
    """What is heard of a running turn."""

    done: asyncio.Future[dict[str, Any]]
    messages: list[dict[str, Any]] = field(default_factory=list)
    usage: dict[str, int] = field(default_factory=dict)


def find_codex() -> str | None:
    """The Codex program: ``CODEX_PATH``, or ``codex`` on the PATH."""
    named = os.environ.get("CODEX_PATH")
    return named if named and Path(named).is_file() else shutil.which("codex")


def user_login() -> Path | None:
    """The file with which the user has logged in to Codex, if there is one."""
    home = Path(os.environ.get("CODEX_HOME") or "~/.codex").expanduser()
    return home / "auth.json" if (home / "auth.json").is_file() else None


class CodexAgent:
    """Any number of calls at a time through one app-server process, which is started with the first.

    Args:
        command: the program, with leading arguments.
        api_key: for the provider; None uses the user's own login.
        base_url: of a server with ``/responses``; None for the OpenAI API. Without a key it is ignored.
        timeout_s: for one turn.
    """

    def __init__(
        self,
        command: Sequence[str],
        *,
        api_key: str | None = None,
        base_url: str | None = None,
        timeout_s: float = 600.0,
    ) -> None:
        self._command = list(command)
        self._key = api_key
        self._base_url = base_url or "https://api.openai.com/v1"
        self._timeout_s = timeout_s
        self._starting = asyncio.Lock()
        self._process: asyncio.subprocess.Process | None = None
        self._home: Path | None = None
        self._readers: list[asyncio.Task[None]] = []
        self._number = 0
        self._replies: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._turns: dict[str, _Turn] = {}
        self._errors = b""

    async def ask(
        self,
        messages: Sequence[Mapping[str, Any]],
        model: str,
        *,
        effort: str | None = None,
        output_schema: dict[str, Any] | None = None,
    ) -> CodexAnswer:
        """The model's answer to a whole conversation in the chat shape (``role``, ``content``).

        Each call has a thread of its own, which is thrown away: a turn that failed would stay in it.

        Raises:
            CodexError: there is no answer.
        """
        await self._start()
        instructions, earlier, last = split_conversation(messages)
        parameters = {"model": model, "cwd": str(self._home / "empty"), "sandbox": "read-only"}
        parameters |= {"approvalPolicy": "never", "ephemeral": True, "baseInstructions": instructions}
        thread = (await self._request("thread/start", parameters))["thread"]["id"]
        try:
            if earlier:
                await self._request("thread/inject_items", {"threadId": thread, "items": earlier})
            turn = {"threadId": thread, "input": [{"type": "text", "text": last}] if last else []}
            turn |= {"model": model, "summary": "none"}
            turn |= {"effort": effort} if effort else {}
            turn |= {"outputSchema": output_schema} if output_schema else {}
            return await self._run_turn(thread, turn)
        finally:
            self._turns.pop(thread, None)
            with contextlib.suppress(CodexError):
                await self._request("thread/unsubscribe", {"threadId": thread})

    async def close(self) -> None:
        """End the server: told by the end of its input, by a signal when that is not enough."""
        process, self._process = self._process, None
        if process is not None:
            with contextlib.suppress(OSError):
                process.stdin.close()
            # The npm launcher has the server as its child: they are one group. Only the readers see the end of both.
            _, alive = await asyncio.wait(self._readers, timeout=STOP_S)
            for number in (signal.SIGTERM, signal.SIGKILL) if alive else ():
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, number)
                _, alive = await asyncio.wait(self._readers, timeout=STOP_S)
                if not alive:
                    break
            await process.wait()
        if self._home is not None:
            await asyncio.to_thread(shutil.rmtree, self._home, ignore_errors=True)
            self._home = None

    async def _start(self) -> None:
        async with self._starting:
            if self._process is not None and self._process.returncode is None and not self._ended():
                return
            await self.close()
            # A home of its own: that of the user may hold instructions and servers that would be used.
            self._home = Path(tempfile.mkdtemp(prefix="codex-"))
            (self._home / "empty").mkdir()
            environment = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
            environment |= {"CODEX_HOME": str(self._home), "ALMA_CODEX_KEY": self._key or ""}
            try:
                self._process = await start_process(
                    *self._command,
                    *("app-server", "--strict-config"),
                    *(word for setting in (*self._provider(), *PURE_TEXT) for word in ("-c", setting)),
                    env=environment,
                    cwd=self._home / "empty",
                    stdin=asyncio.subprocess.PIPE,
                    stdout=asyncio.subprocess.PIPE,
                    stderr=asyncio.subprocess.PIPE,
                    limit=LINE_BYTES,
                    start_new_session=True,
                )
            except OSError as error:
                raise CodexError(f"{self._command[0]}: {error.strerror}", "unusable") from error
            self._errors = b""
            readers = (self._read(self._process), self._read_errors(self._process))
            self._readers = [asyncio.create_task(reader) for reader in readers]
            client = {"name": "alma", "title": None, "version": "1.0.0"}
            capabilities = {"experimentalApi": False, "requestAttestation": False}
            capabilities |= {"optOutNotificationMethods": _UNWANTED}
            hello = {"clientInfo": client, "capabilities": capabilities}
            try:
                await self._request("initialize", hello, START_S)
            except CodexError as error:
                await self.close()
                raise CodexError(f"the Codex app-server does not start: {error}", "unusable") from error
            self._send({"method": "initialized"})

    def _provider(self) -> list[str]:
        if self._key is None:
            login = user_login()
            if login is not None:
                (self._home / "auth.json").symlink_to(login)
            return []
        entries = {"name": "alma", "base_url": self._base_url, "wire_api": "responses"}
        entries |= {"env_key": "ALMA_CODEX_KEY"}
        # Trying again is the gateway's business, which knows of all the others.
        numbers = {"request_max_retries": 0, "stream_max_retries": 0}
        numbers |= {"stream_idle_timeout_ms": int(self._timeout_s * 1000)}
        table = ",".join(f"{name}={json.dumps(value)}" for name, value in (entries | numbers).items())
        return ["model_provider=alma", f"model_providers.alma={{{table}}}"]

    async def _run_turn(self, thread: str, parameters: dict[str, Any]) -> CodexAnswer:
        turn = self._turns[thread] = _Turn(asyncio.get_running_loop().create_future())
        try:
            async with asyncio.timeout(self._timeout_s):
                started = await self._request("turn/start", parameters)
                ended = await turn.done
        except TimeoutError as error:
            with contextlib.suppress(CodexError, UnboundLocalError):
                await self._request(
                    "turn/interrupt", {"threadId": thread, "turnId": started["turn"]["id"]}, STOP_S
                )
            raise CodexError(f"no answer within {self._timeout_s:g} s", "timeout") from error
        if ended["status"] != "completed":
            raise turn_error(ended)
        final = [m for m in turn.messages if m.get("phase") == "final_answer"] or turn.messages
        usage = turn.usage
        return CodexAnswer(
            text=final[-1]["text"] if final else "",
            prompt=usage.get("inputTokens", 0),
            completion=usage.get("outputTokens", 0),
            cached=usage.get("cachedInputTokens", 0),
            reasoning=usage.get("reasoningOutputTokens", 0),
        )

    async def _request(self, method: str, parameters: dict[str, Any], within_s: float = REPLY_S) -> Any:
        self._number += 1
        number = self._number
        reply = self._replies[number] = asyncio.get_running_loop().create_future()
        try:
            if self._process is None or self._ended():
                raise self._gone()
            self._send({"id": number, "method": method, "params": parameters})
            async with asyncio.timeout(within_s):
                answer = await reply
        except TimeoutError as error:
            raise CodexError(f"no reply to {method} within {within_s:g} s", "timeout") from error
        finally:
            self._replies.pop(number, None)
        if "error" in answer:
            fault = answer["error"]
            code = (fault.get("data") or {}).get("input_error_code")
            info = "contextWindowExceeded" if code == "input_too_large" else "refused"
            raise CodexError(f"{method}: {str(fault.get('message'))[:300]}", info)
        return answer["result"]

    def _send(self, message: dict[str, Any]) -> None:
        # A server that has just ended takes nothing: who waits for its reply is told so by the reader.
        if self._process is not None and not self._process.stdin.is_closing():
            self._process.stdin.write(json.dumps(message).encode() + b"\n")

    async def _read(self, process: asyncio.subprocess.Process) -> None:
        """Hand on what the server says, until it ends: then everybody who waits is told."""
        try:
            while line := await process.stdout.readline():
                with contextlib.suppress(ValueError, KeyError, TypeError):  # not a message we know
                    self._hear(json.loads(line))
        finally:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(asyncio.shield(self._readers[1]), 1)  # its last words
            gone = self._gone()
            for waiting in [*self._replies.values(), *(turn.done for turn in self._turns.values())]:
                if not waiting.done():
                    waiting.set_exception(gone)
                    waiting.exception()  # seen, also where nobody waits any more

    def _hear(self, message: dict[str, Any]) -> None:
        method = message.get("method")
        if method is None:
            reply = self._replies.get(message["id"])
            if reply is not None and not reply.done():
                reply.set_result(message)
        elif "id" in message:
            # An approval, a question: nobody is there to answer. An error counts as a no, and the turn goes on.
            self._send({"id": message["id"], "error": {"code": -32601, "message": "not available"}})
        else:
            parameters = message["params"]
            turn = self._turns.get(parameters.get("threadId"))
            if turn is None:
                return
            if method == "item/completed" and parameters["item"]["type"] == "agentMessage":
                turn.messages.append(parameters["item"])
            elif method == "thread/tokenUsage/updated":
                turn.usage = parameters["tokenUsage"]["total"]  # of the thread, so of this one turn
            elif method == "turn/completed" and not turn.done.done():
                turn.done.set_result(parameters["turn"])

    async def _read_errors(self, process: asyncio.subprocess.Process) -> None:
        while chunk := await process.stderr.read(65536):
            self._errors = (self._errors + chunk)[-KEPT_ERRORS:]

    def _ended(self) -> bool:
        return not self._readers or self._readers[0].done()

    def _gone(self) -> CodexError:
        lines = self._errors.decode("utf-8", "replace").strip().splitlines() or ["it said nothing"]
        return CodexError(f"the Codex app-server has ended: {lines[-1][:300]}", "gone")


_PASSED_ON = ("PATH", "HOME", "TMPDIR", "LANG", "SSL_CERT_FILE", "HTTPS_PROXY", "https_proxy", "NO_PROXY")


def split_conversation(messages: Sequence[Mapping[str, Any]]) -> tuple[str, list[dict[str, Any]], str]:
    """A chat conversation as Codex takes it: instructions, the items before the last user message, and that one.

    Raises:
        CodexError: a part of it is no text.
    """
    rest = list(messages)
    instructions = []
    while rest and rest[0]["role"] in ("system", "developer"):
        instructions.append(_text(rest.pop(0)))
    last = _text(rest.pop()) if rest and rest[-1]["role"] == "user" else ""
    items = []
    for message in rest:
        kind = "output_text" if message["role"] == "assistant" else "input_text"
        role = "developer" if message["role"] == "system" else message["role"]
        content = [{"type": kind, "text": _text(message)}]
        items.append({"type": "message", "role": role, "content": content})
    return "\n\n".join(instructions), items, last


def _text(message: Mapping[str, Any]) -> str:
    content = message.get("content")
    if content is None or isinstance(content, str):
        return content or ""
    try:
        return "\n".join(part["text"] for part in content)
    except (TypeError, KeyError) as error:
        raise CodexError("only text can be sent to Codex", "badRequest", 400) from error


def turn_error(turn: Mapping[str, Any]) -> CodexError:
    """Why a turn failed; Codex says it as a word or as ``{word: {"httpStatusCode": n}}``."""
    error = turn.get("error") or {}
    info, status = error.get("codexErrorInfo"), None
    if isinstance(info, dict):
        [(info, details)] = info.items()
        status = (details or {}).get("httpStatusCode")
    message = " ".join(str(error.get("message") or f"the turn was {turn.get('status')}").split())
    return CodexError(message[:4000], str(info or "other"), status)
