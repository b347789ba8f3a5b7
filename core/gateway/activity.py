"""What the gateway sees of each evaluation: whether it is at work, and whether the outside failed it."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from core.gateway.provider import ProviderError

MOST_IN_FLIGHT = 256
"""Requests of one evaluation at a time; far above its agents, few enough that a flood cannot fill our memory."""
CALLERS_FAULT = frozenset({400, 404, 413, 422})

Handler = Callable[[dict[str, Any], dict[bytes, bytes], bytes], Awaitable[bytes]]


@dataclass
class Activity:
    """Of one evaluation. ``last`` is a monotonic time; ``outages`` counts answers that no request is to blame for."""

    in_flight: int = 0
    outages: int = 0
    last: float = field(default_factory=time.monotonic)


class Activities:
    """Counts requests by the evaluation their token was given to, whatever the caller says of itself."""

    def __init__(self) -> None:
        self._known: dict[str, Activity] = {}

    def of(self, evaluation: str) -> Activity:
        """The activity of one evaluation, of all its tries."""
        return self._known.setdefault(evaluation, Activity())

    def watched(self, handler: Handler) -> Handler:
        """The handler with its requests counted.

        Raises:
            ProviderError: (of the new handler) 429, when the caller has too many requests in flight.
        """

        async def counted(granted: dict[str, Any], headers: dict[bytes, bytes], body: bytes) -> bytes:
            activity = self.of(str(granted.get("evaluation")))
            if activity.in_flight >= MOST_IN_FLIGHT:
                raise ProviderError(429, f"more than {MOST_IN_FLIGHT} requests at a time", code="flood")
            activity.in_flight += 1
            try:
                return await handler(granted, headers, body)
            except ProviderError as error:
                activity.outages += error.status not in CALLERS_FAULT
                raise
            finally:
                activity.in_flight -= 1
                activity.last = time.monotonic()

        return counted
