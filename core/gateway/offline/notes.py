"""Edit experience as text: the line the offline model writes for a fix, and the reader for any text with
fixes in it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from core.gateway.offline.files import tidy_lines
from core.gateway.offline.trajectory import edit_pair, read_episodes, scan

# A note is one line of Markdown, so a line break in code is shown by a sign; ESC marks signs that are
# literal.
_BREAK, _ESC = "⏎", "␛"


@dataclass(frozen=True)
class EditNote:
    """One edit that fixed something.

    Attributes:
        before: code before the edit, without common indentation; empty when code was only added.
        after: code after it; empty when code was only removed.
        path: file, relative to the repository; empty when unknown.
        function: function around the edit; empty when unknown.
        context: what the text says beside the edit: failing test and error, or the sentence it stands in.
    """

    before: str
    after: str
    path: str = ""
    function: str = ""
    context: str = ""


class _Span:
    """A code span in a line: its text and where it stands."""

    __slots__ = ("code", "end", "start")

    def __init__(self, start: int, end: int, code: str) -> None:
        self.start, self.end, self.code = start, end, code


def code_span(code: str) -> str:
    """Write code as a one-line Markdown code span that ``parse_edits`` reads back exactly."""
    code = re.sub(f"[{_BREAK}{_ESC}]", lambda m: _ESC + m.group(), code).replace("\n", _BREAK)
    fence = "`" * (max((len(run) for run in re.findall(r"`+", code)), default=0) + 1)
    if code.startswith("`") or code.endswith("`") or (code != code.strip(" ") and code.strip(" ")):
        code = f" {code} "
    return f"{fence}{code}{fence}"


def format_edit(note: EditNote) -> str:
    """Write a note as its canonical line."""
    place = " ".join(code_span(part) for part in (note.path, note.function) if part)
    context = " ".join(note.context.split())
    if note.before and note.after:
        fix = f"fixed by changing {code_span(note.before)} to {code_span(note.after)}"
    elif note.after:
        fix = f"fixed by adding {code_span(note.after)}"
    else:
        fix = f"fixed by removing {code_span(note.before)}"
    return f"- {f'In {place}: ' if place else ''}{f'{context}; ' if context else ''}{fix}"


_FENCE = re.compile(r"`+")
_CHANGE_VERBS = (
    r"(?:chang|replac|rewrit|swap|turn|convert|updat|correct|modif|rename|switch|edit|substitut|mov)"
    r"(?:e|es|ed|ing|ten|te|ting|ping|ped|y|ied|ying|ch)?"
)
_VERB_BEFORE = re.compile(rf"\b{_CHANGE_VERBS}\b[^`.;]{{0,40}}$", re.I)
_TO = re.compile(r"^[^`.;]{0,30}?\b(?:to|with|by|into|for)\b(?: be)?:?\s*$", re.I)
_ARROW = re.compile(r"^\s*(?:->|=>|→|⇒|-->|==>|became|becomes)\s*$")
_INSTEAD = re.compile(r"^[^`.;]{0,30}\b(?:instead of|rather than|in place of|not)\s*$", re.I)
_ADDED = re.compile(
    r"\bfix(?:ed)?\b[^`]{0,20}\b(?:by )?(add|insert|remov|delet|dropp?)(?:ing|ed|e)?\s*:?\s*$", re.I
)
# "tried ... without success" tells of an edit that was not the fix.
_NEGATIVE = re.compile(
    r"\bnot fixed\b|\bwithout success\b|\bunsuccessful|\bfailed (?:attempt|tr(?:y|ies))|\bunresolved\b"
    r"|\b(?:did|does|do)(?: not|n't) (?:help|work|fix|pass|solve)|\bno help\b|\btried\b.{0,40}\bfail",
    re.I,
)
_PATH_SPAN = re.compile(r"^[\w./-]*\w\.\w{1,5}$")
_PATH_WORD = re.compile(r"(?<![\w/.-])[\w-]+(?:/[\w.-]+)*\.pyi?\b")
_NAME_SPAN = re.compile(r"^[A-Za-z_][\w.]*(?:\(\))?$")
_FUNCTION_WORD = re.compile(r"\b(?:function|method|in|def)\s+([A-Za-z_]\w*)\(\)", re.I)
_INTRO = re.compile(r"^\s*[-*+]?\s*(?:In\s+)?(?:`[^`]*`[\s,:]*)*")


def _spans(line: str) -> list[_Span]:
    """Find code spans by Markdown's rule: a run of backticks is closed by the next run of the same length."""
    runs = list(_FENCE.finditer(line))
    closing: dict[int, list[int]] = {}
    for i, run in enumerate(runs):
        closing.setdefault(run.end() - run.start(), []).append(i)
    spans, i = [], 0
    while i < len(runs):
        same = closing[runs[i].end() - runs[i].start()]
        while same and same[0] <= i:
            same.pop(0)
        if not same:
            i += 1
            continue
        stop = same[0]
        spans.append(
            _Span(runs[i].start(), runs[stop].end(), _decode(line[runs[i].end() : runs[stop].start()]))
        )
        i = stop + 1
    return spans


def _decode(code: str) -> str:
    if code.startswith(" ") and code.endswith(" ") and code.strip(" "):
        code = code[1:-1]
    return re.sub(f"{_ESC}(.)|{_BREAK}", lambda m: m.group(1) or "\n", code)


def _line_notes(line: str, path: str, function: str) -> Iterator[EditNote]:
    """Read the notes of one line; ``path`` and ``function`` are what earlier lines were about."""
    if "`" not in line or _NEGATIVE.search(re.sub(r"`[^`]*`", "``", line)):
        return
    spans = _spans(line)
    used: set[int] = set()
    for i, span in enumerate(spans):
        if i in used:
            continue
        before_text = line[spans[i - 1].end if i else 0 : span.start]
        pair: tuple[str, str] | None = None
        if i + 1 < len(spans):
            between, following = line[span.end : spans[i + 1].start], spans[i + 1]
            between_text = between
            j = i + 1
            # "replace `a` in `path` with `b`"
            if _PATH_SPAN.match(following.code) and re.match(r"^\s*in\s*$", between) and i + 2 < len(spans):
                j, following = i + 2, spans[i + 2]
                between_text = line[spans[i + 1].end : following.start]
            if _ARROW.match(between_text) or (_TO.match(between_text) and _VERB_BEFORE.search(before_text)):
                pair = (span.code, following.code)
            elif _INSTEAD.match(between_text):
                pair = (following.code, span.code)
            if pair:
                used |= {i, j}
        if pair is None and (added := _ADDED.search(before_text)):
            adds = added.group(1).lower() in ("add", "insert")
            pair = ("", span.code) if adds else (span.code, "")
        if pair and pair[0] != pair[1]:
            place_path, place_function = _place(line, spans[:i], path, function)
            yield EditNote(*pair, place_path, place_function, _context(line, span.start))


def _place(line: str, earlier: list[_Span], path: str, function: str) -> tuple[str, str]:
    for number, span in enumerate(earlier):
        if _PATH_SPAN.match(span.code) and not span.code.startswith("."):
            path, function = span.code, ""
            if number + 1 < len(earlier) and _NAME_SPAN.match(earlier[number + 1].code):
                gap = line[span.end : earlier[number + 1].start]
                if re.match(r"^[\s,:.]*(?:in|function|method|:+)?[\s(]*$", gap):
                    function = earlier[number + 1].code.removesuffix("()")
    if not path and earlier and _NAME_SPAN.match(earlier[0].code):
        opening = line[: earlier[0].start]
        if re.match(r"^\s*[-*+]?\s*in (?:function |method )?$", opening, re.I):
            function = earlier[0].code.removesuffix("()")
    if not path and (word := _PATH_WORD.search(line)):
        path = word.group()
    if not function and (name := _FUNCTION_WORD.search(line)):
        function = name.group(1)
    return path, function


def _context(line: str, start: int) -> str:
    """The part of a line that tells why: without its place, its verb and the change itself."""
    text = line[:start]
    intro = _INTRO.match(text)
    text = text[intro.end() if intro else 0 :]
    text = re.sub(r"(?:^|;\s*)fixed by (?:changing|adding|removing) $", "", text).strip()
    return text if " " in text else ""  # a lone verb says nothing


_HEADING_PATH = re.compile(r"^#+ .*?`?([\w/-]+(?:/[\w.-]+)*\.py)`?\s*$")
_DIFF_FILE = re.compile(r"^(?:\+\+\+|---) (?:[ab]/)?(\S+)")
_HUNK = re.compile(r"^@@ .*?@@(?:.*?\bdef (\w+))?")
_CODE_FENCE = re.compile(r"^\s*```")
_BEFORE_LABEL = re.compile(r"\b(?:before|buggy|wrong|old|original|incorrect|bad)\b[^`]*:?\W*$", re.I)
_AFTER_LABEL = re.compile(r"\b(?:after|fixed|correct|right|new|good|fix)\b[^`]*:?\W*$", re.I)


def _text_notes(text: str) -> Iterator[EditNote]:
    """Read notes from prose, diffs and before/after blocks of code."""
    lines = text.split("\n")
    path = function = ""
    block_before = ""
    i = 0
    in_diff = False
    while i < len(lines):
        line = lines[i]
        if heading := _HEADING_PATH.match(line):
            path, function = heading.group(1), ""
        elif file := _DIFF_FILE.match(line):
            path = path if file.group(1) == "/dev/null" else file.group(1)
            function, in_diff = "", True
            i += 1
            continue
        elif hunk := _HUNK.match(line):
            function, in_diff = hunk.group(1) or "", True
        elif line.startswith(("-", "+")):
            end = i
            while end < len(lines) and lines[end].startswith("-"):
                end += 1
            middle = end
            while end < len(lines) and lines[end].startswith("+"):
                end += 1
            removed, added = lines[i:middle], lines[middle:end]
            # Outside a diff, lists of points look alike: only as many "+" as "-" are taken for a change.
            if in_diff or len(removed) == len(added):
                before, after = (tidy_lines([item[1:] for item in part]) for part in (removed, added))
                if before != after:
                    yield EditNote(before, after, path, function)
            else:
                for point in lines[i:end]:
                    yield from _line_notes(point, "", "")
            i = end
            continue
        elif _CODE_FENCE.match(line) and (in_diff or "diff" in line):
            in_diff = "diff" in line
        elif _CODE_FENCE.match(line):
            end = i + 1
            while end < len(lines) and not _CODE_FENCE.match(lines[end]):
                end += 1
            label = next((item for item in reversed(lines[max(0, i - 2) : i]) if item.strip()), "")
            code = tidy_lines(lines[i + 1 : end])
            if end < len(lines):
                if block_before and _AFTER_LABEL.search(label) and code != block_before:
                    yield EditNote(block_before, code, path, function)
                    block_before = ""
                else:
                    block_before = code if _BEFORE_LABEL.search(label) else ""
                if block_before or code:
                    i = end + 1
                    continue
        yield from _line_notes(line, path if line.startswith((" ", "\t")) else "", "")
        i += 1


def parse_edits(text: str) -> list[EditNote]:
    """Read every fix a text tells of, in the order of the text; never raises.

    Understood are the canonical line, `` `a` -> `b` ``, "replace `a` with `b`" and "use `b` instead of `a`",
    unified diffs, labelled blocks of code, JSON objects with a before/after pair, and trajectories (JSON
    or Python notation, also cut short): of a trajectory only the net change counts, and only when the run
    was not a failure.
    Multi-line edits are reduced to the lines that differ.
    """
    events = scan(text)
    found: dict[EditNote, None] = {}
    for event in events:
        if event.kind == "text":
            for note in _text_notes(event.value):
                found.setdefault(note)
        elif event.kind == "mapping" and (pair := edit_pair(event.value)):
            found.setdefault(_mapping_note(event.value, pair))
    for episode in read_episodes(events):
        if episode.outcome == "failed":
            continue
        context = failure_text(episode.failures)
        for change in episode.changes:
            found.setdefault(EditNote(*change, context))
    return list(found)


def _mapping_note(value: dict[str, object], pair: tuple[str, str]) -> EditNote:
    lowered = {key.lower(): item for key, item in value.items() if isinstance(item, str)}

    def first(*names: str) -> str:
        return next((str(lowered[name]) for name in names if name in lowered), "")

    context = first("context", "error", "description", "title", "issue", "symptom", "why", "reason")
    path, function = (
        first("path", "file", "filename", "module", "file_path"),
        first("function", "func", "method"),
    )
    return EditNote(pair[0].strip("\n"), pair[1].strip("\n"), path, function, context)


def failure_text(failures: dict[str, str]) -> str:
    """Say in one phrase which test failed first, and how."""
    for name, error in failures.items():
        return f"{name} failed with {code_span(error)}" if error else f"{name} failed"
    return ""
