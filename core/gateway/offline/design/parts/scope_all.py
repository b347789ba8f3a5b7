# ruff: noqa: F821 (names of other parts)
from __future__ import annotations


def in_scope(entries: list[Entry], project: str) -> list[list[Entry]]:
    """All projects alike."""
    return [entries]
