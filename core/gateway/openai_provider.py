"""OpenAI, or any server that speaks its REST shape, as a provider."""

from __future__ import annotations

import asyncio
import os
import ssl
from collections import defaultdict
from collections.abc import Callable
from typing import Any

import aiohttp
import certifi
import orjson

from core.gateway.provider import Call, ProviderError, Reply, Tokens
from core.gateway.rate_limit import RateLimit
from core.gateway.replies import check_answer, fault_of, is_empty, rejected_parameter, tokens_of
from core.gateway.retrying import PassingFault, Retries

API = "https://api.openai.com/v1"
CONNECT_S = 10.0
EMPTY_ANSWERS = 2  # thrown away before one is handed on: the model may well mean it
RENAMED = {"max_tokens": "max_completion_tokens"}


class OpenAIProvider:
    """Args:
    api_key: None for a server that wants none.
    base_url: None for the OpenAI API.
    concurrency: calls in flight at once, over all processes of the run.
    retries: how often and when a call is tried again.
    timeout_s: for one try, from sending to the last byte.
    rpm, tpm: requests and tokens per minute and model, over all processes of the run; None for no such limit.
    on_notice: told what the user should know, one line each.
    """

    name = "openai"

    def __init__(
        self,
        api_key: str | None,
        base_url: str | None,
        *,
        concurrency: int,
        retries: Retries,
        timeout_s: float,
        rpm: int | None = None,
        tpm: int | None = None,
        on_notice: Callable[[str], None] = lambda line: None,
    ) -> None:
        self._base = (base_url or API).rstrip("/")
        self._headers = _headers(api_key)
        self._slots = asyncio.Semaphore(concurrency)
        self._retries = retries
        self._timeout_s = timeout_s
        self._limits: defaultdict[str, RateLimit] = defaultdict(lambda: RateLimit(rpm, tpm))
        self._untaken: defaultdict[str, set[str]] = defaultdict(set)
        self._on_notice = on_notice
        self._session: aiohttp.ClientSession | None = None

    async def start(self) -> None:
        # Connections are limited by the slots; the pool only keeps them.
        connector = aiohttp.TCPConnector(limit=0, ssl=_tls())
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_S)
        self._session = aiohttp.ClientSession(
            connector=connector, headers=self._headers, timeout=timeout, trust_env=True
        )

    async def complete(self, call: Call) -> Reply:
        return await self._post("/chat/completions", "choices", call)

    async def embed(self, call: Call) -> Reply:
        return await self._post("/embeddings", "data", call)

    async def models(self) -> list[str]:
        async def attempt(retries: int) -> Any:
            try:
                async with asyncio.timeout(self._timeout_s):
                    status, headers, body = await self._exchange("GET", "/models", None)
            except TimeoutError as error:
                raise PassingFault(f"no answer within {self._timeout_s:g} s") from error
            if status != 200:
                raise fault_of(status, headers, _parsed(body), _text(body))
            return _parsed(body)

        answer = await self._retries.run(attempt)
        listed = answer.get("data") if isinstance(answer, dict) else None
        return [str(m["id"]) for m in listed or () if isinstance(m, dict) and "id" in m]

    async def close(self) -> None:
        if self._session is not None:
            session, self._session = self._session, None
            await session.close()

    async def _post(self, path: str, wanted: str, call: Call) -> Reply:
        empty, spent = 0, Tokens()

        async def attempt(retries: int) -> Reply:
            nonlocal empty, spent
            try:
                answer, body = await self._try(path, wanted, call)
            except PassingFault:
                call.costs = spent != Tokens()
                raise
            spent += tokens_of(answer)
            if wanted == "choices" and is_empty(answer) and empty < EMPTY_ANSWERS:
                empty += 1
                raise PassingFault("the answer is empty")
            return Reply(body, spent, retries)

        return await self._retries.run(attempt)

    async def _try(self, path: str, wanted: str, call: Call) -> tuple[dict[str, Any], bytes]:
        """One try; more only where the provider rejects a parameter, which is then left out for good."""
        model = str(call.request.get("model"))
        while True:
            untaken = frozenset(self._untaken[model])
            request = _without(call.request, untaken)
            sent = orjson.dumps(request) if untaken & call.request.keys() else call.body
            try:
                return await self._send(path, wanted, model, call, request, sent)
            except ProviderError as error:
                name = rejected_parameter(error, request)
                if name is None or name in untaken:
                    raise
                if name not in self._untaken[model]:  # another call may have found out meanwhile
                    self._untaken[model].add(name)
                    self._on_notice(f"model {model} does not take {name}: left out from now on ({error})")

    async def _send(
        self, path: str, wanted: str, model: str, call: Call, request: dict[str, Any], body: bytes
    ) -> tuple[dict[str, Any], bytes]:
        limit = self._limits[model]
        room = request.get("max_completion_tokens") or request.get("max_tokens") or 0
        taken = await limit.admit(len(body) // 4 + (room if isinstance(room, int) else 0))
        try:
            async with self._slots:
                await limit.unpaused()
                call.costs = True
                async with asyncio.timeout(self._timeout_s):
                    status, headers, content = await self._exchange("POST", path, body)
        except TimeoutError as error:
            raise PassingFault(f"no answer within {self._timeout_s:g} s") from error
        limit.hear(headers)
        answer = _parsed(content)
        if status != 200:
            fault = fault_of(status, headers, answer, _text(content))
            if isinstance(fault, PassingFault) and fault.limited and fault.wait_s:
                limit.pause(fault.wait_s)
            raise fault
        checked = check_answer(answer, wanted, _text(content))
        used = tokens_of(checked)
        limit.settle(taken, used.prompt + used.completion)
        return checked, content

    async def _exchange(self, method: str, path: str, body: bytes | None) -> tuple[int, Any, bytes]:
        if self._session is None:
            raise ProviderError.infra("the gateway is not running")
        try:
            async with self._session.request(
                method, self._base + path, data=body, headers=_JSON_HEADER, allow_redirects=False
            ) as response:
                return response.status, response.headers, await response.read()
        except (aiohttp.ClientError, OSError) as error:
            raise PassingFault(f"connection failed: {error or type(error).__name__}") from error


_JSON_HEADER = {"Content-Type": "application/json"}


def _headers(api_key: str | None) -> dict[str, str]:
    headers = {"Authorization": f"Bearer {api_key}"} if api_key else {}
    for name, variable in (("OpenAI-Organization", "OPENAI_ORG_ID"), ("OpenAI-Project", "OPENAI_PROJECT_ID")):
        if os.environ.get(variable):
            headers[name] = os.environ[variable]
    return headers


def _tls() -> ssl.SSLContext:
    """The user's own certificates where the environment names them, else Mozilla's."""
    own = os.environ.get("SSL_CERT_FILE") or os.environ.get("SSL_CERT_DIR")
    return ssl.create_default_context(cafile=None if own else certifi.where())


def _without(request: dict[str, Any], untaken: frozenset[str]) -> dict[str, Any]:
    """The request without these parameters; what only has a newer name is sent under that."""
    kept = {name: value for name, value in request.items() if name not in untaken}
    for old, new in RENAMED.items():
        if old in request and old in untaken and new not in untaken:
            kept.setdefault(new, request[old])
    return kept


def _parsed(body: bytes) -> Any:
    try:
        return orjson.loads(body)
    except ValueError:
        return None


def _text(body: bytes) -> str:
    return body[:500].decode("utf-8", "replace")
