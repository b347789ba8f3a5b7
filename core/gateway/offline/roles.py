"""Documents with a role: what of a run belongs into a brief, a progress log, a technical context ..."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from core.gateway.offline.notes import code_span

if TYPE_CHECKING:
    from core.gateway.offline.memory import Lesson

_RECENT_LINES = 6
_COMMAND = re.compile(r"\btest[_ ]?(?:command|cmd)\b[\"'`*]*\s*[:=]\s*[\"'`*]*([^\n\"'`]{3,120})", re.I)
_ROLES = {
    "progress": r"progress|history|status|journal|changelog|(?:^|_)log(?:$|_)",
    "recent": r"active|current|focus|recent|latest",
    "brief": r"brief|overview|about|mission",
    "technical": r"tech|environment|setup|tooling|stack",
    "practice": r"pattern|convention|practice|guideline",
}


def role_of(name: str) -> str | None:
    """The role a field's name gives its document, or None."""
    return next((role for role, pattern in _ROLES.items() if re.search(pattern, name.lower())), None)


def role_document(role: str, old: str, lessons: list[Lesson], prompt: str, characters: int) -> str:
    """The old document with what the lessons add to its role; over its size the oldest lines go."""
    lines = [line for line in old.split("\n") if line.strip()]
    for line in _lines(role, lessons, prompt):
        if line not in lines:
            lines.append(line)
    if role == "recent":
        lines = lines[-_RECENT_LINES:]
    while len("\n".join(lines)) > characters and len(lines) > 1:
        del lines[next((i for i, line in enumerate(lines) if not line.startswith("#")), 0)]
    return "\n".join(lines)


def _lines(role: str, lessons: list[Lesson], prompt: str) -> list[str]:
    episodes = {id(lesson.episode): lesson.episode for lesson in lessons}.values()
    if role == "progress":
        return [f"- {_outcome(e.outcome, e.reward)}: {_first_line(e.issue) or 'a task'}" for e in episodes]
    if role == "technical":
        commands = dict.fromkeys(match.group(1).strip() for match in _COMMAND.finditer(prompt))
        return [f"- Test command: {code_span(command)}" for command in commands] + [
            f"- Source file: {code_span(path)}" for path in _paths(lessons)
        ]
    if role == "brief":
        names = dict.fromkeys(e.project for e in episodes if e.project)
        return [f"- Project {name}" for name in names] + [f"- Part: {code_span(p)}" for p in _paths(lessons)]
    return [lesson.line for lesson in lessons if role == "recent" or lesson.kind != "failed"]


def _outcome(outcome: str, reward: float | None) -> str:
    return outcome if reward is None or outcome == "solved" else f"not solved (reward {reward:.2f})"


def _first_line(text: str) -> str:
    return text.strip().partition("\n")[0][:160]


def _paths(lessons: list[Lesson]) -> list[str]:
    paths = [lesson.note.path for lesson in lessons if lesson.note]
    paths += [change.path for lesson in lessons for change in lesson.episode.tried]
    return [path for path in dict.fromkeys(paths) if path]
