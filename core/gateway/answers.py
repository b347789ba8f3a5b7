"""Where a call gets its answer: from the ledger when it was made before, else from its provider, and once only."""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from core.gateway.budget import Budget
from core.gateway.ledger import OK, OUTAGE, CallKey, CallRecord, Entry, Ledger, scope_key, totals
from core.gateway.places import Places
from core.gateway.prices import cost_usd
from core.gateway.provider import Call, ProviderError, Reply, Tokens
from core.gateway.stored_request import request_hash

FREE = "offline"
"""The provider that costs nothing, whatever the model is called that it stands in for."""
_ABOUT_THE_CONTENT = frozenset(
    {"context_length_exceeded", "content_filter", "content_policy_violation", "invalid_prompt"}
)
"""Codes of refusals that the same request would meet again; others may be cured by now (a wrong key, say)."""
_FREE_BYTES = 16 << 20
"""Room on the disk without which no call is made: its answer could not be kept."""
_DRAIN_S = 120.0
_DRAIN_STEP_S = 0.2

Method = Callable[[Call], Awaitable[Reply]]


@dataclass(frozen=True)
class Asked:
    """A call as it arrives.

    Attributes:
        scope: who asks, as far as it is known.
        occurrence: how many equal requests of this scope its process made before it.
        model: its name without the effort.
    """

    scope: dict[str, Any]
    purpose: str
    occurrence: int
    model: str
    call: Call


class Answers:
    """Args:
    path: the ledger.
    budget: what may be spent.
    replay: answer from the ledger alone.

    Attributes:
        from_ledger: calls of this session that were answered from the ledger.
        failed: calls of this session that a provider did not answer.
        replayed: ids of the ledger's calls that a replay has asked for.
        unknown: in a replay, the first call that is not in the ledger: its key and its request.
        fault: what no later call of this run can cure either: a refused key, an empty account, an unknown model.
    """

    def __init__(self, path: Path, budget: Budget, replay: bool) -> None:
        self.budget = budget
        self.from_ledger = 0
        self.failed = 0
        self.replayed: set[int] = set()
        self.unknown: tuple[CallKey, dict[str, Any]] | None = None
        self.fault: str | None = None
        self._replay = replay
        self._path = path
        self._places = Places(path.parent)
        self._ledger = Ledger(path)
        self._calls: dict[CallKey, asyncio.Task[bytes]] = {}
        self._paid: dict[asyncio.Task[bytes], Call] = {}
        self._ending = False

    def open(self) -> None:
        """Open the ledger; what it holds counts against the budget.

        Raises:
            sqlite3.Error: it is damaged, of another version, or cannot be used.
        """
        self._ledger.open()
        for spent in totals(self._path, "model"):
            tokens = Tokens(spent.prompt_tokens, spent.completion_tokens)
            self.budget.count_earlier(spent.group[0], spent.calls, tokens, spent.usd)

    @property
    def spent(self) -> tuple[int, float]:
        """Tokens and USD of the run so far."""
        return self.budget.spent

    @property
    def stopped(self) -> str | None:
        """Why no further call will be answered, in one line; None while calls are served."""
        if self.unknown is not None:
            return "the replay has come to a call that is not in the ledger"
        return self.budget.exhausted or self.fault

    async def get(self, asked: Asked, provider: str, method: Method) -> bytes:
        """The response.

        Raises:
            ProviderError: there is none.
        """
        hashed = request_hash(asked.call.request, self._places)
        key = CallKey(scope_key(asked.scope, asked.purpose), hashed, asked.occurrence)
        running = self._calls.get(key)
        if running is None:
            running = self._calls[key] = asyncio.create_task(self._answer(key, asked, provider, method))
            running.add_done_callback(lambda task: self._ended(key, task))
        try:
            # A call is brought to its end, and entered, even when its caller goes away meanwhile.
            return await asyncio.shield(running)
        except asyncio.CancelledError:
            if self._ending and running.cancelled():
                raise ProviderError.infra("the run is ending") from None
            raise

    def _ended(self, key: CallKey, task: asyncio.Task[bytes]) -> None:
        del self._calls[key]
        self._paid.pop(task, None)
        if not task.cancelled():
            task.exception()  # looked at: its caller may have gone

    async def _answer(self, key: CallKey, asked: Asked, provider: str, method: Method) -> bytes:
        known = self._known(key)
        if known is not None:
            self.from_ledger += 1
            if known.status != OK:
                raise ProviderError.from_payload(known.status, known.response)
            return known.response
        if self._ending:
            raise ProviderError.infra("the run is ending")
        if self._replay:
            self.unknown = self.unknown or (key, asked.call.request)
            raise ProviderError.infra("this call is not in the ledger that is replayed")
        if shutil.disk_usage(self._path.parent).free < _FREE_BYTES:
            raise ProviderError.infra(
                f"the disk of {self._path.parent} is full: no model is called whose answer could not be kept"
            )

        def usd(tokens: Tokens) -> float | None:
            return cost_usd(FREE if provider == FREE else asked.model, tokens)

        reserved = await self.budget.reserve(asked.model, asked.call.request, len(asked.call.body), usd)
        if provider != FREE:
            self._paid[asyncio.current_task()] = asked.call
        reply, fault = Reply(b"", Tokens()), None
        started = time.monotonic()
        try:
            reply = await method(asked.call)
        except ProviderError as error:
            reply = Reply(orjson.dumps(error.payload()), Tokens(), error.retries)
            fault = error
            self.failed += 1
            if self.fault is None and _is_lasting(error, asked.purpose):
                self.fault = f"model {asked.model}: {error}"
        finally:
            await self.budget.settle(reserved, reply.tokens, usd(reply.tokens))
        record = CallRecord(
            key=key,
            scope=asked.scope,
            purpose=asked.purpose,
            model=asked.model,
            provider=provider,
            tokens=reply.tokens,
            usd=usd(reply.tokens) if fault is None else 0.0,
            latency_s=time.monotonic() - started,
            retries=reply.retries,
            status=OK if fault is None else f"error {fault.status}",
            request=asked.call.request,
            response=reply.body,
        )
        try:
            await self._ledger.record(record)
        except sqlite3.Error as error:
            raise ProviderError.infra(f"the ledger cannot be written: {error}") from error
        if fault is not None:
            raise fault
        return reply.body

    def _known(self, key: CallKey) -> Entry | None:
        """What the ledger has for a call; a fault only when asking again would bring the same."""
        try:
            known = self._ledger.find(key)
        except sqlite3.Error as error:
            raise ProviderError.infra(f"the ledger cannot be read: {error}") from error
        if known is None or known.status == OUTAGE:
            return None
        if self._replay:
            self.replayed.add(known.id)
        elif known.status != OK:
            code = orjson.loads(known.response)["error"].get("code")
            return known if code in _ABOUT_THE_CONTENT else None
        return known

    @property
    def paid_calls(self) -> int:
        """Calls that may cost money by now."""
        return sum(call.costs for call in self._paid.values())

    async def finish_paid_calls(self) -> None:
        """Wait until they have ended and are in the ledger, whoever still wants their answers. No other call is made
        from now on: what waits for a rate limit or its next try is given up."""
        self._ending = True
        until = time.monotonic() + _DRAIN_S
        while self._paid and time.monotonic() < until:
            for task, call in self._paid.items():
                if not call.costs:
                    task.cancel()
            await asyncio.wait(set(self._paid), timeout=_DRAIN_STEP_S)

    async def close(self) -> None:
        """Close the ledger; what is under way at a paid provider is waited for."""
        await self.finish_paid_calls()
        calls = set(self._calls.values())
        for call in calls:
            call.cancel()
        await asyncio.gather(*calls, return_exceptions=True)
        await self._ledger.close()


def _is_lasting(error: ProviderError, purpose: str) -> bool:
    """Whether every other call will fail as this one did. A design that names an unknown model fails alone."""
    unknown_model = error.code == "model_not_found" and purpose not in ("memory", "embed")
    return error.status in (401, 403) or error.code == "insufficient_quota" or unknown_model
