"""What an experiment's arms show against its control: tests by task, adjusted for the number of arms."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from core.experiments.h1 import Outcome
from core.experiments.power import Layers, detectable, variance_layers
from core.experiments.statistics import Paired, TTest, holm, max_t_p, paired, t_test

Value = Literal["resolved", "reward"]
VALUES: tuple[Value, ...] = ("resolved", "reward")


@dataclass(frozen=True)
class Measure:
    """One outcome of one contrast.

    Attributes:
        layers: where its variance comes from.
        by_build: the mean difference of each build.
        over_builds: t-test for new tasks and new builds of the memory; None with a single build.
        p_holm, p_max_t: sign-flip p adjusted for all arms against the control; None outside that family.
    """

    paired: Paired
    layers: Layers
    by_build: list[float]
    over_builds: TTest | None
    p_holm: float | None = None
    p_max_t: float | None = None

    @property
    def p_shown(self) -> float:
        """What a claim has to pass: the largest of sign flip (adjusted), t, and t over several builds."""
        p = [self.paired.p_shown]
        p += [] if self.p_holm is None else [self.p_holm]
        if self.over_builds is not None and not math.isnan(self.over_builds.p):
            p.append(self.over_builds.p)
        return max(p)

    @property
    def range_shown(self) -> tuple[float, float]:
        """The 95 % interval that a claim goes by: of the tasks and, where there are several builds, of new builds too.

        The wider end of both on either side. It is not adjusted for the number of arms.
        """
        ranges = [self.paired.range]
        if self.over_builds is not None and not math.isnan(self.over_builds.interval[0]):
            ranges.append(self.over_builds.interval)
        lows, highs = zip(*ranges, strict=True)
        return min(lows), max(highs)

    @property
    def mde_shown(self) -> float:
        """The smallest true difference that a claim would have been possible for with 80 % power, multiplicity aside;
        nan where nothing varied."""
        over = math.nan if self.over_builds is None else detectable(self.over_builds.se, self.over_builds.df)
        return max((x for x in (self.paired.mde, over) if not math.isnan(x)), default=math.nan)

    def summary(self) -> dict[str, Any]:
        """For ``summary.json``."""
        flat = dataclasses.asdict(self)
        return {**flat.pop("paired"), **flat}


@dataclass(frozen=True)
class Contrast:
    """One arm against another, by task."""

    arm: str
    against: str
    resolved: Measure
    reward: Measure


def contrasts(
    outcomes: Sequence[Outcome], primary: str, projects: dict[str, str], seed: int
) -> list[Contrast]:
    """All arms against the first one, the control; then the primary arm against the others.

    The primary contrast was named before the data, so its p is not adjusted. Those of the other arms against the
    control are, for the number of all arms (Holm, and max-T).

    Args:
        outcomes: of arms that ended well, control first.
        primary: label of the primary arm, which may be missing for having failed.
        projects: project of each task.
        seed: of the permutations.
    """
    control, *arms = outcomes
    tasks = sorted({e.task for e in control.episodes})

    def pair(arm: Outcome, against: Outcome) -> Contrast:
        return Contrast(
            arm.arm,
            against.arm,
            **{value: measure(differences(arm, against, value), tasks, projects, seed) for value in VALUES},
        )

    found = [pair(arm, control) for arm in arms]
    if len(arms) > 1:
        for value in VALUES:
            found = _adjusted(found, arms, control, value, primary, seed)
    return found + [
        pair(own, other) for own in arms if own.arm == primary for other in arms if other is not own
    ]


def measure(d: np.ndarray, tasks: Sequence[str], clusters: dict[str, str], seed: int) -> Measure:
    """What differences show.

    Args:
        d: treatment - control, shape (tasks, builds, repeats).
        tasks: ids, in the order of the first axis.
        clusters: project of each task, or what else tasks have in common.
        seed: of the permutations.
    """
    layers = variance_layers(d)
    by_build = [float(x) for x in d.mean(axis=(0, 2))]
    over = t_test(float(d.mean()), layers.se, layers.df) if d.shape[1] > 1 else None
    means = dict(zip(tasks, d.mean(axis=(1, 2)), strict=True))
    found = paired(means, dict.fromkeys(tasks, 0.0), clusters, np.random.default_rng(seed))
    return Measure(found, layers, by_build, over)


def _adjusted(
    family: list[Contrast], arms: Sequence[Outcome], control: Outcome, value: Value, primary: str, seed: int
) -> list[Contrast]:
    """The contrasts with p adjusted for the number of arms, the primary one's left alone."""
    by_task = np.column_stack([differences(arm, control, value).mean(axis=(1, 2)) for arm in arms])
    max_t = max_t_p(by_task, np.random.default_rng(seed))
    by_holm = holm([getattr(c, value).paired.p_permutation for c in family])
    return [
        c
        if c.arm == primary
        else dataclasses.replace(
            c, **{value: dataclasses.replace(getattr(c, value), p_holm=p_holm, p_max_t=p_max_t)}
        )
        for c, p_holm, p_max_t in zip(family, by_holm, max_t, strict=True)
    ]


def differences(arm: Outcome, control: Outcome, value: Value) -> np.ndarray:
    """arm - control, shape (tasks, builds, repeats), tasks in the order of their ids."""
    return _grid(arm, value) - _grid(control, value)


def _grid(outcome: Outcome, value: Value) -> np.ndarray:
    tasks = sorted({e.task for e in outcome.episodes})
    repeats = max(e.repeat for e in outcome.episodes)
    grid = np.full((len(tasks), len(outcome.builds), repeats), np.nan)
    for build, episodes in enumerate(outcome.builds):
        for e in episodes:
            grid[tasks.index(e.task), build, e.repeat - 1] = float(getattr(e, value))
    return grid
