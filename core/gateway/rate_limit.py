"""Keeps calls within requests and tokens per minute: those the user allows, and those the provider tells of.

All processes of a run call through one gateway, so one limit per model, kept here, is shared by all of them.
"""

from __future__ import annotations

import asyncio
import math
import re
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass

WINDOW_S = 60.0
_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


@dataclass
class _Taken:
    at: float
    amount: float


class _Window:
    """At most ``limit`` within any minute; the promise made to the user."""

    def __init__(self, limit: float) -> None:
        self._limit = limit
        self._taken: deque[_Taken] = deque()
        self._sum = 0.0

    def wait_s(self, amount: float, now: float) -> float:
        """Until ``amount`` fits; one above the limit waits until it is alone."""
        while self._taken and self._taken[0].at <= now - WINDOW_S:
            self._sum -= self._taken.popleft().amount
        excess, until = self._sum + amount - self._limit, now
        for taken in self._taken:
            if excess <= 0:
                break
            excess -= taken.amount
            until = taken.at + WINDOW_S
        return until - now

    def take(self, amount: float, now: float) -> _Taken:
        taken = _Taken(now, amount)
        if self._limit < math.inf:  # without a limit nothing need be remembered
            self._taken.append(taken)
            self._sum += amount
        return taken

    def correct(self, taken: _Taken, amount: float) -> None:
        """An estimate turned out to be another amount."""
        if self._taken and taken.at >= self._taken[0].at:
            self._sum += amount - taken.amount
            taken.amount = amount


class _Told:
    """A provider's own bucket, followed by its ``x-ratelimit-*`` headers: so much is left, full again after that long.

    The two give the rate at which it fills, whatever the period of the limit is (OpenAI counts requests by the
    minute, Groq by the day).
    """

    def __init__(self) -> None:
        self._size = self._left = float("inf")
        self._per_s = 0.0
        self._at = 0.0

    def hear(self, limit: float, left: float, reset_s: float, now: float) -> None:
        self._refill(now)
        self._size, self._left, self._at = limit, min(self._left, left), now
        if limit > left and reset_s > 0:
            self._per_s = (limit - left) / reset_s

    def wait_s(self, amount: float, now: float) -> float:
        self._refill(now)
        lacking = min(amount, self._size) - self._left
        return lacking / self._per_s if lacking > 0 and self._per_s > 0 else 0.0

    def take(self, amount: float) -> None:
        self._left -= amount

    def _refill(self, now: float) -> None:
        self._left = min(self._size, self._left + (now - self._at) * self._per_s)
        self._at = now


class RateLimit:
    """The limits of one model.

    Args:
        rpm, tpm: requests and tokens per minute that the user allows; None for no such limit.
    """

    def __init__(self, rpm: int | None, tpm: int | None, clock: Callable[[], float] = time.monotonic) -> None:
        self._requests = _Window(rpm or math.inf)
        self._tokens = _Window(tpm or math.inf)
        self._told_requests, self._told_tokens = _Told(), _Told()
        self._paused_until = 0.0
        self._turn = asyncio.Lock()  # first come, first served
        self._clock = clock

    async def admit(self, tokens: int) -> _Taken:
        """Return when a call of about so many tokens may be sent; its number is to be settled afterwards."""
        async with self._turn:
            while (wait := self.wait_s(tokens)) > 0:  # noqa: ASYNC110 - what ends the wait is time
                await asyncio.sleep(wait)
            return self.take(tokens)

    def take(self, tokens: int) -> _Taken:
        """Count a call that is sent now."""
        now = self._clock()
        self._requests.take(1, now)
        self._told_requests.take(1)
        self._told_tokens.take(tokens)
        return self._tokens.take(tokens, now)

    async def unpaused(self) -> None:
        """Return when no pause is in force; it may have begun after a call was admitted."""
        while (wait := self._paused_until - self._clock()) > 0:  # noqa: ASYNC110 - what ends the wait is time
            await asyncio.sleep(wait)

    def wait_s(self, tokens: int) -> float:
        """Seconds until a call of so many tokens may be sent."""
        now = self._clock()
        return max(
            self._paused_until - now,
            self._requests.wait_s(1, now),
            self._tokens.wait_s(tokens, now),
            self._told_requests.wait_s(1, now),
            self._told_tokens.wait_s(tokens, now),
        )

    def settle(self, taken: _Taken, tokens: int) -> None:
        """What an admitted call really was."""
        self._tokens.correct(taken, tokens)

    def pause(self, seconds: float) -> None:
        """Nobody sends anything for so long: the provider has said so."""
        self._paused_until = max(self._paused_until, self._clock() + seconds)

    def hear(self, headers: Mapping[str, str]) -> None:
        """Follow the limits in a response's headers, where it has them."""
        for told, name in ((self._told_requests, "requests"), (self._told_tokens, "tokens")):
            try:
                limit = float(headers[f"x-ratelimit-limit-{name}"])
                left = float(headers[f"x-ratelimit-remaining-{name}"])
                reset_s = duration_s(headers[f"x-ratelimit-reset-{name}"])
            except (KeyError, ValueError):
                continue
            told.hear(limit, left, reset_s, self._clock())


def duration_s(text: str) -> float:
    """``6m0s``, ``1.5s``, ``20ms`` or plain seconds.

    Raises:
        ValueError: anything else.
    """
    parts = _DURATION.findall(text)
    if parts and "".join(number + unit for number, unit in parts) == text:
        return sum(float(number) * _SECONDS[unit] for number, unit in parts)
    return float(text)
