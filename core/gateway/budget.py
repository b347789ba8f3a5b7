"""The limit of what a run may spend: counted before a call is made, with what is under way included."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from core.gateway.provider import ProviderError, Tokens

TOKENS_PER_BYTE = 0.3
"""Of a request's JSON, before any answer of the model has been seen: a little more than English or code has."""
COMPLETION_TOKENS = 1000
"""Of an answer, before any has been seen."""

Prices = Callable[[Tokens], float | None]


@dataclass(frozen=True)
class Reserved:
    """What a call under way is expected to cost."""

    model: str
    size: int
    tokens: int
    usd: float


class Budget:
    """Admits calls as long as what was spent and what is under way stay within the limits.

    A call that fits only once others have come in cheaper than expected waits for them. When nothing is under way and
    the next call does not fit, the budget is used up, for all calls from then on: so at most the error of one
    estimate is spent too much.

    Args:
        max_usd, max_tokens: the limits over the whole life of the run; None for no limit.

    Attributes:
        exhausted: one line on which limit was reached; None while there is room.
    """

    def __init__(self, max_usd: float | None, max_tokens: int | None) -> None:
        self.max_usd = max_usd
        self.max_tokens = max_tokens
        self.exhausted: str | None = None
        self._usd, self._tokens = 0.0, 0
        self._reserved_usd, self._reserved_tokens, self._under_way = 0.0, 0, 0
        self._seen: dict[str, Counter[str]] = {}
        self._changed = asyncio.Condition()

    @property
    def spent(self) -> tuple[int, float]:
        """Tokens and USD so far, those of earlier sessions included; a model without a known price costs nothing."""
        return self._tokens, self._usd

    def count_earlier(self, model: str, calls: int, tokens: Tokens, usd: float) -> None:
        """Count what earlier sessions of the run spent on a model."""
        self._tokens += tokens.prompt + tokens.completion
        self._usd += usd
        self._learn(model, round(tokens.prompt / TOKENS_PER_BYTE), tokens, calls)

    async def reserve(self, model: str, request: dict[str, Any], size: int, price: Prices) -> Reserved:
        """Wait until the call fits.

        Args:
            size: bytes of the request.
            price: USD of given tokens; None when it is not known.

        Raises:
            ProviderError: it will not fit: code ``budget``. Or its cost cannot be counted: a bad request.
        """
        async with self._changed:
            call = self._estimate(model, request, size, price)
            while self.exhausted is None and not self._fits(call):
                if self._under_way:
                    await self._changed.wait()
                    call = self._estimate(model, request, size, price)  # more is known by now
                else:
                    self.exhausted = self._reached(call)
                    self._changed.notify_all()
            if self.exhausted is not None:
                raise ProviderError(402, self.exhausted, code="budget", kind="budget")
            self._reserved_usd += call.usd
            self._reserved_tokens += call.tokens
            self._under_way += 1
        return call

    async def settle(self, call: Reserved, tokens: Tokens, usd: float | None) -> None:
        """The call has ended and cost this much (nothing, when it failed)."""
        async with self._changed:
            self._under_way -= 1
            self._reserved_usd -= call.usd
            self._reserved_tokens -= call.tokens
            self._tokens += tokens.prompt + tokens.completion
            self._usd += usd or 0.0
            self._learn(call.model, call.size, tokens, 1)
            self._changed.notify_all()

    def _learn(self, model: str, size: int, tokens: Tokens, calls: int) -> None:
        if tokens.prompt:
            seen = self._seen.setdefault(model, Counter())
            seen.update(bytes=size, prompt=tokens.prompt, completion=tokens.completion, calls=calls)

    def _estimate(self, model: str, request: dict[str, Any], size: int, price: Prices) -> Reserved:
        seen = self._seen.get(model)
        prompt = size * (seen["prompt"] / seen["bytes"] if seen else TOKENS_PER_BYTE)
        # Twice the mean: answers differ in length more than requests of one length do.
        completion = 2 * seen["completion"] / seen["calls"] if seen else COMPLETION_TOKENS
        if "input" in request:  # embeddings
            completion = 0
        limit = request.get("max_completion_tokens") or request.get("max_tokens")
        if isinstance(limit, int):
            completion = min(completion, limit)
        tokens = Tokens(prompt=round(prompt), completion=round(completion))
        usd = price(tokens)
        if usd is None and self.max_usd is not None and self.max_tokens is None:
            message = f"the price of {model} is not known, so --max_cost_usd cannot count its calls"
            raise ProviderError(400, message, code="unknown_price", kind="invalid_request_error")
        return Reserved(model, size, tokens.prompt + tokens.completion, usd or 0.0)

    def _fits(self, call: Reserved) -> bool:
        usd = self._usd + self._reserved_usd + call.usd
        tokens = self._tokens + self._reserved_tokens + call.tokens
        # A limit of nothing still allows what costs nothing.
        return (self.max_usd is None or usd <= self.max_usd or call.usd == 0) and (
            self.max_tokens is None or tokens <= self.max_tokens
        )

    def _reached(self, call: Reserved) -> str:
        if self.max_tokens is not None and self._tokens + call.tokens > self.max_tokens:
            return (
                f"the budget of {self.max_tokens:,} tokens is used up: {self._tokens:,} are spent and the next call"
                f" needs about {call.tokens:,}"
            )
        return (
            f"the budget of {self.max_usd:g} USD is used up: {self._usd:.4f} are spent and the next call costs"
            f" about {call.usd:.4f}"
        )
