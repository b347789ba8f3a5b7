"""OpenAI, or any server that speaks its REST shape, as a provider. Retrying is done here and nowhere else."""

from __future__ import annotations

import asyncio
import random
import re
import time
from email.utils import parsedate_to_datetime
from typing import Any

import httpx2
import openai
import orjson

from core.gateway.provider import Call, ProviderError, Reply, Tokens

_RETRIED = frozenset({408, 409, 429})
_LONGEST_WAIT_S = 60.0
_CONTEXT = re.compile(
    r"maximum context length|context_length_exceeded|exceed_context_size|exceeds? .{0,40}context"
    r"|prompt is too long",
    re.IGNORECASE,
)


class OpenAIProvider:
    """Args:
    api_key: None for a server that wants none.
    base_url: None for the OpenAI API.
    concurrency: calls in flight at once, over all processes of the run.
    tries: how often a call is tried before it counts as an outage.
    timeout_s: for one try, from sending to the last byte.
    backoff_s: the first wait; it doubles with every try, with jitter, unless the server says Retry-After.
    """

    name = "openai"

    def __init__(
        self,
        api_key: str | None,
        base_url: str | None,
        *,
        concurrency: int,
        tries: int,
        timeout_s: float,
        backoff_s: float,
    ) -> None:
        self._key = api_key or "none"
        self._base_url = base_url
        self._slots = asyncio.Semaphore(concurrency)
        self._concurrency = concurrency
        self._tries = tries
        self._timeout_s = timeout_s
        self._backoff_s = backoff_s
        self._jitter = random.Random()
        self._client: openai.AsyncOpenAI | None = None

    async def start(self) -> None:
        limits = httpx2.Limits(max_connections=None, max_keepalive_connections=self._concurrency)
        self._client = openai.AsyncOpenAI(
            api_key=self._key,
            base_url=self._base_url,
            max_retries=0,
            timeout=httpx2.Timeout(None, connect=10.0),
            http_client=openai.DefaultAsyncHttpxClient(limits=limits),
        )

    async def complete(self, call: Call) -> Reply:
        return await self._post("/chat/completions", "choices", call.body)

    async def embed(self, call: Call) -> Reply:
        return await self._post("/embeddings", "data", call.body)

    async def models(self) -> list[str]:
        try:
            page = await self._open_client().models.list(timeout=self._timeout_s)
        except openai.OpenAIError as error:
            raise ProviderError.infra(f"the model list is not to be had: {error}") from error
        return [model.id for model in page.data]

    async def close(self) -> None:
        if self._client is not None:
            client, self._client = self._client, None
            await client.close()

    def _open_client(self) -> openai.AsyncOpenAI:
        if self._client is None:
            raise ProviderError.infra("the gateway is not running")
        return self._client

    async def _post(self, path: str, wanted: str, body: bytes) -> Reply:
        fault, wait = "no try was made", 0.0
        for retries in range(self._tries):
            await asyncio.sleep(wait)
            wait = self._backoff(retries)
            try:
                return await self._try(path, wanted, body, retries)
            except openai.APIStatusError as error:
                fault = f"HTTP {error.status_code}: {_message(error)}"
                if not _worth_retrying(error):
                    raise _final(error, retries) from error
                wait = retry_after_s(error.response.headers) or wait
            except TimeoutError:
                fault = f"no answer within {self._timeout_s:g} s"
            except openai.APIConnectionError as error:
                fault = f"connection failed: {error.__cause__ or error}"
            except _BadAnswer as error:
                fault = str(error)
        raise ProviderError.infra(f"gave up after {self._tries} tries: {fault}", retries=self._tries - 1)

    async def _try(self, path: str, wanted: str, body: bytes, retries: int) -> Reply:
        client = self._open_client()
        # The generic post(), not the typed method: that walks the conversation in Python, 0.15 ms a message.
        async with self._slots, asyncio.timeout(self._timeout_s):
            response = await client.post(
                path, cast_to=httpx2.Response, content=body, options={"headers": _JSON_HEADER}
            )
        try:
            answer = orjson.loads(response.content)
        except ValueError as error:
            raise _BadAnswer("the answer is not JSON") from error
        if not isinstance(answer, dict) or not answer.get(wanted):
            raise _BadAnswer(f"the answer has no {wanted}: {response.text[:200]}")
        return Reply(response.content, _tokens(answer.get("usage") or {}), retries)

    def _backoff(self, retries: int) -> float:
        return min(self._backoff_s * 2**retries, _LONGEST_WAIT_S) * self._jitter.uniform(0.5, 1.0)


_JSON_HEADER = {"Content-Type": "application/json"}


class _BadAnswer(Exception):
    """HTTP 200 with something that is no answer: a proxy's page or an error in disguise."""


def _tokens(usage: dict[str, Any]) -> Tokens:
    prompt_details = usage.get("prompt_tokens_details") or {}
    completion_details = usage.get("completion_tokens_details") or {}
    return Tokens(
        prompt=usage.get("prompt_tokens") or 0,
        completion=usage.get("completion_tokens") or 0,
        cached=prompt_details.get("cached_tokens") or 0,
        reasoning=completion_details.get("reasoning_tokens") or 0,
    )


def _worth_retrying(error: openai.APIStatusError) -> bool:
    if error.code == "insufficient_quota":  # a 429 that waiting does not cure
        return False
    return error.status_code in _RETRIED or error.status_code >= 500


def _message(error: openai.APIStatusError) -> str:
    body = error.body if isinstance(error.body, dict) else {}
    return str(body.get("message") or error.message)


def _final(error: openai.APIStatusError, retries: int) -> ProviderError:
    """The provider's own words, and one code for 'too long' over the servers' several ways to say it."""
    message, code = _message(error), error.code
    if error.status_code in (400, 413) and _CONTEXT.search(f"{code} {error.type} {message}"):
        code = "context_length_exceeded"
    return ProviderError(
        error.status_code,
        message,
        code=None if code is None else str(code),
        kind=error.type or "api_error",
        param=error.param,
        retries=retries,
    )


def retry_after_s(headers: Any) -> float | None:
    """Seconds to wait as the server asked, at most a minute; None when it did not say so readably."""
    try:
        if "retry-after-ms" in headers:
            seconds = float(headers["retry-after-ms"]) / 1000
        else:
            text = headers.get("retry-after", "")
            seconds = (
                float(text)
                if text.replace(".", "", 1).isdigit()
                else parsedate_to_datetime(text).timestamp() - time.time()
            )
    except (ValueError, TypeError):
        return None
    return min(max(seconds, 0.0), _LONGEST_WAIT_S)
