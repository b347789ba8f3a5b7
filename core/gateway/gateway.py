"""The gateway: takes the model calls of all processes of a run, routes them and keeps the ledger."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import os
import secrets
import shutil
import tempfile
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import uvicorn

from core.gateway.activity import Activities
from core.gateway.answers import Answers, Asked
from core.gateway.app import GatewayApp, Headers, Scope, invalid, parse_header_object, parse_object
from core.gateway.budget import Budget
from core.gateway.codex_provider import PREFIX as CODEX
from core.gateway.codex_provider import CodexProvider
from core.gateway.embedded_texts import EmbeddedTexts
from core.gateway.offline_provider import MODEL as OFFLINE
from core.gateway.offline_provider import OfflineProvider
from core.gateway.openai_provider import OpenAIProvider
from core.gateway.provider import Call, Provider, ProviderError, Reply
from core.gateway.retrying import Retries
from evals.contract import Verdict
from evals.utils.codex_client import INSTALL, CodexAgent, find_codex, user_login

PURPOSES = frozenset({"act", "memory", "analyze", "explore", "generate", "repair", "embed"})
EFFORTS = frozenset({"minimal", "low", "medium", "high"})
_CALL_SCOPE = ("phase", "task", "repeat")
_SOCKET_PATH_LIMIT = 60

Grader = Callable[[Scope, dict[str, Any]], Awaitable[Verdict]]
Commands = Callable[[Scope, dict[str, Any]], Awaitable[dict[str, Any]]]
Turnstile = Callable[[Scope, dict[str, Any]], Awaitable[None]]


class ModelUnavailable(ValueError):
    """A model cannot be called in this run; the message says in one line what to do."""


@dataclass(frozen=True)
class GatewaySettings:
    """How a run reaches its models.

    Attributes:
        offline: every model name is served by the offline model.
        concurrency: calls in flight at the provider, over all processes.
        tries: how often a call is tried before it counts as an outage.
        timeout_s: for one try.
        backoff_s: the first wait between tries; it doubles.
        rpm, tpm: requests and tokens per minute and model that may be sent; None for no limit of our own.
        offline_workers: processes of the offline model.
        max_cost_usd, max_tokens: what the run may spend in its whole life.
        replay: every call is answered from the ledger, and no model is reached.
    """

    offline: bool = False
    api_key: str | None = None
    base_url: str | None = None
    concurrency: int = 64
    tries: int = 8
    timeout_s: float = 600.0
    backoff_s: float = 1.0
    rpm: int | None = None
    tpm: int | None = None
    offline_workers: int = dataclasses.field(default_factory=lambda: os.cpu_count() or 1)
    max_cost_usd: float | None = None
    max_tokens: int | None = None
    replay: bool = False

    @classmethod
    def from_environment(
        cls, execution_model: str, environment: Mapping[str, str] = os.environ, **more: Any
    ) -> GatewaySettings:
        """Read OPENAI_API_KEY and OPENAI_BASE_URL; ``more`` are further settings by name.

        The run is offline when its execution model is ``offline`` and there is neither a key nor a server:
        then nothing could serve any other name.
        """
        key = environment.get("OPENAI_API_KEY") or None
        base_url = environment.get("OPENAI_BASE_URL") or None
        unreachable = key is None and base_url is None
        return cls(offline=execution_model == OFFLINE and unreachable, api_key=key, base_url=base_url, **more)

    def check_model(self, model: str) -> None:
        """Raise :class:`ModelUnavailable` when no provider could serve ``model``. Nothing is called."""
        name, _ = split_effort(model)
        if not name.strip():
            raise ModelUnavailable("a model name is empty")
        if name.startswith(CODEX):
            if find_codex() is None:
                raise ModelUnavailable(f"model {model}: the Codex program is not installed: {INSTALL}")
            if self.api_key is None and user_login() is None:
                raise ModelUnavailable(f"model {model}: set OPENAI_API_KEY, or log in with: codex login")
            return
        if self.base_url is not None and not self.base_url.startswith(("http://", "https://")):
            raise ModelUnavailable(
                f"OPENAI_BASE_URL must begin with http:// or https://, not {self.base_url}"
            )
        if not self.offline and name != OFFLINE and self.api_key is None and self.base_url is None:
            raise ModelUnavailable(
                f"model {model}: OPENAI_API_KEY is not set; put it into .env or the environment "
                "(or OPENAI_BASE_URL for a server of your own), or use --execution_model offline"
            )


def split_effort(model: str) -> tuple[str, str | None]:
    """``gpt-5-nano/low`` -> (``gpt-5-nano``, ``low``); a name with another ending is left whole."""
    name, _, effort = model.rpartition("/")
    return (name, effort) if name and effort in EFFORTS else (model, None)


class _Server(uvicorn.Server):
    """Runs inside the parent's event loop, whose signals stay the parent's."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class Gateway:
    """Args:
    run_dir: ``logs/<run>``; the ledger is ``ledger.sqlite`` in it.
    settings: how models are reached.
    on_notice: told what the user should know of the models, one line each.
    on_call: told the scope and the purpose of every model call that comes in.

    Attributes:
        answers: where every call gets its answer, and is entered.
    """

    def __init__(
        self,
        run_dir: Path,
        settings: GatewaySettings,
        on_notice: Callable[[str], None] = lambda line: None,
        on_call: Callable[[Scope, str], None] = lambda scope, purpose: None,
    ) -> None:
        self._on_notice = on_notice
        self._on_call = on_call
        self.settings = settings
        self.run = run_dir.name
        self.ledger_path = run_dir / "ledger.sqlite"
        self.answers = Answers(
            self.ledger_path, Budget(settings.max_cost_usd, settings.max_tokens), settings.replay
        )
        self._embedded = EmbeddedTexts(self._embed)
        self._offline = OfflineProvider(settings.offline_workers)
        self._openai: OpenAIProvider | None = None
        self._codex: CodexProvider | None = None
        self._scopes: dict[str, Scope] = {}
        self._grader: Grader | None = None
        self._commands: Commands | None = None
        self._turnstile: Turnstile | None = None
        self.activities = Activities()
        self._server: _Server | None = None
        self._serving: asyncio.Task[None] | None = None
        self._socket_dir: Path | None = None

    @property
    def socket_path(self) -> Path:
        """The Unix socket, while the gateway runs."""
        if self._socket_dir is None:
            raise RuntimeError("the gateway is not running")
        return self._socket_dir / "gateway.sock"

    async def start(self) -> None:
        """Open the ledger and the socket; returns when requests are answered.

        Raises:
            OSError, sqlite3.Error: the socket or the ledger cannot be opened.
        """
        try:
            await self._start()
        except BaseException:
            await self.stop()
            raise

    async def _start(self) -> None:
        self.answers.open()
        if not self.settings.replay:
            await self._start_providers()
        # A socket's path is limited to about 100 bytes, so a deep TMPDIR is of no use.
        parent = tempfile.gettempdir()
        self._socket_dir = Path(
            tempfile.mkdtemp(prefix="alma-", dir=parent if len(parent) < _SOCKET_PATH_LIMIT else "/tmp")
        )
        await self._serve()

    async def _start_providers(self) -> None:
        settings = self.settings
        retries = Retries(settings.tries, settings.backoff_s)
        if settings.offline:
            await self._offline.start()
        elif settings.api_key or settings.base_url:
            self._openai = OpenAIProvider(
                settings.api_key,
                settings.base_url,
                concurrency=settings.concurrency,
                retries=retries,
                timeout_s=settings.timeout_s,
                rpm=settings.rpm,
                tpm=settings.tpm,
                on_notice=self._on_notice,
            )
            await self._openai.start()
        if (program := find_codex()) is not None:
            agent = CodexAgent(
                [program],
                api_key=settings.api_key,
                base_url=settings.base_url,
                timeout_s=settings.timeout_s,
            )
            self._codex = CodexProvider(agent, concurrency=settings.concurrency, retries=retries)

    async def _serve(self) -> None:
        routes = {
            ("POST", "/v1/chat/completions"): self._chat,
            ("POST", "/v1/embeddings"): self._embeddings,
            ("GET", "/v1/models"): self._models,
            ("POST", "/grade"): self._grade,
            ("POST", "/command"): self._command,
            ("POST", "/turn"): self._turn,
        }
        config = uvicorn.Config(
            GatewayApp(
                {route: self.activities.watched(handler) for route, handler in routes.items()},
                self._scopes.get,
            ),
            uds=str(self.socket_path),
            log_config=None,
            access_log=False,
            lifespan="off",
            ws="none",
            server_header=False,
            date_header=False,
            proxy_headers=False,
            timeout_keep_alive=3600,  # a client's idle connection must not be closed under its next request
            timeout_graceful_shutdown=2,
        )
        self._server = _Server(config)
        self._serving = asyncio.create_task(self._server.serve(), name="gateway")
        while not self._server.started:
            if self._serving.done():
                await self._serving
                raise OSError("the gateway's server ended at its start")
            await asyncio.sleep(0.005)

    async def stop(self) -> None:
        """Close the socket, the providers and the ledger. What is under way at a paid provider is waited for."""
        if self._server is not None and self._serving is not None:
            self._server.should_exit = True
            await self._serving
            self._server = self._serving = None
        await self.answers.close()
        if self._openai is not None:
            await self._openai.close()
        if self._codex is not None:
            await self._codex.close()
        await self._offline.close()
        if self._socket_dir is not None:
            shutil.rmtree(self._socket_dir, ignore_errors=True)
            self._socket_dir = None

    def issue_token(self, scope: Scope) -> str:
        """A new bearer token.

        Calls made with it are entered under ``scope`` (evaluation, design, ...), whatever the process that
        holds it says of itself.
        """
        token = secrets.token_urlsafe(24)
        self._scopes[token] = {"run": self.run, **scope}
        return token

    def revoke(self, token: str) -> None:
        """End a token; unknown ones are ignored."""
        self._scopes.pop(token, None)

    def add_grader(self, grade: Grader) -> None:
        """Serve ``/grade`` with ``await grade(token scope, request body)``.

        The body comes as posted: ``task``, ``phase``, ``repeat``, ``changes`` with base64 contents. A
        ValueError is answered as the caller's fault, any other exception as an outage.
        """
        self._grader = grade

    def add_commands(self, run: Commands) -> None:
        """Serve ``/command`` with ``await run(token scope, request body)``.

        A ValueError is answered as the caller's fault, any other exception as an outage.
        """
        self._commands = run

    def set_turnstile(self, turn: Turnstile | None) -> None:
        """Serve ``/turn`` with ``await turn(token scope, request body)``; without one, every turn is granted at once.

        A ValueError is answered as the caller's fault.
        """
        self._turnstile = turn

    async def _chat(self, granted: Scope, headers: Headers, body: bytes) -> bytes:
        request = parse_object(body)
        if request.get("stream"):
            raise invalid("this gateway does not stream: send the request without stream=true")
        if not isinstance(request.get("messages"), list):
            raise invalid("messages must be a list")
        return await self._call(granted, headers, request, body, lambda provider: provider.complete)

    async def _embeddings(self, granted: Scope, headers: Headers, body: bytes) -> bytes:
        request = parse_object(body)
        given = request.get("input")
        texts = given if isinstance(given, list) else [given]
        if not texts or not all(isinstance(text, str) for text in texts):
            raise invalid("input must be a string or a non-empty list of strings")
        if not isinstance(request.get("model"), str):
            raise invalid("model must be a string")
        return await self._embedded.get(request, texts)

    async def _embed(self, request: dict[str, Any], body: bytes) -> bytes:
        """One text; entered under no design, since all of them share its answer."""
        headers = {b"x-alma-purpose": b"embed"}
        return await self._call({"run": self.run}, headers, request, body, lambda provider: provider.embed)

    async def _call(
        self,
        granted: Scope,
        headers: Headers,
        request: dict[str, Any],
        body: bytes,
        method: Callable[[Provider], Callable[[Call], Awaitable[Reply]]],
    ) -> bytes:
        named = request.get("model")
        if not isinstance(named, str):
            raise invalid("model must be a string")
        purpose = headers.get(b"x-alma-purpose", b"").decode("latin-1")
        if purpose not in PURPOSES:
            raise invalid(f"header x-alma-purpose must be one of {', '.join(sorted(PURPOSES))}")
        claimed = parse_header_object(headers, b"x-alma-scope")
        scope = {**{name: claimed[name] for name in _CALL_SCOPE if name in claimed}, **granted}
        model, effort = split_effort(named)
        provider = self._route(model)
        if effort is not None:
            request = {"reasoning_effort": effort, **request, "model": model}
            body = orjson.dumps(request)
        self._on_call(scope, purpose)
        asked = Asked(scope, purpose, _occurrence(headers), model, Call(body, request, purpose))
        return await self.answers.get(asked, provider.name, method(provider))

    def _route(self, model: str) -> Provider:
        if self.settings.replay:  # no model is reached
            return self._offline
        if model.startswith(CODEX):
            if self._codex is None:
                raise invalid("the Codex program is not installed", status=404, code="model_not_found")
            return self._codex
        if self.settings.offline or model == OFFLINE:
            return self._offline
        if self._openai is None:
            raise invalid(
                f"model {model} cannot be reached: no key is set", status=404, code="model_not_found"
            )
        return self._openai

    async def _models(self, granted: Scope, headers: Headers, body: bytes) -> bytes:
        names = await self._offline.models()
        if self._openai is not None:
            names += await self._openai.models()
        data = [{"id": name, "object": "model", "created": 0, "owned_by": "gateway"} for name in names]
        return orjson.dumps({"object": "list", "data": data})

    async def _grade(self, granted: Scope, headers: Headers, body: bytes) -> bytes:
        if self._grader is None:
            raise invalid("this gateway grades nothing", status=404)
        request = parse_object(body)
        try:
            verdict = await self._grader(granted, request)
        except ValueError as error:
            raise invalid(str(error)) from error
        except Exception as error:
            raise ProviderError.infra(f"grading failed: {type(error).__name__}: {error}") from error
        return orjson.dumps(dataclasses.asdict(verdict))

    async def _command(self, granted: Scope, headers: Headers, body: bytes) -> bytes:
        if self._commands is None:
            raise invalid("this gateway runs no commands", status=404)
        request = parse_object(body)
        try:
            return orjson.dumps(await self._commands(granted, request))
        except ValueError as error:
            raise invalid(str(error)) from error
        except Exception as error:
            raise ProviderError.infra(f"commands cannot be run: {type(error).__name__}: {error}") from error

    async def _turn(self, granted: Scope, headers: Headers, body: bytes) -> bytes:
        request = parse_object(body)
        if self._turnstile is not None:
            try:
                await self._turnstile(granted, request)
            except ValueError as error:
                raise invalid(str(error)) from error
        return b"{}"


def _occurrence(headers: Headers) -> int:
    """The how-manieth equal request of its scope a call is, as its process counts; 0 when it does not say."""
    text = headers.get(b"x-alma-occurrence", b"0")
    if not text.isdigit():
        raise invalid("header x-alma-occurrence must be a whole number")
    return int(text[:9])
