# ruff: noqa: F821 (names of other parts)
from __future__ import annotations


async def relevance(query: str, entries: list[Entry]) -> list[float]:
    """What was learned more than once comes first; among equals the newer."""
    top = max((entry.count for entry in entries), default=1)
    return [(entry.count + position / len(entries)) / (top + 1) for position, entry in enumerate(entries)]
