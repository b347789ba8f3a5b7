"""The offline model's answers when a memory design asks for curation (purpose ``memory``).

Extractive: it replays the trajectories in the prompt, says in canonical lines which net edit was in force when the
tests passed, merges that into the document the prompt shows, and fills the JSON form the prompt asks for. Without a
trajectory it selects: the notes in the prompt that are closest to the task in the prompt.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any, Literal

from core.gateway.offline.documents import Sheet, find_document, size_limit
from core.gateway.offline.filling import Facts, fill_form
from core.gateway.offline.forms import requested_form
from core.gateway.offline.notes import EditNote, code_span, failure_text, format_edit, parse_edits
from core.gateway.offline.ranking import candidates, rank
from core.gateway.offline.references import listed_items, without_items
from core.gateway.offline.trajectory import Episode, Event, read_episodes, scan

_NOTHING = "- Nothing to note: the text shows no edit and no failing test."
_MAX_TRIED = 3
_MAX_SELECTED = 12


@dataclass(frozen=True)
class Lesson:
    """What one run teaches, as one line; ``note`` is the fix when there was one."""

    kind: Literal["fix", "unknown", "failed"]
    line: str
    episode: Episode
    note: EditNote | None = None


def lessons_of(episode: Episode) -> list[Lesson]:
    """Say what a run teaches: one line per net edit of a success, one line in all for a failure."""
    failure = failure_text(episode.failures)
    if episode.outcome == "failed":
        return [Lesson("failed", _failed_line(episode, failure), episode)] if _has_content(episode) else []
    notes = [EditNote(*change, failure) for change in episode.changes]
    if episode.outcome == "solved":
        return [Lesson("fix", format_edit(note), episode, note) for note in notes]
    unknown = [EditNote(n.before, n.after, n.path, n.function, "outcome unknown") for n in notes]
    return [
        Lesson("unknown", format_edit(note).replace("fixed by", "tried"), episode, note) for note in unknown
    ]


def _has_content(episode: Episode) -> bool:
    return bool(episode.failures or episode.tried or episode.edits)


def _failed_line(episode: Episode, failure: str) -> str:
    reward = "" if episode.reward is None else f" (reward {episode.reward:.2f})"
    subject = failure or "the tests still failed"
    tried: dict[str, list[str]] = {}
    for change in episode.tried[-_MAX_TRIED:]:
        place = " ".join(code_span(part) for part in (change.path, change.function) if part)
        tried.setdefault(place, []).append(code_span(change.after or "(removed)"))
    parts = [f"{f'in {place} ' if place else ''}{', '.join(codes)}" for place, codes in tried.items()]
    rest = f"tried without success: {'; '.join(parts)}" if parts else "no edit was found"
    return f"- Not fixed{reward}: {subject}; {rest}"


def remember(messages: list[dict[str, Any]], schema: dict[str, Any] | None, seed: int) -> str:
    """Answer a memory design's request.

    Args:
        messages: the chat, any wording; trajectories and documents may be nested in it in any notation.
        schema: JSON schema of the answer; None when none was given (the prompt may still ask for JSON).
        seed: unused: the same text gives the same notes in every repeat.

    Returns:
        Markdown notes, or JSON text when a schema was given or the prompt asks for JSON.
    """
    del seed
    instructions, material = _split(messages)
    events = scan(material)
    episodes = [episode for episode in read_episodes(events) if _has_content(episode) or episode.changes]
    foreign = [(e.start, e.end) for e in events if e.kind in ("action", "observation") and e.end > e.start]
    document = find_document(material, foreign) or _document_in_json(events, material)
    asked = instructions + "\n" + _outside(material, foreign, document)
    _complete_from_text(episodes, events)
    lessons = [lesson for episode in episodes for lesson in lessons_of(episode)]
    characters, lines = size_limit(asked)
    if episodes:
        updated = _update(document, lessons, characters, lines)
        selected: list[str] = []
    else:
        selected = _select(events, material, document, min(lines, _MAX_SELECTED))
        updated = _joined(selected, characters) or document or _NOTHING
    form = schema if schema is not None else requested_form(asked)
    if form is None:
        tag = requested_tag(instructions)
        return f"<{tag}>\n{updated}\n</{tag}>" if tag else updated
    around = _outside(material, foreign, "")
    facts = Facts(
        lessons=lessons or [Lesson("unknown", line, Episode(), _first_edit(line)) for line in selected],
        document=updated,
        has_document=bool(document),
        task=_task_text(events, material),
        project=next((e.value for e in events if e.kind == "project"), ""),
        candidates=[] if episodes else candidates(material),
        items=listed_items(around),
        subject=without_items(around),
        old=document,
        prompt=material,
        characters=characters,
    )
    return json.dumps(fill_form(form, facts), ensure_ascii=False)


def requested_tag(instructions: str) -> str | None:
    """The tag a prompt wants its answer wrapped in, if any: designs look for what stands between the two."""
    match = re.search(
        r"\b(?:wrap\w*|enclos\w*|surround\w*|inside|within|between|in the tags?)\b[^.<\n]{0,60}<([A-Za-z][\w-]*)>",
        instructions,
        re.I,
    )
    return match.group(1) if match and f"</{match.group(1)}>" in instructions else None


def _first_edit(line: str) -> EditNote | None:
    return next(iter(parse_edits(line)), None)


def _split(messages: list[dict[str, Any]]) -> tuple[str, str]:
    """Return (system text, user text). Earlier turns count only when the last one holds nothing to go by."""
    system = "\n\n".join(_content(m) for m in messages if m.get("role") in ("system", "developer"))
    users = [_content(m) for m in messages if m.get("role") not in ("system", "developer", "assistant")]
    if not users:
        return "", system
    last = users[-1]
    if len(users) > 1 and not any(event.kind == "action" for event in scan(last)):
        last = "\n\n".join(users)
    return system, last


def _content(message: dict[str, Any]) -> str:
    content = message.get("content")
    if isinstance(content, list):
        return "\n".join(str(part.get("text", "")) for part in content if isinstance(part, dict))
    return content if isinstance(content, str) else ""


def _document_in_json(events: list[Event], material: str) -> str:
    """A document inside a JSON prompt: the longest text in it that is no part of a run."""
    nested = [e for e in events if e.kind == "text" and e.end - e.start != len(e.value)]
    inside = [e.value for e in nested if parse_edits(e.value)]
    return max(inside, key=len, default="")


def _outside(material: str, foreign: list[tuple[int, int]], document: str) -> str:
    """The prompt without trajectories and document: what may be an instruction."""
    kept, position = [], 0
    for start, end in sorted(set(foreign)):
        if start >= position:
            kept.append(material[position:start])
            position = end
    kept.append(material[position:])
    text = "\n".join(kept)
    return text.replace(document, "\n") if document else text


def _complete_from_text(episodes: list[Episode], events: list[Event]) -> None:
    """Facts that stand apart from the steps belong to the only run there is."""
    if len(episodes) != 1:
        return
    for kind in ("project", "issue"):
        for event in events:
            if event.kind == kind and not getattr(episodes[0], kind):
                setattr(episodes[0], kind, event.value)


def _update(document: str, lessons: list[Lesson], characters: int, lines: int) -> str:
    sheet = Sheet(document)
    for lesson in lessons:
        if lesson.kind == "fix" and lesson.note is not None:
            sheet.add_fix(lesson.note, lesson.line, lesson.episode.project)
        else:
            sheet.add_line(lesson.line, lesson.episode.project)
    sheet.fit(characters, lines)
    return sheet.text() or _NOTHING


def _task_text(events: list[Event], material: str) -> str:
    return next((e.value for e in events if e.kind == "issue"), material)


def _select(events: list[Event], material: str, document: str, limit: int) -> list[str]:
    """Return the notes of a prompt that fit its task, closest first."""
    pool = [line.strip() for line in (document or material).split("\n")]
    pool = [line for line in pool if parse_edits(line) or re.match(r"^(?:[-*]|\d+[.)])\s+\S", line)]
    pool = list(dict.fromkeys(pool))
    return [pool[i] for i in rank(_task_text(events, material), pool)[:limit]]


def _joined(lines: list[str], characters: int) -> str:
    text = ""
    for line in lines:
        if len(text) + len(line) >= characters:
            break
        text += f"{line}\n"
    return text.rstrip("\n")
