# ruff: noqa: F821 (names of other parts)
from __future__ import annotations

import re


def words(text: str) -> set[str]:
    """Lower-case words and parts of identifiers, without the shortest."""
    return {w for w in re.findall(r"[a-z]+", re.sub(r"([a-z])([A-Z])", r"\1 \2", text).lower()) if len(w) > 2}


async def relevance(query: str, entries: list[Entry]) -> list[float]:
    """Share of an entry's key words that the query has too, 0 to 1."""
    asked = words(query)
    return [len(asked & own) / (len(own) or 1) for own in (words(entry.key) for entry in entries)]
