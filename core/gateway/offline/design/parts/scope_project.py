# ruff: noqa: F821 (names of other parts)
from __future__ import annotations


def in_scope(entries: list[Entry], project: str) -> list[list[Entry]]:
    """Only what was learned in the same project."""
    return [[entry for entry in entries if entry.project == project]]
