"""Whether what a rewrite was meant to improve did improve: its score beside its parent's, task by task."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Literal

from core.experiments.racing import flip_p
from core.experiments.statistics import exact

ERROR = 0.05
"""Two-sided chance of a verdict on a rewrite that is its parent's equal, for one rewrite: among many, some will have
one by luck."""


@dataclass(frozen=True)
class Compared:
    """How a design did against its parent on the tasks that both ran on, repeats averaged first.

    Attributes:
        difference: mean over those tasks, design minus parent.
        tasks: how many those are.
        p: two-sided, by flipping the signs of the differences. Where a race was stopped because the design is probably
            worse, that is not yet a verdict here.
    """

    verdict: Literal["better", "worse", "not decided"]
    difference: float
    tasks: int
    p: float

    def __str__(self) -> str:
        return f"{self.verdict}: {self.difference:+.4f} on {self.tasks} tasks, p {self.p:.3f}"


def compare(design: Mapping[str, Sequence[float]], parent: Mapping[str, Sequence[float]]) -> Compared | None:
    """Compare the runs of a design with those of its parent, by task; None when they share no task."""
    shared = sorted(design.keys() & parent.keys())
    if not shared:
        return None
    d = exact([fmean(design[task]) - fmean(parent[task]) for task in shared])
    below, above = flip_p(d, below=True), flip_p(d, below=False)
    p = min(1.0, 2 * min(below, above))
    verdict = "not decided" if p > ERROR else "better" if above < below else "worse"
    return Compared(verdict, round(float(d.mean()), 6), len(d), round(p, 6))
