"""How a lesson is put into words: its title, when it applies, its steps, its keywords."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from core.gateway.offline.notes import code_span

if TYPE_CHECKING:
    from core.gateway.offline.memory import Lesson

_KEYWORDS = 8


def unique(values: Any) -> list[str]:
    return [value for value in dict.fromkeys(values) if value]


def content(lesson: Lesson) -> str:
    return lesson.line.removeprefix("- ")


def steps(lesson: Lesson) -> list[str]:
    """The lesson as a routine: the symptom, the place, the change."""
    note = lesson.note
    if note is None:
        return [content(lesson)]
    place = " ".join(code_span(part) for part in (note.path, note.function) if part)
    return unique([f"See why {description(lesson)}", f"Read {place}" if place else "", content(lesson)])


def title(lesson: Lesson) -> str:
    if lesson.note and (place := lesson.note.function or lesson.note.path):
        return f"Fix in {place}" if lesson.kind == "fix" else f"Change in {place}"
    test = next(iter(lesson.episode.failures), "")
    return f"Not fixed: {test}" if test and lesson.kind == "failed" else (test or content(lesson)[:60])


def description(lesson: Lesson) -> str:
    """When this lesson applies: the symptom, else the issue's first line."""
    for test, error in lesson.episode.failures.items():
        return f"{test} fails with {code_span(error)}" if error else f"{test} fails"
    lines = lesson.episode.issue.strip().split("\n")
    return lines[0] or content(lesson)


def keywords(text: str) -> list[str]:
    counts: dict[str, int] = {}
    for word in re.findall(r"[A-Za-z_]\w{2,}", text):
        if word.lower() not in (
            "fixed",
            "changing",
            "failed",
            "with",
            "the",
            "and",
            "return",
            "assert",
            "for",
        ):
            counts[word] = counts.get(word, 0) + 1
    return sorted(counts, key=lambda word: -counts[word])[:_KEYWORDS]
