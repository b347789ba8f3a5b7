"""The grouped comparison: one mean per repeat and arm, compared as two small independent samples.

It is how the first analysis of this benchmark was done, and is kept to be compared with the paired one. The groups
share tasks and memory, so they are no independent samples, and three means per arm see only huge effects.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from core.experiments.statistics import Welch, welch
from evals.contract import Episode

LABEL = "UNDERPOWERED"


def group_means(episodes: Sequence[Episode]) -> list[float]:
    """Mean reward of each repeat over all tasks, in the order of repeats."""
    repeats = sorted({e.repeat for e in episodes})
    return [float(np.mean([e.reward for e in episodes if e.repeat == repeat])) for repeat in repeats]


def compare(treatment: Sequence[Episode], control: Sequence[Episode]) -> Welch:
    """Welch's t-test of the group means of two arms with at least two repeats each."""
    return welch(group_means(treatment), group_means(control))


def sentence(arm: str, control: str, found: Welch, groups: int) -> str:
    """The result in words, with its label."""
    if not found.se > 0:
        return f"{LABEL}: {arm} and {control} do not vary between groups: there is nothing to test."
    low, high = found.interval
    return (
        f"{LABEL}: {arm} against {control}, {groups} group means each: {found.delta:+.3f} reward, Welch t "
        f"{found.t:.2f} with {found.df:.2f} df (it takes {found.critical_t:.2f}), p {found.p:.3f}, 95 % {low:+.3f} to "
        f"{high:+.3f}. The groups are the same tasks with the same memory and no independent samples: conclude "
        "nothing from this p; leave --grouped out for the comparison by task."
    )
