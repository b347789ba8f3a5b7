"""Which designs are worth having: none other gives at least as much for at most as much.

``--objective tokens`` and ``cost`` choose by this. What a gain in reward is worth in tokens or USD only the user knows,
and a weighted sum would ask for that rate before anything is known. So designs are ranked by fronts: on the first is
every design that none beats in both, on the second those that only the first beats, and so on (non-dominated sorting,
Srinivas & Deb 1994). The search then pushes along the whole front, and the user picks from it. Where one design has to
be named, it is the cheapest of those that cannot be told from the one with the highest reward: within one standard
deviation of the belief in that (the one-standard-error rule, Breiman et al. 1984).
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Literal

from core.design_file import NO_MEMORY
from core.posterior import Belief, beliefs

if TYPE_CHECKING:
    from core.records import Record

Objective = Literal["reward", "resolved", "tokens", "cost"]
OUTCOME: dict[Objective, str] = {
    "reward": "reward",
    "resolved": "resolved",
    "tokens": "reward",
    "cost": "reward",
}
"""What the gain of each objective is measured by."""
Points = Mapping[str, tuple[float, float]]
"""Gain and cost of designs by name."""


def front(points: Points) -> set[str]:
    """Names of the points (gain, cost) that no other one dominates; of equal ones all."""

    def dominated(gain: float, cost: float) -> bool:
        return any(g >= gain and c <= cost and (g, c) != (gain, cost) for g, c in points.values())

    return {name for name, point in points.items() if not dominated(*point)}


def fronts(points: Points) -> dict[str, int]:
    """The number of each point's front: 0 for those that none dominates, 1 for those that only these do, ..."""
    found: dict[str, int] = {}
    left, number = dict(points), 0
    while left:
        for name in front(left):
            found[name] = number
            del left[name]
        number += 1
    return found


def design_beliefs(records: Iterable[Record], objective: Objective = "reward") -> dict[str, Belief]:
    """What is believed of the designs whose runs are known."""
    scored = [r for r in records if r.runs]
    return beliefs({r.sha: r.blocks(OUTCOME[objective]) for r in scored}, {r.sha: r.parents for r in scored})


def design_points(
    records: Sequence[Record], objective: Objective = "reward"
) -> dict[str, tuple[float, float]]:
    """What is believed of each scored design, and its price: the mean size of its memory text in the prompt in tokens,
    or with ``cost`` USD of all its model calls for one run.

    Designs of which one of them is not known are left out.
    """
    believed = design_beliefs(records, objective)
    scored = [r for r in records if r.sha in believed and r.status == "ok" and r.reward is not None]
    prices = {r.sha: r.usd if objective == "cost" else r.memory_tokens for r in scored}
    return {r.sha: (believed[r.sha].mean, prices[r.sha]) for r in scored if prices[r.sha] is not None}


def design_worth(records: Sequence[Record], objective: Objective) -> dict[str, float]:
    """What a search is to raise of each scored design: its gain, or with a price 0 on the first front and 1 less on
    each further one."""
    return {sha: worth for sha, (worth, _) in worth_and_sd(records, objective).items()}


def worth_and_sd(records: Sequence[Record], objective: Objective) -> dict[str, tuple[float, float]]:
    """The same, with the standard deviation of what is believed of a gain; 0 where none is."""
    scored = [r for r in records if r.status == "ok" and r.reward is not None]
    if objective in ("reward", "resolved"):
        believed = design_beliefs(records, objective)
        known = {sha: (b.mean, b.sd) for sha, b in believed.items()}
        return {r.sha: known.get(r.sha, (getattr(r, objective), 0.0)) for r in scored}
    points = design_points(records, objective)
    if objective == "tokens" and NO_MEMORY in points:
        # A memory that hands out nothing is no better than none, though neither has tokens.
        points[NO_MEMORY] = (points[NO_MEMORY][0], -1.0)
    number = fronts(points)
    return {r.sha: (-float(number.get(r.sha, len(points))), 0.0) for r in scored}


def best_design(
    records: Sequence[Record], objective: Objective, among: Container[str] | None = None
) -> Record | None:
    """The design to name, ``no_mem`` aside: that with the highest worth, the earliest of equals; with a price the
    cheapest on the best front that cannot be told from the one that gives most.

    Args:
        records: all that were scored, since they say how much of a score is luck.
        among: the designs to choose from, if not from all.
    """
    designs = [r for r in records if r.status == "ok" and r.reward is not None and r.sha != NO_MEMORY]
    designs = [r for r in designs if among is None or r.sha in among]
    designs = [r for r in designs if r.confirmed] or designs  # where some were, only those are elites
    priced = design_points(records, objective) if objective in ("tokens", "cost") else {}
    worth = design_worth(records, objective if priced else OUTCOME[objective])
    best = max((worth[r.sha] for r in designs if r.sha in priced), default=None)
    points = {r.sha: priced[r.sha] for r in designs if r.sha in priced and worth[r.sha] == best}
    if not points:
        return max(designs, key=lambda r: worth[r.sha], default=None)
    highest = max(points, key=lambda sha: points[sha][0])
    enough = points[highest][0] - design_beliefs(records, objective)[highest].sd
    alike = [r for r in designs if r.sha in points and points[r.sha][0] >= enough]
    return min(alike, key=lambda r: (points[r.sha][1], -points[r.sha][0]))
