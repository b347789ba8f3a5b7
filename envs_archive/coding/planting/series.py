"""The order of tasks: by chance, or as a series in which experience can count."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from random import Random
from typing import Protocol, TypeVar


class HasModules(Protocol):
    modules: frozenset[str]


T = TypeVar("T", bound=HasModules)


def series(tasks: Sequence[T], length: int, rng: Random) -> list[T]:
    """``length`` tasks in an order in which later ones touch modules that were met before.

    The modules with the most tasks are taken; as long as some of them are new, every second task brings one.
    """
    count = Counter(module for task in tasks for module in sorted(task.modules))
    frequent = {module: rank for rank, (module, _) in enumerate(count.most_common())}
    waiting = list(tasks)
    rng.shuffle(waiting)
    waiting.sort(key=lambda task: min(frequent[module] for module in task.modules))
    chosen = waiting[:length]
    ordered: list[T] = []
    met: set[str] = set()
    while chosen:
        new = [task for task in chosen if not task.modules <= met]
        known = [task for task in chosen if task.modules <= met]
        # New modules early: one of them at every second place until all are met.
        task = new[0] if new and (not known or len(ordered) % 2 == 0) else rng.choice(known)
        chosen.remove(task)
        met |= task.modules
        ordered.append(task)
    return ordered


def met_before(tasks: Sequence[HasModules]) -> int:
    """How many tasks touch a module that an earlier one has touched."""
    met: set[str] = set()
    count = 0
    for task in tasks:
        count += bool(task.modules & met)
        met |= task.modules
    return count
