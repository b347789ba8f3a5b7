"""What the evaluations of a run were for: only some of them are scores."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from core.experiments.stream import REVISIT

EXAMINATION, COLLECTION, AGAIN, SEARCH, SCORE = "examination", "collection", "asked again", "search", "score"
_ASKED_AGAIN = (REVISIT, "again")
"""Beginnings of modes; the second one is that of older runs."""


@dataclass(frozen=True)
class Sealed:
    """What an H3 experiment wrote down before it opened its test half; empty when it has not, or it cannot be read."""

    designs: list[str]
    tasks: frozenset[str]


def sealed_in(data: dict[str, Any]) -> Sealed:
    """The content of ``test_split.json``, which may be of another version, or spoilt."""
    designs, tasks = data.get("designs"), data.get("retrieve_tasks")
    return Sealed(
        list(designs) if isinstance(designs, dict) else [],
        frozenset(_texts(tasks) if isinstance(tasks, list) else ()),
    )


def purpose(block: str, spec: dict[str, Any], sealed: Sealed | None) -> str:
    """What an evaluation was for.

    Args:
        block: the mode that its folder is named after.
        spec: content of its ``spec.json``.
        sealed: of an H3 experiment, whose searches score designs too, on tasks that no score of it stands on.
    """
    if block in ("test", "collect"):
        return {"test": EXAMINATION, "collect": COLLECTION}[block]
    if block.startswith(_ASKED_AGAIN):
        return AGAIN
    if sealed is None:
        return SCORE
    rows = spec.get("retrieve_tasks")
    tasks = set(
        _texts(row.get("id") for row in rows if isinstance(row, dict)) if isinstance(rows, list) else ()
    )
    return SCORE if tasks and tasks == sealed.tasks else SEARCH


def _texts(values: Iterable[Any]) -> Iterable[str]:
    return (value for value in values if isinstance(value, str))
