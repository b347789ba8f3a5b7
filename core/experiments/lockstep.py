"""Keeps the arms of an experiment side by side while they go through the same episodes.

A model that gets slower or worse over the day must hit all arms alike, so no arm may run ahead of another: an
evaluation asks before each episode, and is let through when the slowest arm is near enough.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass
class _Lane:
    open: set[int] = field(default_factory=set)
    reached: int = 0

    @property
    def front(self) -> int:
        return min(self.open, default=self.reached)


class Lockstep:
    """Args:
    order: (task, repeat) in the order in which every arm goes through them.
    arms: labels of the arms. An arm that is not let go with ``leave`` when it has ended holds up the others.
    window: how many episodes an arm may be ahead of the slowest one.
    """

    def __init__(self, order: Sequence[tuple[str, int]], arms: Sequence[str], window: int) -> None:
        self._position = {episode: position for position, episode in enumerate(order)}
        self._lanes = {arm: _Lane() for arm in arms}
        self._window = window
        self._moved = asyncio.Condition()

    async def turn(self, scope: dict[str, Any], body: dict[str, Any]) -> None:
        """Serve one request of an evaluation: ``state`` ``start`` returns when the episode may start.

        An arm that has left is never held up, so that a request left over from it cannot hang.

        Raises:
            ValueError: the body names no episode of this experiment.
        """
        position = self._position.get((body.get("task"), body.get("repeat")))
        state = body.get("state")
        if position is None or state not in ("start", "end"):
            raise ValueError("a turn needs task, repeat and a state: start or end")
        lane = self._lanes.get(scope["design"])
        if lane is None:
            return
        async with self._moved:
            if state == "end":
                lane.open.discard(position)
                lane.reached = max(lane.reached, position + 1)
                self._moved.notify_all()
                return
            lane.open.add(position)
            self._moved.notify_all()
            # The arm that is furthest back is never held up: its own position is the front.
            await self._moved.wait_for(
                lambda: (
                    self._lanes.get(scope["design"]) is not lane or position < self._front() + self._window
                )
            )

    def _front(self) -> int:
        return min(lane.front for lane in self._lanes.values())

    async def leave(self, arm: str) -> None:
        """The arm has ended, for whatever reason: the others no longer wait for it."""
        async with self._moved:
            self._lanes.pop(arm, None)
            self._moved.notify_all()
