"""The document a prompt asks to be updated: finding it, merging lessons into it, keeping it within its size."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from difflib import SequenceMatcher

from core.gateway.offline.notes import EditNote, code_span, parse_edits

DEFAULT_CHARACTERS = 12_000

_HEADING = re.compile(r"^(#{1,6})\s+(.+?)\s*#*\s*$")
_TAG = re.compile(r"^\s*<([A-Za-z][\w -]*)>\s*$")
_RULED = re.compile(r"^\s*[=-]{3,}\s*(\w.*?)\s*:?\s*[=-]{3,}\s*$")
_RULE_AT_END = re.compile(r"(?:\s*\n[-=_*]{3,}[ \t]*)+\s*\Z")
_TAGS_AROUND = re.compile(r"\A\s*<([A-Za-z][\w-]*)>(.*)</\1>\s*\Z", re.DOTALL)
_LABEL = re.compile(r"^\s*\**([A-Za-z][\w '()/.,&-]{2,70}?)\**:\**(?:\s+(.*))?$")
_FENCE = re.compile(r"^\s*(`{3,}|~{3,})")
_STORE = re.compile(
    r"\b(?:documents?|doc|notes?|memor(?:y|ies)|conventions?|cheat ?sheet|sheet|rules?|insights?|playbook|bullets?"
    r"|knowledge|lessons?|bank|guidelines?|brief|patterns?|context|progress|summary|wiki|claude\.md)\b",
    re.I,
)
_PRESENT = re.compile(
    r"\b(?:current|existing|previous|prior|earlier|old|stored|known|your|so far|already|present|accumulated)\b",
    re.I,
)
_OTHER = re.compile(
    r"\b(?:trajector\w*|steps?|issue|task|reward|outcome|result|instructions?|recorder|observations?|return"
    r"|respond|output|write|answer|format|update|new|finished|latest|transcript|run|episode|log|problem)\b",
    re.I,
)
_EMPTY = re.compile(
    r"^\W*(?:empty|none|nothing|n/a|null|\(?no [\w ]{0,40}\)?|.{0,30}\b(?:is|are) empty|nothing yet)\W*$",
    re.I,
)
_SEEN = re.compile(r"^- Seen (\d+) times(?: \((?P<places>.*?)\))?: ")
_CODE_TOKEN = re.compile(r"\w+|[^\w\s]")


def find_document(text: str, foreign: Iterable[tuple[int, int]] = ()) -> str:
    """Return the document a prompt shows as the present state of the memory, or ''.

    It is recognised by its label ("Current conventions document", ``<memory>``, "Existing notes:"), whatever the
    wording, and ends at its closing tag or fence, or at the next label that is about something else.

    Args:
        text: the prompt.
        foreign: spans of the text that are something else for certain (trajectories).
    """
    blocked = sorted(foreign)
    taken: list[str] = []
    opened = closer = ""
    level = 0
    offset = 0
    fresh = False  # the label was the line before: a fence may open here
    for line in text.split("\n"):
        start, offset = offset, offset + len(line) + 1
        if any(a < offset - 1 and start < b for a, b in blocked):
            if not closer:
                opened = ""
            continue
        if closer:
            if line.strip().startswith(closer):
                opened = closer = ""
            else:
                taken.append(line)
            continue
        if opened and fresh and (fence := _FENCE.match(line)):
            closer, fresh = fence.group(1), False
            continue
        label, rest, depth = _label_of(line)
        if tag := _TAG.match(line):
            name = tag.group(1).replace("_", " ").replace("-", " ")
            if _STORE.search(name) and not _OTHER.search(name):
                opened, closer = name, f"</{tag.group(1)}"
            elif not opened:
                continue
            else:
                opened = ""
            continue
        if label and (not opened or depth <= level):
            if _STORE.search(label) and _PRESENT.search(label):
                opened, level, fresh = label, depth, True
                if rest:
                    taken.append(rest)
                continue
            if _OTHER.search(label):
                opened = ""
                continue
        if opened:
            taken.append(line)
            fresh = fresh and not line.strip()
    document = _RULE_AT_END.sub("", "\n".join(taken)).strip("\n")
    # A design may have put its tags on the lines of the text itself.
    document = _TAGS_AROUND.sub(r"\2", document).strip("\n")
    return "" if not document.strip() or _EMPTY.match(document.strip()) else document


def _label_of(line: str) -> tuple[str, str, int]:
    """Return (label, text behind it, level) of a line that announces a section, or empty values."""
    if heading := _HEADING.match(line):
        return heading.group(2).rstrip(":"), "", len(heading.group(1))
    if ruled := _RULED.match(line):
        return ruled.group(1), "", 0
    if (label := _LABEL.match(line)) and not line.lstrip().startswith(("- ", "* ")):
        return label.group(1), (label.group(2) or "").strip(), 0
    return "", "", 0


def size_limit(instructions: str) -> tuple[int, int]:
    """Return the (characters, lines) a prompt allows for the whole answer; generous where it names none."""
    characters, lines = DEFAULT_CHARACTERS, 400
    pattern = re.compile(
        r"(?:at most|under|below|max\w*|no more than|within|up to|limit\w*|fewer than|less than|exceed\w*|<=?|≤)"
        r"[^.\n\d]{0,30}(\d[\d,]*)\s*(characters|chars|words|tokens|lines|bullets|bullet points|items|entries)\b",
        re.I,
    )
    for match in pattern.finditer(instructions):
        number, unit = int(match.group(1).replace(",", "")), match.group(2).lower()
        if unit in ("lines", "bullets", "bullet points", "items", "entries"):
            lines = min(lines, max(number, 1))
        else:
            size = number * {"words": 6, "tokens": 3}.get(unit, 1)
            if size >= 300:  # smaller ones are about single lines
                characters = min(characters, size)
    return characters, lines


def change_signature(before: str, after: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the tokens an edit takes out and puts in: equal for the same fix at different places."""
    a, b = _CODE_TOKEN.findall(before), _CODE_TOKEN.findall(after)
    removed: list[str] = []
    added: list[str] = []
    for tag, i1, i2, j1, j2 in SequenceMatcher(None, a, b, autojunk=False).get_opcodes():
        if tag != "equal":
            removed += a[i1:i2]
            added += b[j1:j2]
    return tuple(t for t in removed if t not in "()"), tuple(t for t in added if t not in "()")


@dataclass
class _Section:
    heading: str = ""
    lines: list[str] = field(default_factory=list)


class Sheet:
    """A Markdown document of notes, by headings."""

    def __init__(self, text: str) -> None:
        self.sections = [_Section()]
        for line in text.split("\n") if text else []:
            if _HEADING.match(line):
                self.sections.append(_Section(line))
            else:
                self.sections[-1].lines.append(line.rstrip())

    def section(self, project: str) -> _Section:
        """The section for a project's notes: the one whose heading names it, else a new one at the end."""
        if not project:
            return self.sections[-1]
        for section in self.sections:
            if re.search(rf"(?<![\w-]){re.escape(project)}(?![\w-])", section.heading, re.I):
                return section
        if self.sections[-1].lines and self.sections[-1].lines[-1]:
            self.sections[-1].lines.append("")
        self.sections.append(_Section(f"## Project: {project}"))
        return self.sections[-1]

    def add_line(self, line: str, project: str) -> None:
        """Append a note unless the document has it already."""
        if not any(line in section.lines for section in self.sections):
            _append(self.section(project).lines, line)

    def add_fix(self, note: EditNote, line: str, project: str) -> None:
        """Append the line of a fix; a fix like an earlier one also raises the count of their common line."""
        section = self.section(project)
        key, signature = _identity(note), change_signature(note.before, note.after)
        alike: list[EditNote] = []
        seen_at = None
        for number, known in enumerate(section.lines):
            for other in parse_edits(known):
                if _SEEN.match(known):
                    if change_signature(other.before, other.after) == signature:
                        seen_at = number
                elif _identity(other) == key:
                    return
                elif change_signature(other.before, other.after) == signature:
                    alike.append(other)
        _append(section.lines, line)
        if seen_at is not None:
            match = _SEEN.match(section.lines[seen_at])
            count, places = int(match.group(1)) + 1, match["places"] or ""  # type: ignore[union-attr]
            if _place(note) not in places and places.count(",") < 4:
                places = f"{places}, {_place(note)}"
            section.lines[seen_at] = _seen_line(count, places, note)
        elif alike and any(signature):
            places = ", ".join(dict.fromkeys(filter(None, map(_place, [*alike, note]))))
            section.lines.insert(0, _seen_line(len(alike) + 1, places, note))

    def fit(self, characters: int, lines: int) -> None:
        """Drop notes, the least supported and oldest first, until the document has its size.

        First what was tried in vain, then single fixes that a counted line covers, then single fixes, then
        counted lines, the rarest first. Lines that are no notes are left alone.
        """
        for droppable in (_is_failure, self._is_covered, _is_fix, _is_note):
            while self.size() > characters or self.note_count() > lines:
                found = [(s, line) for s in self.sections for line in s.lines if droppable(line)]
                if not found:
                    break
                section, line = min(found, key=lambda item: _support(item[1]))
                section.lines.remove(line)

    def _is_covered(self, line: str) -> bool:
        if not _is_fix(line):
            return False
        known = {
            change_signature(note.before, note.after)
            for section in self.sections
            for other in section.lines
            if _SEEN.match(other)
            for note in parse_edits(other)
        }
        return any(change_signature(note.before, note.after) in known for note in parse_edits(line))

    def size(self) -> int:
        return len(self.text())

    def note_count(self) -> int:
        return sum(line.startswith("- ") for section in self.sections for line in section.lines)

    def text(self) -> str:
        parts = []
        for section in self.sections:
            parts += [section.heading] if section.heading else []
            parts += section.lines
        return "\n".join(parts).strip("\n")


def _append(lines: list[str], line: str) -> None:
    end = len(lines)
    while end and not lines[end - 1]:
        end -= 1
    lines.insert(end, line)


def _identity(note: EditNote) -> tuple[str, str, str, str]:
    return note.before, note.after, note.path, note.function


def _place(note: EditNote) -> str:
    return " ".join(code_span(part) for part in (note.path, note.function) if part)


def _seen_line(count: int, places: str, note: EditNote) -> str:
    change = (
        f"changing {code_span(note.before)} to {code_span(note.after)}"
        if note.before and note.after
        else f"adding {code_span(note.after)}"
        if note.after
        else f"removing {code_span(note.before)}"
    )
    return f"- Seen {count} times{f' ({places})' if places else ''}: fixed by {change}"


def _is_failure(line: str) -> bool:
    return line.startswith("- Not fixed")


def _is_fix(line: str) -> bool:
    return line.startswith("- ") and "fixed by " in line and not _SEEN.match(line)


def _is_note(line: str) -> bool:
    return _is_fix(line) or bool(_SEEN.match(line))


def _support(line: str) -> int:
    match = _SEEN.match(line)
    return int(match.group(1)) if match else 1
