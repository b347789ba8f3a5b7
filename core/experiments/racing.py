"""Racing: how many tasks does it take to see that a rewrite is worse, or better, than its parent?

The rewrite runs on a few tasks that its parent has run on, and on more only while it is not decided. At each look the
differences by task are tested by flipping their signs (one-sided, exact up to ``EXACT`` tasks that differ): two designs
that do not differ are exchangeable, and then all flips are equally likely, whatever the scores look like. The error is
spent over the looks in proportion to their tasks, at most half at one (Lan & DeMets 1983, by the union bound), so that
it holds for all of them together; the last look, at all tasks, spends nothing, since there is nothing left to save.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from core.experiments.statistics import exact

REJECT_ERROR = 0.5
"""Chance, at most, that a rewrite as good as its parent is stopped early: what is worse is stopped sooner for it, which
leaves more proposals for the same money. A parent that was chosen because it scored best is flattered by its own runs,
and more of its equals are stopped, and of its betters (tests/bench/racing.py counts both). On drawn landscapes
races save a sixth of the episodes (tests/bench/search_landscape.py)."""
ACCEPT_ERROR = 0.05
"""Chance, at most, that one no better than its parent is called better before all tasks are run."""
FEWEST = 5
"""Tasks of the first look: with fewer, five flips and all, no outcome could be told from chance."""
EXACT = 14


@dataclass(frozen=True)
class Decision:
    """What to do after ``n`` tasks, and why, in a sentence. At all tasks it tells which is ahead."""

    verdict: Literal["continue", "reject", "accept"]
    reason: str
    n: int
    mean: float


def looks(tasks: int) -> list[int]:
    """After how many tasks to decide: at thirds, but not before ``FEWEST``; the last one is all of them."""
    third = max(FEWEST, math.ceil(tasks / 3))
    return [n for n in (third, 2 * third) if n < tasks] + [tasks]


def decide(differences: Sequence[float], planned: Sequence[int]) -> Decision:
    """Whether a race goes on.

    Args:
        differences: rewrite minus parent, one for each task so far (means over repeats).
        planned: the numbers of tasks at which it is decided; as many differences as one of them.

    Raises:
        ValueError: it is not the time to decide.
    """
    n = len(differences)
    if n not in planned:
        raise ValueError(
            f"a decision after {n} tasks was not planned (planned: {', '.join(map(str, planned))})"
        )
    d = exact(differences)
    mean = float(d.mean())
    seen = f"{mean:+.3f} against its parent on {n} of {planned[-1]} tasks ({(d > 0).sum()} up, {(d < 0).sum()} down)"
    if n == planned[-1]:
        return Decision("accept" if mean > 0 else "reject", f"all tasks were needed: {seen}", n, mean)
    at = planned.index(n)
    # A single look does not spend it all: one task that fell would stop a race over few tasks.
    share = min(0.5, (n - (planned[at - 1] if at else 0)) / planned[-2])
    worse, better = flip_p(d, below=True), flip_p(d, below=False)
    if worse <= REJECT_ERROR * share:
        return Decision("reject", f"probably worse, p {worse:.3f}: {seen}", n, mean)
    if better <= ACCEPT_ERROR * share:
        return Decision("accept", f"better, p {better:.3f}: {seen}", n, mean)
    return Decision("continue", f"cannot be told, p {min(worse, better):.3f}: {seen}", n, mean)


def flip_p(differences: Sequence[float], below: bool) -> float:
    """One-sided p of a sum as low (``below``) or as high as this one under random signs.

    Exact up to ``EXACT`` differences that are not 0; beyond, the normal approximation of the self-normalised sum.
    """
    d = np.asarray([x for x in differences if x != 0], float) * (-1 if below else 1)
    if len(d) == 0:
        return 1.0
    if len(d) > EXACT:
        return 0.5 * math.erfc(float(d.sum()) / math.sqrt(2 * float((d**2).sum())))
    signs = 1.0 - 2.0 * ((np.arange(2 ** len(d))[:, None] >> np.arange(len(d))) & 1)
    return float((signs @ np.abs(d) >= d.sum() - 1e-9).mean())
