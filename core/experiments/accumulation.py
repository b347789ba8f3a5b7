"""What an H2 experiment shows: the level of the gain, its rise along the stream, what is lost, what misleads."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from core.experiments.contrasts import Measure, measure
from core.experiments.statistics import Paired, TTest, holm, paired, paired_t
from core.experiments.stream import Step, Value, arms_of, by_position, by_task
from core.experiments.trend import Trend, trend

GROUPS: dict[str, Callable[[Step], bool]] = {
    "first of its kind": lambda s: not s.contradicted and not s.relatives,
    "a relative was met before": lambda s: not s.contradicted and s.relatives > 0,
    "contradicts what was met": lambda s: s.contradicted > 0,
}


@dataclass(frozen=True)
class Group:
    """Runs of one kind against the control's runs of the same tasks.

    Attributes:
        runs, gained, lost: runs of the stream; resolved with memory only; without it only.
        by_task: differences in resolved, averaged by task; None below two tasks.
    """

    name: str
    runs: int
    gained: int
    lost: int
    by_task: Paired | None


@dataclass(frozen=True)
class Again:
    """The first tasks of the orders, asked once more with the memory of all others.

    Attributes:
        runs: tasks asked again, over all orders.
        kept, lost, won: resolved both times; only the first time (forgotten); only with the whole memory.
        transfer: backward transfer in resolved, mean over orders (Lopez-Paz & Ranzato 2017, R_end - R_then), tested
            over orders; None for one order.
    """

    runs: int
    kept: int
    lost: int
    won: int
    transfer: TTest | None


@dataclass(frozen=True)
class Accumulation:
    """One arm against the control.

    Attributes:
        level: mean difference by task; its builds are the orders, its clusters the families.
        rise: rise of the difference along the stream.
        gain: differences summed over a stream, mean over orders: tasks resolved more (resolved) or rewards.
    """

    arm: str
    control: str
    level: dict[Value, Measure]
    rise: dict[Value, Trend]
    gain: dict[Value, float]
    groups: list[Group]
    again: Again | None


def accumulations(steps: Sequence[Step], seed: int) -> list[Accumulation]:
    """All arms against the first one, the control. The p of arms behind the second, the primary one, are adjusted
    for the number of all of them (Holm).

    Args:
        steps: of arms that went through all orders.
        seed: of the permutations.
    """
    control, *arms = arms_of(steps)
    found = [_accumulation(steps, arm, control, seed) for arm in arms]
    for value in ("resolved", "reward"):
        by_level = holm([a.level[value].paired.p_permutation for a in found])
        by_rise = holm([a.rise[value].p_both for a in found])
        for a, p_level, p_rise in list(zip(found, by_level, by_rise, strict=True))[1:]:
            a.level[value] = dataclasses.replace(a.level[value], p_holm=p_level)
            a.rise[value] = dataclasses.replace(a.rise[value], p_holm=p_rise)
    return found


def _accumulation(steps: Sequence[Step], arm: str, control: str, seed: int) -> Accumulation:
    tasks = sorted({s.task for s in steps})
    families = {s.task: s.family or s.task for s in steps}
    level, rise, gain = {}, {}, {}
    for value in ("resolved", "reward"):
        along = by_position(steps, arm, value) - by_position(steps, control, value)
        rise[value] = trend(along, np.random.default_rng(seed))
        gain[value] = float(along.sum(axis=1).mean())
        level[value] = measure(
            by_task(steps, arm, value) - by_task(steps, control, value), tasks, families, seed
        )
    beside = {(s.order, s.repeat, s.task): s for s in steps if s.arm == control}
    pairs = [(s, beside[s.order, s.repeat, s.task]) for s in steps if s.arm == arm and s.part == "stream"]
    groups = [_group(name, [p for p in pairs if kind(p[0])], seed) for name, kind in GROUPS.items()]
    return Accumulation(arm, control, level, rise, gain, groups, _again(steps, arm))


def _group(name: str, pairs: Sequence[tuple[Step, Step]], seed: int) -> Group:
    differences: dict[str, list[int]] = {}
    for own, base in pairs:
        differences.setdefault(own.task, []).append(own.resolved - base.resolved)
    means = {task: sum(d) / len(d) for task, d in differences.items()}
    families = {own.task: own.family or own.task for own, _ in pairs}
    found = None
    if len(means) > 1:
        found = paired(means, dict.fromkeys(means, 0.0), families, np.random.default_rng(seed))
    every = [d for group in differences.values() for d in group]
    return Group(name, len(every), every.count(1), every.count(-1), found)


def _again(steps: Sequence[Step], arm: str) -> Again | None:
    own = [s for s in steps if s.arm == arm]
    then = {(s.order, s.task): s.resolved for s in own if s.part == "stream" and s.repeat == 1}
    asked = [(s.order, then[s.order, s.task], s.resolved) for s in own if s.part == "again"]
    if not asked:
        return None
    orders = sorted({order for order, *_ in asked})
    changes = [np.mean([now - before for o, before, now in asked if o == order]) for order in orders]
    outcomes = [(before, now) for _, before, now in asked]
    return Again(
        len(asked),
        outcomes.count((True, True)),
        outcomes.count((True, False)),
        outcomes.count((False, True)),
        paired_t(changes) if len(changes) > 1 else None,
    )
