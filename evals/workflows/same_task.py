"""Which tasks are the same, so that no memory is asked about a task whose run it has been told of."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from typing import Any

from evals.contract import Episode


def task_keys(task: Mapping[str, Any]) -> frozenset[str]:
    """What a task is recognised by: its id, and its issue, which the same bug has under another id too."""
    words = " ".join(str(task.get("problem_statement", "")).split())
    if not words:
        return frozenset({f"id:{task['id']}"})
    issue = f"{task.get('project', '')}\n{words}".encode("utf-8", "replace")
    return frozenset({f"id:{task['id']}", f"issue:{hashlib.sha256(issue).hexdigest()[:16]}"})


def episode_keys(episode: Episode) -> frozenset[str]:
    """What the task of an episode is recognised by."""
    return task_keys({"id": episode.task, **episode.init})


def without(episodes: Iterable[Episode], tasks: Iterable[Mapping[str, Any]]) -> list[Episode]:
    """The episodes of other tasks than these, in order."""
    asked = frozenset().union(*map(task_keys, tasks))
    return [episode for episode in episodes if not asked & episode_keys(episode)]
