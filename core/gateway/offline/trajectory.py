"""What happened in an agent's run, worked out from any text that holds its steps.

The text is turned into a flat list of events (actions, observations, rewards, plain text), whatever the
nesting and notation; the events are then replayed: edits are applied to what is known of the files, so
that of many tries only the net change counts that was in force when the tests passed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import filterfalse
from typing import Any, Literal, NamedTuple

from core.gateway.offline.files import Change, FileHistory
from core.gateway.offline.literals import find_literals, read_literal, unescape
from core.gateway.offline.outputs import TestRun, read_test_run

EventKind = Literal[
    "step", "action", "observation", "reward", "issue", "project", "mapping", "text", "begin", "end"
]

_ACTION_KEYS = ("action", "act", "tool_call", "tool", "command")
_OBSERVATION_KEYS = ("observation", "obs", "result", "output", "response", "feedback", "tool_result")
_REWARD_KEYS = ("reward", "final_reward", "score", "final_score", "test_pass_rate", "pass_rate")
_SOLVED_KEYS = ("resolved", "solved", "success", "succeeded", "passed", "is_success", "successful")
_ISSUE_KEYS = ("problem_statement", "issue", "issue_text", "task_description", "problem", "goal")
_PROJECT_KEYS = ("project", "repo", "repository", "project_name")
_THOUGHT_KEYS = ("thought", "thoughts", "reasoning", "think")
_PAIRS = (
    ("before", "after"),
    ("old", "new"),
    ("buggy", "fixed"),
    ("wrong", "right"),
    ("wrong", "correct"),
    ("from", "to"),
    ("original", "replacement"),
    ("buggy_code", "fixed_code"),
    ("old_code", "new_code"),
    ("before_code", "after_code"),
    ("code_before", "code_after"),
    ("bad", "good"),
    ("removed", "added"),
)
_KINDS = ("edit_file", "create_file", "read_file", "run_command", "search", "list_dir", "submit")

_HEADER = re.compile(r"^\[(\d+)/\d+\] ", re.M)
# "score" and "status" are words of issues too: they count at the start of a line only.
_REWARD = re.compile(
    r"(?:\b(?:reward|final[ _]score)|^[ \t>*#-]*(?:score|(?:test )?pass[ _]rate))\b[\"'*`]*"
    r"\s*(?:[:=]|is|was|of)\s*[\"'*`]*(\d+(?:\.\d+)?)\b\s*(%)?",
    re.I | re.M,
)
_OUTCOME = re.compile(
    r"^[ \t>*#-]*(?:final )?(?:outcome|status|resolved|solved|success|result)\b[\"'*`]*\s*[:=]\s*[\"'*`]*"
    r"(?:(success\w*|succeeded|solved|resolved|passed|true|yes)"
    r"|(fail\w*|unsolved|unresolved|false|no|not \w+))\b",
    re.I | re.M,
)
_LABELLED = re.compile(
    r"^[ \t>*-]*(?:old|before|original)\**`?:[ \t]*(?P<old>\S.*)\n"
    r"[ \t>*-]*(?:new|after|replacement)\**`?:[ \t]*(?P<new>\S.*)$",
    re.M | re.I,
)
_PATH = re.compile(r"[\w./-]*\w\.(?:py|pyi|js|ts|java|go|rs|rb|c|h|cpp|toml|cfg|json|yaml|yml)\b")
_PROJECT = re.compile(r"^[ \t>*#-]*project(?:[ _]name)?\**[ \t]*[:=][ \t]*\**`?([\w.-]+)`?", re.M | re.I)
_ISSUE = re.compile(
    r"^[ \t>]*(?:#+[ \t]*)?\**(?:issue|problem(?:[ _]statement)?|task(?: description)?|bug report|goal)\**"
    r"[ \t]*(?::\**[ \t]*|\n)(?P<text>.+?)(?=\n[ \t]*\n[ \t]*\S|\n#|\Z)",
    re.M | re.I | re.S,
)


class Event(NamedTuple):
    kind: EventKind
    value: Any
    start: int
    end: int


@dataclass
class Episode:
    """One run. ``outcome`` is ``unknown`` when the text holds neither a reward nor a test run."""

    project: str = ""
    issue: str = ""
    reward: float | None = None
    outcome: Literal["solved", "failed", "unknown"] = "unknown"
    changes: list[Change] = field(default_factory=list)
    tried: list[Change] = field(default_factory=list)
    failures: dict[str, str] = field(default_factory=dict)
    visible_green: bool = False
    edits: int = 0


def scan(text: str) -> list[Event]:
    """Flatten a text into events, in order."""
    events = _scan(text)
    if '{\\"' in text and not any(event.kind == "action" for event in events):
        # A JSON string of JSON, pasted without its quotes.
        unescaped = _scan(unescape(text))
        if any(event.kind == "action" for event in unescaped):
            return unescaped
    return events


def _scan(text: str) -> list[Event]:
    events: list[Event] = []
    position = 0
    for literal in find_literals(text):
        inner = list(_walk(literal.value, literal.start, literal.end))
        if not inner:
            continue  # an object that says nothing of a run or an edit: leave it to the text around it
        events += _text_events(text[position : literal.start], position)
        events += inner
        position = literal.end
    events += _text_events(text[position:], position)
    return events


def _walk(value: Any, start: int, end: int) -> Iterator[Event]:
    def event(kind: EventKind, content: Any) -> Event:
        return Event(kind, content, start, end)

    if isinstance(value, list):
        for item in value:
            if isinstance(item, dict | list):
                yield from _walk(item, start, end)
            elif isinstance(item, str):
                yield from _nested(item, start, end)
        return
    if not isinstance(value, dict):
        return
    lowered = {key.lower(): key for key in value}
    action = _action_of(value)
    if action is value:
        yield event("action", value)
        for key in _OBSERVATION_KEYS:
            if key in lowered and isinstance(value[lowered[key]], str) and lowered[key] not in _ACTION_KEYS:
                yield event("observation", value[lowered[key]])
        return
    if action is not None:
        for key in ("step", "step_number", "index", "turn"):
            if isinstance(value.get(key), int):
                yield event("step", value[key])
                break
        yield event("action", action)
        for key, item in value.items():
            if key.lower() in _OBSERVATION_KEYS:
                yield event("observation", item if isinstance(item, str) else _joined(item))
            elif isinstance(item, dict | list) and key.lower() not in (*_ACTION_KEYS, *_THOUGHT_KEYS):
                yield from _walk(item, start, end)
        return
    reward = _reward_of(value, lowered)
    if reward is not None:
        yield event("begin", None)
        yield event("reward", reward)
    for key, item in value.items():
        name = key.lower()
        if name in _ISSUE_KEYS and isinstance(item, str):
            yield event("issue", item)
        elif name in _PROJECT_KEYS and isinstance(item, str):
            yield event("project", item)
        elif isinstance(item, dict | list):
            yield from _walk(item, start, end)
        elif isinstance(item, str):
            yield from _nested(item, start, end)
    if edit_pair(value):
        yield event("mapping", value)
    if reward is not None:
        yield event("end", None)


def _nested(text: str, start: int, end: int) -> Iterator[Event]:
    if "`" in text or "\n" in text or "action" in text:  # else a plain value: nothing to find in it
        for inner in scan(text):
            yield Event(inner.kind, inner.value, start, end)


def edit_pair(value: dict[str, Any]) -> tuple[str, str] | None:
    """Return the (before, after) code an object names, under any of the usual pairs of keys."""
    lowered = {key.lower(): item for key, item in value.items()}
    for before, after in _PAIRS:
        old, new = lowered.get(before), lowered.get(after)
        if isinstance(old, str) and isinstance(new, str) and old != new:
            return old, new
    return None


def _joined(value: Any) -> str:
    if isinstance(value, dict):
        return "\n".join(str(item) for item in value.values())
    return str(value)


def _action_of(value: dict[str, Any]) -> dict[str, Any] | None:
    """Return the action an object is or carries."""
    name = value.get("action")
    if isinstance(name, str) and name in _KINDS:
        return value
    for key, item in value.items():
        if key.lower() not in _ACTION_KEYS:
            continue
        if isinstance(item, str) and item.lstrip().startswith("{"):
            literal = read_literal(item, item.index("{"))
            item = literal.value if literal else None
        if isinstance(item, dict) and isinstance(item.get("action"), str):
            return item
    return None


def _reward_of(value: dict[str, Any], lowered: dict[str, str]) -> float | None:
    for key in _REWARD_KEYS:
        item = value.get(lowered.get(key, ""))
        if isinstance(item, int | float) and not isinstance(item, bool):
            return float(item)
    for key in _SOLVED_KEYS:
        item = value.get(lowered.get(key, ""))
        if isinstance(item, bool):
            return 1.0 if item else 0.0
    return None


def _text_events(text: str, offset: int) -> list[Event]:
    """Events of text outside literals; the text itself always comes last, for whoever reads notes in it."""
    if not text.strip():
        return []
    found: list[tuple[int, EventKind, Any]] = []
    headers = [match.start() for match in _HEADER.finditer(text)]
    for start, stop in zip(headers, [*headers, len(text)][1:], strict=True):
        number = int(text[start + 1 : text.index("/", start)])
        found += [(start, "step", number), (start, "observation", text[start:stop])]
    if not headers and (run := read_test_run(text)) and (run.explicit or run.failures):
        found.append((0, "observation", text))
    for match in _LABELLED.finditer(text):
        paths = _PATH.findall(text, 0, match.start())
        action = {
            "action": "edit_file",
            "path": paths[-1] if paths else "",
            "old": match["old"],
            "new": match["new"],
        }
        action["old"], action["new"] = (action[k].strip().strip("`").strip() for k in ("old", "new"))
        found.append((match.start(), "action", action))
    issues = list(_ISSUE.finditer(text))
    quoted = [(match.start("text"), match.end("text")) for match in issues]

    def in_issue(match: re.Match[str]) -> bool:
        return any(start <= match.start() < end for start, end in quoted)

    for match in _REWARD.finditer(text):
        amount = float(match.group(1)) / (100 if match.group(2) else 1)
        if amount <= 1 and not in_issue(match):
            found.append((match.start(), "reward", amount))
    for match in filterfalse(in_issue, _OUTCOME.finditer(text)):
        found.append((match.start(), "reward", 1.0 if match.group(1) else 0.0))
    for match in _PROJECT.finditer(text):
        found.append((match.start(), "project", match.group(1)))
    for match in issues:
        found.append((match.start(), "issue", match["text"].strip()))
    found.sort(key=lambda item: item[0])
    events = [Event(kind, value, offset + at, offset + at) for at, kind, value in found]
    return [*events, Event("text", text, offset, offset + len(text))]


class _Replay:
    """Builds one episode out of its events."""

    def __init__(self) -> None:
        self.episode = Episode()
        self.files = FileHistory()
        self.pending: dict[str, Any] | None = None
        self.observed = ""
        self.last_step = 0
        self.submitted = False
        self.last_run: TestRun | None = None
        self.edited_since_run = False
        self.tried: dict[tuple[str, str], Change] = {}

    @property
    def started(self) -> bool:
        return self.pending is not None or self.last_step > 0 or self.submitted or self.episode.edits > 0

    def act(self, action: dict[str, Any]) -> None:
        self.finish_action()
        self.pending, self.observed = action, ""
        self.submitted = action.get("action") == "submit"

    def finish_action(self) -> None:
        action, observed = self.pending, self.observed
        self.pending, self.observed = None, ""
        if action is None:
            if run := read_test_run(observed):
                self.test_run(run)
            return
        kind, path = action.get("action"), _text(action.get("path"))
        if kind == "edit_file":
            applied = self.files.edit(path, action, observed)
            if applied:
                self.episode.edits += 1
                self.edited_since_run = True
        elif kind == "read_file":
            self.files.saw(path, observed)
        elif kind == "run_command":
            command = _text(action.get("command"))
            self.files.command(command, observed)
            if run := read_test_run(observed, command):
                self.test_run(run)

    def test_run(self, run: TestRun) -> None:
        self.last_run, self.edited_since_run = run, False
        if not run.green:
            if not self.episode.failures:
                self.episode.failures = dict(run.failures)
            for change in self.files.changes():
                self.tried.setdefault((change.before, change.after), change)

    def result(self) -> Episode:
        self.finish_action()
        episode = self.episode
        green = self.last_run is not None and self.last_run.green and not self.edited_since_run
        episode.visible_green = green
        episode.changes = self.files.changes()
        if episode.reward is not None:
            episode.outcome = "solved" if episode.reward >= 0.9995 else "failed"
        elif self.last_run is not None:
            episode.outcome = "solved" if green else "failed"
        kept = {(c.before, c.after) for c in episode.changes} if episode.outcome != "failed" else set()
        episode.tried = [change for key, change in self.tried.items() if key not in kept]
        if episode.outcome == "failed":
            known = {(c.before, c.after) for c in episode.tried}
            episode.tried += [c for c in episode.changes if (c.before, c.after) not in known]
        return episode


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def read_episodes(events: list[Event]) -> list[Episode]:
    """Replay events into episodes.

    A new episode begins where step numbers start again, after a submission, or at an object with a reward
    of its own.
    A reward belongs to the steps before it, unless the first one in the text stands before the first step.
    """
    kinds = [event.kind for event in events]
    reward_first = "reward" in kinds and "action" in kinds and kinds.index("reward") < kinds.index("action")
    replays: list[_Replay] = []
    current = _Replay()
    scoped = 0

    def fresh() -> None:
        nonlocal current
        if current.started:
            replays.append(current)
            after = _Replay()
            after.episode.project = current.episode.project
            current = after

    for kind, value, _, _ in events:
        if kind == "begin":
            scoped += 1
            if scoped == 1:
                fresh()
        elif kind == "end":
            scoped = max(scoped - 1, 0)
            if scoped == 0:
                fresh()
        elif kind == "step":
            if value < current.last_step or (value == 1 and current.last_step == 1 and current.submitted):
                fresh()
            current.last_step = value
        elif kind == "action":
            if current.submitted:
                fresh()
            current.act(value)
        elif kind == "observation":
            current.observed = f"{current.observed}\n{value}" if current.observed else value
        elif kind == "reward":
            if current.started and reward_first and not scoped and current.episode.reward is not None:
                fresh()
            if current.episode.reward is None:
                current.episode.reward = value
        elif kind in ("issue", "project") and not (current.started and getattr(current.episode, kind)):
            setattr(current.episode, kind, value)
    fresh()
    return [replay.result() for replay in replays]
