"""The second, clean tree in which a submission is graded: the prepared base, the hidden tests, its source files."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Set
from pathlib import Path

from .tasks import Task
from .workspace import apply_patch


class GradingError(RuntimeError):
    """Grading could not be done: an infrastructure fault, never the submission's."""


async def lay_out(
    task: Task, taken: Mapping[str, bytes | None], tree: Path, left_out: Set[str] = frozenset()
) -> list[str]:
    """Make a tree that is equal to the base the clean tree; returns the names of the submission's files in it.

    Args:
        taken: the changes that count (``grading_rules.source_changes``).
        left_out: of these not.

    Raises:
        PatchError: the hidden tests are not as they should be.
    """
    await apply_patch(tree, task.test_patch)
    for name in sorted(taken, key=lambda name: taken[name] is not None):  # deletions make room first
        if name not in left_out:
            _put(tree, name, taken[name])
    return sorted(taken.keys() - left_out)


def _put(tree: Path, name: str, content: bytes | None) -> None:
    path = tree / name
    if content is None:
        if path.is_file():
            path.unlink()
        return
    if path.is_dir() and not any(path.rglob("*.*")):
        shutil.rmtree(path)  # only empty folders are left of it
    if path.is_dir() or any(parent.is_file() for parent in path.parents if parent.is_relative_to(tree)):
        return  # a file where the base has a folder, or the other way round: it changes nothing
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
