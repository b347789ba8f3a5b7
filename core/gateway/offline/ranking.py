"""Ranking texts by closeness to a task, for prompts that ask which memories fit."""

from __future__ import annotations

import re

from core.gateway.offline.embedding import embed

_NUMBERED = re.compile(
    r"^[ \t>*-]*(?:(?:memory|note|item|candidate|id|entry|example)[ #:]*)?[\[(#]?(\d{1,4})[\]).:][ \t:]+(\S.*)$",
    re.M | re.I,
)


def candidates(text: str) -> list[tuple[int, str]]:
    """Return the (number, text) of each numbered line of a prompt; each number once."""
    found: dict[int, str] = {}
    for match in _NUMBERED.finditer(text):
        found.setdefault(int(match.group(1)), match.group(2))
    return list(found.items())


def similarities(query: str, texts: list[str]) -> list[float]:
    """Cosine similarity of each text to the query."""
    if not texts:
        return []
    first, *rest = embed([query, *texts])
    return [sum(a * b for a, b in zip(first, vector, strict=True)) for vector in rest]


def rank(query: str, texts: list[str]) -> list[int]:
    """Return the indices of the texts, closest to the query first; ties keep their order."""
    scores = similarities(query, texts)
    return sorted(range(len(texts)), key=lambda i: (-scores[i], i))
