# ruff: noqa: F821 (names of other parts)
from __future__ import annotations


def in_scope(entries: list[Entry], project: str) -> list[list[Entry]]:
    """The same project first; other projects fill what room is left."""
    own = [entry for entry in entries if entry.project == project]
    return [own, [entry for entry in entries if entry.project != project]]
