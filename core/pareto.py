"""Which designs are worth having: none other gives at least as much for at most as many tokens of memory."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from core.memo_manager import Memo_Manager, Objective


def front(points: Mapping[str, tuple[float, float]]) -> set[str]:
    """Names of the points (gain, cost) that no other one dominates; of equal ones all."""

    def dominated(gain: float, cost: float) -> bool:
        return any(g >= gain and c <= cost and (g, c) != (gain, cost) for g, c in points.values())

    return {name for name, point in points.items() if not dominated(*point)}


def design_points(archive: Memo_Manager, objective: Objective = "reward") -> dict[str, tuple[float, float]]:
    """What is believed of each scored design, and the mean size of its memory text in the prompt, in tokens.

    Designs of an archive that kept no runs are left out: their sizes are not known.
    """
    believed = archive.believed(objective)
    return {
        r.sha: (believed[r.sha], _mean(r.runs["memory_tokens"].values()))
        for r in archive.records
        if r.sha in believed and r.runs
    }


def _mean(runs: Iterable[Sequence[float]]) -> float:
    values = [value for of_task in runs for value in of_task]
    return sum(values) / len(values)
