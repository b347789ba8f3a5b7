"""What one conversation says: the task, and the workspace as the actions so far left it.

The model is stateless, so everything is replayed from the messages on each call. Nothing here decides
anything; it only turns text into typed state, and it accepts any text.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field, replace
from functools import lru_cache

from core.gateway.offline.files import unnumbered

from .testlog import TestRun, parse_run
from .watching import MARK

READ_LIMIT = 10_000  # characters one read_file observation shows

_HEADER = re.compile(r"\[(\d+)/(\d+)\] (.*)")
_READ = re.compile(r"read_file (.+): (\d+) characters(?:, lines (\d+)-(\d+) of (\d+))?$")
_OFFSET = '"offset"'  # in a system prompt that offers read_file by lines
_CUT_LINE = re.compile(r"\n?\.\.\. cut at \d+ of \d+ characters[^\n]*\s*\Z")
_EXIT = re.compile(r"run_command: (?:exit code (-?\d+)|timed out)")
_SED = re.compile(r"sed -n '(\d+),(\d+)p' '?([^']+?)'?$")
_MATCH_LINE = re.compile(r"^(?:\./)?([^:\n]+):(\d+):(.*)$", re.M)


@dataclass(frozen=True)
class Task:
    """The first user turn, taken apart. `memory` is "" when the turn has no notes."""

    issue: str = ""
    project: str = ""
    files: tuple[str, ...] = ()
    test_command: str = "python -m pytest -q"
    step_limit: int = 30
    memory: str = ""
    reads_lines: bool = False  # read_file shows numbered lines, and goes on with "offset"


@dataclass
class FileState:
    """One file as known so far: `original` as first read, `current` after the edits that succeeded."""

    original: str
    current: str
    total: int  # characters of the whole file as the tool reported them

    @property
    def complete(self) -> bool:
        return len(self.original) >= self.total


@dataclass(frozen=True)
class Step:
    """One action of the agent with what came back."""

    action: dict
    observation: str
    error: bool
    timed_out: bool = False
    exit_code: int | None = None


@dataclass(frozen=True)
class Trial:
    """A test run, with the files that differed from their original text at that moment (path -> text)."""

    run: TestRun
    changed: tuple[tuple[str, str], ...]


@dataclass
class State:
    """Everything the policy needs to choose the next action."""

    task: Task
    steps: list[Step] = field(default_factory=list)
    files: dict[str, FileState] = field(default_factory=dict)
    trials: list[Trial] = field(default_factory=list)
    found: dict[str, list[tuple[str, int, str]]] = field(default_factory=dict)  # search pattern -> matches
    unreadable: set[str] = field(default_factory=set)
    watched: str | None = None  # output of the watched run
    step_limit: int = 30

    @property
    def remaining(self) -> int:
        """Steps left, the coming one included."""
        return self.step_limit - len(self.steps)

    @property
    def changed(self) -> tuple[tuple[str, str], ...]:
        return tuple((p, f.current) for p, f in sorted(self.files.items()) if f.current != f.original)

    @property
    def tested(self) -> bool:
        """Whether the last test run saw the files as they are now."""
        return bool(self.trials) and self.trials[-1].changed == self.changed


def first_action(text: str) -> dict:
    """The first JSON object with an "action" key in `text`, or {}."""
    decoder = json.JSONDecoder()
    at = text.find("{")
    while at >= 0:
        try:
            value, _ = decoder.raw_decode(text, at)
        except (ValueError, RecursionError):
            value = None
        if isinstance(value, dict) and "action" in value:
            return value
        at = text.find("{", at + 1)
    return {}


@lru_cache(maxsize=4096)
def _action(text: str) -> str:
    return json.dumps(first_action(text))


def _section(text: str, title: str, until: tuple[str, ...]) -> str:
    match = re.search(rf"^# {title}[ \t]*$", text, re.M)
    if not match:
        return ""
    rest = text[match.end() :]
    ends = [m.start() for name in until if (m := re.search(rf"^# {name}[ \t]*$", rest, re.M))]
    return rest[: min(ends)] if ends else rest


@lru_cache(maxsize=512)
def parse_task(text: str) -> Task:
    """Read the first user turn. Missing parts keep their defaults."""
    memory = ""
    start = re.search(r"^# Notes from earlier tasks[ \t]*$", text, re.M)
    head = text
    if start:
        head, notes = text[: start.start()], text[start.end() :]
        opened, closed = notes.find("<memory>"), notes.rfind("</memory>")
        memory = notes[opened + 8 : closed].strip() if 0 <= opened < closed else ""
    # The issue is free text and may hold headings itself: the repository section is the last one.
    marks = list(re.finditer(r"^# Repository[ \t]*$", head, re.M))
    body = head[marks[-1].end() :] if marks else head
    issue = _section(head[: marks[-1].start()] if marks else head, "Issue", ()) or head[:4000]

    def line(label: str, default: str) -> str:
        found = re.search(rf"^{label}:[ \t]*(.+)$", body, re.M)
        return found.group(1).strip() if found else default

    listing = re.search(r"^Files:[ \t]*\n(.*?)(?=^Test command:|\Z)", body, re.M | re.S)
    names = [n.strip() for n in listing.group(1).splitlines()] if listing else []
    limit = re.search(r"\d+", line("Step limit", "30"))
    return Task(
        issue=issue.strip(),
        project=line("Project", ""),
        files=tuple(n.removeprefix("./") for n in names if n and not n.startswith("... and ")),
        test_command=line("Test command", "python -m pytest -q"),
        step_limit=max(1, int(limit.group()[:6])) if limit else 30,
        memory=memory,
    )


def _text_of(message: object) -> tuple[str, str]:
    if not isinstance(message, dict):
        return "", ""
    content = message.get("content")
    if isinstance(content, list):  # the parts form of the chat API
        content = "\n".join(str(p.get("text", "")) for p in content if isinstance(p, dict))
    return str(message.get("role", "")), content if isinstance(content, str) else ""


def read_state(messages: list[dict]) -> State:
    """Replay a conversation. Unknown or malformed turns are skipped; never raises on strange text."""
    turns = [_text_of(m) for m in messages] if isinstance(messages, list) else []
    turns = [(role, text) for role, text in turns if role in ("user", "assistant")]
    first = next((i for i, (role, _) in enumerate(turns) if role == "user"), None)
    if first is None:
        return State(task=Task())
    offered = "".join(text for role, text in map(_text_of, messages) if role == "system")
    task = replace(parse_task(turns[first][1]), reads_lines=_OFFSET in offered)
    state = State(task=task, step_limit=task.step_limit)
    pending: dict | None = None
    for role, text in turns[first + 1 :]:
        if role == "assistant":
            pending = json.loads(_action(text))
        elif pending is not None:
            _apply(state, pending, text)
            pending = None
    return state


def _apply(state: State, action: dict, observation: str) -> None:
    head, _, body = observation.partition("\n")
    header = _HEADER.match(head)
    summary = header.group(3) if header else head
    if header:
        state.step_limit = max(1, int(header.group(2)[:6]))
    code = _EXIT.match(summary)
    step = Step(
        action=action,
        observation=body,
        error=summary.startswith("error"),
        timed_out=bool(code) and code.group(1) is None,
        exit_code=int(code.group(1)[:9]) if code and code.group(1) is not None else None,
    )
    state.steps.append(step)
    kind, path = action.get("action"), action.get("path")
    path = path.removeprefix("./") if isinstance(path, str) else ""
    if step.error:
        if kind == "read_file":
            state.unreadable.add(path)
        return
    if kind == "read_file" and (shown := _READ.match(summary)):
        total = int(shown.group(2)[:9])
        if shown.group(3) is None:
            _note_read(state, path, body, total)
        else:
            _note_lines(state, path, body, total, tuple(int(shown.group(n)[:9]) for n in (3, 4, 5)))
    elif kind == "edit_file" and path in state.files:
        _note_edit(state.files[path], action)
    elif kind == "run_command" and code:
        _note_command(state, str(action.get("command", "")), step)
    elif kind == "search":
        rows = [(p, int(n[:9]), t) for p, n, t in _MATCH_LINE.findall(body)]
        state.found[str(action.get("pattern", ""))] = rows


def _note_read(state: State, path: str, body: str, total: int) -> None:
    text = body if len(body) <= total else body[:total]
    if len(body) > READ_LIMIT or total > READ_LIMIT:
        text = _CUT_LINE.sub("", body)[:READ_LIMIT]
        text = text[: text.rfind("\n") + 1]  # whole lines only; sed continues at the next one
    elif len(text) == total - 1:
        text += "\n"  # a transport that strips the end of a message loses just this
    if path not in state.files:
        state.files[path] = FileState(text, text, total)


def _note_lines(state: State, path: str, body: str, total: int, span: tuple[int, int, int]) -> None:
    """Numbered lines (first, last, of how many): the first part of a file, or what follows on what is known of it."""
    first, last, count = span
    known = state.files.get(path, FileState("", "", total))
    if first != known.original.count("\n") + 1:
        return
    text = known.original + "".join(f"{line}\n" for line in unnumbered(body))
    if last == count and len(text) == total + 1:
        text = text[:-1]  # the last line has no line break
    complete = len(text) if last == count else total  # carriage returns are counted and not shown
    current = text if known.current == known.original else known.current
    state.files[path] = FileState(text, current, complete)


def _note_edit(file: FileState, action: dict) -> None:
    old, new, content = action.get("old"), action.get("new"), action.get("content")
    if isinstance(content, str):
        file.current = content
    elif isinstance(old, str) and isinstance(new, str) and old and file.current.count(old) == 1:
        file.current = file.current.replace(old, new)


def _note_command(state: State, command: str, step: Step) -> None:
    sed = _SED.match(command.strip())
    if sed and sed.group(3) in state.files:
        file = state.files[sed.group(3)]
        known = file.original.count("\n")
        wanted = int(sed.group(2)) - int(sed.group(1)) + 1
        text = step.observation + ("" if step.observation.endswith("\n") else "\n")
        reaches_end = len(file.original) + len(text) >= file.total - 1
        if int(sed.group(1)) == known + 1 and (text.count("\n") == wanted or reaches_end):
            unedited = file.current == file.original
            file.original = (file.original + text)[: max(file.total, len(file.original))]
            if unedited:
                file.current = file.original
        else:
            state.unreadable.add(sed.group(3))
    elif MARK in command:
        state.watched = step.observation
    elif "pytest" in command or command.strip() == state.task.test_command:
        run = parse_run(step.observation, step.exit_code, step.timed_out)
        state.trials.append(Trial(run, state.changed))
