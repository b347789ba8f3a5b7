# ruff: noqa: F821 (names of other parts)
from __future__ import annotations


async def relevance(query: str, entries: list[Entry]) -> list[float]:
    """The newer, the more relevant; what is asked for plays no part."""
    return [(position + 1) / len(entries) for position in range(len(entries))]
