"""When a failed call is tried again, how long after, and when it counts as an outage."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from typing import TypeVar

from core.gateway.provider import ProviderError

LONGEST_WAIT_S = 60.0
PATIENCE_S = 900.0
"""How long a call waits out a provider that only says "too many requests"."""

T = TypeVar("T")


class PassingFault(Exception):
    """A try that failed in a way the next one need not.

    Args:
        wait_s: what the server asked for; None when it said nothing.
        limited: a rate limit, which is no fault: it is waited out and uses up no try.
    """

    def __init__(self, message: str, *, wait_s: float | None = None, limited: bool = False) -> None:
        super().__init__(message)
        self.wait_s = wait_s
        self.limited = limited


@dataclass
class Retries:
    """Tries a call up to ``tries`` times, with waits that double from ``backoff_s`` and carry jitter.

    Attributes:
        patience_s: for rate limits, all waits of a call together.
    """

    tries: int
    backoff_s: float
    patience_s: float = PATIENCE_S
    jitter: random.Random = field(default_factory=random.Random)

    async def run(self, attempt: Callable[[int], Awaitable[T]]) -> T:
        """``await attempt(number of tries before)`` until it returns.

        Raises:
            ProviderError: its own, with the number of retries; or an outage, after the last try.
        """
        done = faults = 0
        waited = 0.0
        while True:
            try:
                return await attempt(done)
            except ProviderError as error:
                error.retries = done
                raise
            except PassingFault as fault:
                faults += not fault.limited
                if faults >= self.tries:
                    raise ProviderError.infra(
                        f"gave up after {faults} tries: {fault}", retries=done
                    ) from fault
                wait = self._wait(fault, done)
                waited += wait if fault.limited else 0.0
                if waited > self.patience_s:
                    message = f"gave up after {waited:.0f} s of rate limits: {fault}"
                    raise ProviderError.infra(message, retries=done) from fault
                await asyncio.sleep(wait)
                done += 1

    def _wait(self, fault: PassingFault, done: int) -> float:
        if fault.wait_s is not None:
            # Not all who were told the same time should come back in the same moment.
            return fault.wait_s + self.jitter.uniform(0, min(self.backoff_s, fault.wait_s / 4))
        return min(self.backoff_s * 2**done, LONGEST_WAIT_S) * self.jitter.uniform(0.5, 1.0)


def retry_after_s(headers: Mapping[str, str]) -> float | None:
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
    return min(max(seconds, 0.0), LONGEST_WAIT_S)
