"""Codex as a provider: ``codex:<model>`` is that model behind the Codex app-server."""

from __future__ import annotations

import asyncio
import json

import orjson

from core.gateway.provider import Call, ProviderError, Reply, Tokens
from core.gateway.retrying import PassingFault, Retries
from evals.utils.codex_client import CodexAgent, CodexAnswer, CodexError

PREFIX = "codex:"
EMPTY_ANSWERS = 2  # thrown away before one is handed on
_QUOTA = frozenset({"usageLimitExceeded", "insufficientQuota"})


class CodexProvider:
    """Args:
    agent: the app-server.
    concurrency: turns at a time.
    retries: how often and when a call is tried again.
    """

    name = "codex"

    def __init__(self, agent: CodexAgent, *, concurrency: int, retries: Retries) -> None:
        self._agent = agent
        self._slots = asyncio.Semaphore(concurrency)
        self._retries = retries

    async def start(self) -> None:
        """Nothing yet: the server is started by the first call."""

    async def complete(self, call: Call) -> Reply:
        request = call.request
        model = str(request["model"]).removeprefix(PREFIX)
        wanted = (request.get("response_format") or {}).get("json_schema") or {}
        schema = wanted.get("schema") if wanted.get("strict") else None
        empty, spent = 0, Tokens()

        async def attempt(retries: int) -> Reply:
            nonlocal empty, spent
            try:
                async with self._slots:
                    call.costs = True
                    answer = await self._agent.ask(
                        request["messages"],
                        model,
                        effort=request.get("reasoning_effort"),
                        output_schema=schema,
                    )
            except CodexError as error:
                call.costs = spent != Tokens()
                raise fault_of(error) from error
            spent += Tokens(answer.prompt, answer.completion, answer.cached, answer.reasoning)
            if not answer.text.strip() and empty < EMPTY_ANSWERS:
                empty += 1
                raise PassingFault("the answer is empty")
            return Reply(_body(model, answer), spent, retries)

        return await self._retries.run(attempt)

    async def embed(self, call: Call) -> Reply:
        raise ProviderError(400, "Codex has no embeddings", kind="invalid_request_error")

    async def models(self) -> list[str]:
        return []

    async def close(self) -> None:
        await self._agent.close()


def _body(model: str, answer: CodexAnswer) -> bytes:
    usage = {
        "prompt_tokens": answer.prompt,
        "completion_tokens": answer.completion,
        "total_tokens": answer.prompt + answer.completion,
        "prompt_tokens_details": {"cached_tokens": answer.cached},
        "completion_tokens_details": {"reasoning_tokens": answer.reasoning},
    }
    choice = {"index": 0, "message": {"role": "assistant", "content": answer.text}, "finish_reason": "stop"}
    return orjson.dumps(
        {
            "id": "chatcmpl-codex",
            "object": "chat.completion",
            "created": 0,
            "model": PREFIX + model,
            "choices": [choice],
            "usage": usage,
        }
    )


def fault_of(error: CodexError) -> Exception:
    """A :class:`PassingFault` or the :class:`ProviderError` that a Codex failure stands for."""
    message, status = str(error), error.status
    # A 400 comes as "other" with the provider's own JSON as its message.
    try:
        said = json.loads(message)["error"]
        message, code = str(said["message"]), said.get("code")
        status = status or 400
    except (ValueError, TypeError, KeyError):
        code = None
    if error.info == "contextWindowExceeded":
        return ProviderError(400, message, code="context_length_exceeded", kind="invalid_request_error")
    if error.info == "modelNotFound":
        return ProviderError(404, message, code="model_not_found", kind="invalid_request_error")
    if error.info in _QUOTA:
        return ProviderError(429, message, code="insufficient_quota")
    if error.info == "unauthorized" or status in (401, 403) or "Missing environment variable" in message:
        return ProviderError(status or 401, message, code="invalid_api_key")
    if error.info == "unusable":
        return ProviderError.infra(message)
    if status == 429:
        return PassingFault(f"HTTP 429: {message}", limited=True)
    if status is not None and status < 500 and status != 408:
        return ProviderError(status, message, code=code, kind="invalid_request_error")
    return PassingFault(message)
