"""Whether a search may go on from another run's archive: only where its scores stand on the same tasks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from core.examples import STATEMENT_CHARS, clip
from core.memo_manager import Memo_Manager
from envs_archive.coding.tasks import Task


def adoption_problem(
    archive: Memo_Manager, scored: Sequence[str], unseen: Sequence[str], tasks: Mapping[str, Task]
) -> str | None:
    """Why the designs of an archive cannot be taken over, as one line; None when they can.

    Args:
        scored: the tasks that the search is to score designs on.
        unseen: those that are left to test its best design on. The archive's trajectories show what its designs ran on.
    """
    scores = [of_task for record in archive.records for of_task in record.runs.values()]
    if not all(scores):
        return "it holds a design that was scored on no task"
    others = sorted({task for of_task in scores for task in of_task} - set(scored))
    if others:
        return (
            f"its designs were scored on tasks that this run does not score on ({', '.join(others[:3])}"
            f"{', ...' if len(others) > 3 else ''}): take its --tasks and --train_size, or begin anew without it"
        )
    shown = {example["problem_statement"] for r in archive.records for example in archive.examples(r)}
    seen = [task for task in unseen if clip(tasks[task].problem_statement, STATEMENT_CHARS) in shown]
    if seen:
        return (
            f"it shows runs of tasks of this run's test half ({', '.join(seen[:3])}): take its --tasks and "
            "--train_size, or begin anew without it"
        )
    return None
