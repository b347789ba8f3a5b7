"""H1: does memory help at all? Every task is paired with itself, once with each arm, under the same seeds.

A design that learns is *cross-fitted*: memory built on one half of each project's tasks is scored on the other half,
then the reverse, so that all tasks are paired and none is in the memory it meets.
"""

from __future__ import annotations

import csv
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from core.eval_in_container import Evaluator
from evals.contract import Episode, EvalResult, Updates

PAIR_COLUMNS = [
    "arm",
    "project",
    "task",
    "repeat",
    "reward",
    "resolved",
    "control_reward",
    "control_resolved",
]
PAIR_COLUMNS += ["memory_tokens", "steps", "control_steps"]


@dataclass(frozen=True)
class Arm:
    """One arm of the experiment: a label and the episodes of all its tasks, or why there are none."""

    label: str
    status: str
    episodes: list[Episode]
    error: str | None = None
    updates: Updates = field(default_factory=Updates)


def halves(tasks: Sequence[str], projects: dict[str, str], rng: random.Random) -> tuple[list[str], list[str]]:
    """Cut the tasks of every project into two random halves; an odd one goes to each side in turn.

    Args:
        tasks: task ids.
        projects: project of each task.
    """
    sides: tuple[list[str], list[str]] = ([], [])
    for project in sorted({projects[task] for task in tasks}):
        own = sorted(task for task in tasks if projects[task] == project)
        rng.shuffle(own)
        cut = (len(own) + (len(sides[0]) <= len(sides[1]))) // 2
        sides[0].extend(own[:cut])
        sides[1].extend(own[cut:])
    return sides


async def cross_fitted(
    evaluator: Evaluator, label: str, path: Path, sides: tuple[list[str], list[str]], repeats: int
) -> Arm:
    """Score a design on all tasks, each with a memory that was built on the other half."""
    first = await evaluator.evaluate_on(label, path, "a", sides[0], sides[1], repeats)
    second = await evaluator.evaluate_on(label, path, "b", sides[1], sides[0], repeats)
    return _joined(label, [first, second])


async def from_other_projects(
    evaluator: Evaluator,
    label: str,
    path: Path,
    tasks: Sequence[str],
    projects: dict[str, str],
    repeats: int,
    memories: Callable[[str], str],
) -> Arm:
    """Score a design whose memory was built on another project's tasks only (the control for "any text helps").

    Args:
        memories: the project that lends its experience to a given project.
    """
    results = []
    for project in sorted({projects[task] for task in tasks}):
        lent = sorted(task for task in tasks if projects[task] == memories(project))
        own = sorted(task for task in tasks if projects[task] == project)
        results.append(await evaluator.evaluate_on(label, path, f"other_{project}", lent, own, repeats))
    return _joined(label, results)


def next_project(projects: Sequence[str]) -> Callable[[str], str]:
    """Each project borrows from the one after it in the alphabet, the last from the first."""
    names = sorted(set(projects))
    return lambda project: names[(names.index(project) + 1) % len(names)]


def _joined(label: str, results: Sequence[EvalResult]) -> Arm:
    failed = next((result for result in results if result.status != "ok"), None)
    if failed is not None:
        return Arm(label, failed.status, [], failed.error)
    updates = Updates(
        sum(result.updates.tasks for result in results),
        sum(result.updates.calls for result in results),
        sum(result.updates.seconds for result in results),
    )
    return Arm(
        label,
        "ok",
        [e for result in results for e in result.episodes if e.phase == "retrieve"],
        None,
        updates,
    )


def write_pairs(path: Path, control: Arm, arms: Sequence[Arm], projects: dict[str, str]) -> None:
    """``pairs.csv``: one line per arm, task and repeat, with the control's outcome beside it."""
    base = {(e.task, e.repeat): e for e in control.episodes}
    with open(path, "w", newline="", encoding="utf-8") as handle:
        writer = csv.writer(handle)
        writer.writerow(PAIR_COLUMNS)
        for arm in arms:
            for e in sorted(arm.episodes, key=lambda e: (e.task, e.repeat)):
                c = base[(e.task, e.repeat)]
                outcome = [e.reward, int(e.resolved), c.reward, int(c.resolved)]
                writer.writerow(
                    [
                        arm.label,
                        projects[e.task],
                        e.task,
                        e.repeat,
                        *outcome,
                        e.memory_tokens,
                        e.steps,
                        c.steps,
                    ]
                )
