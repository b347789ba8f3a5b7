from __future__ import annotations

import difflib
import re
import textwrap
from dataclasses import dataclass

from eval_envs.base_envs import Basic_Recorder


@dataclass(frozen=True)
class Edit:
    """A change that was in force when the tests passed, without the lines it left alone."""

    path: str
    function: str
    before: str
    after: str


def final_edits(recorder: Basic_Recorder) -> list[Edit]:
    """The changes in force at the end of a solved run, or else at its last run of passing tests.

    Most edits of a run are tries that were undone, so each file is followed from its first known text.
    """
    first: dict[str, str] = {}
    now: dict[str, str] = {}
    kept: dict[str, str] = {}
    for step in recorder.steps:
        action, observation = step.get("action") or {}, str(step.get("observation", ""))
        kind, path = action.get("action"), str(action.get("path", ""))
        head, _, body = observation.partition("\n")
        if "] error:" in head:
            continue
        if (
            kind == "read_file"
            and path not in now
            and not re.search(r"\n\.\.\. (cut at|\d+ more lines)", observation)
        ):
            numbered = re.findall(r"^ *\d+\t(.*)$", body, re.M) if ", lines 1-" in head else None
            first[path] = now[path] = body if numbered is None else "\n".join(numbered)
        elif kind in ("edit_file", "create_file"):
            follow(first, now, path, action)
        elif kind == "run_command":
            command = str(action.get("command", ""))
            if re.search(r"git (checkout|restore|reset|stash)", command):
                now.update(first)
            if "test" in command and "exit code 0" in head:
                kept = dict(now)
    if recorder.reward >= 1.0:
        kept = now
    return [
        edit
        for path, text in kept.items()
        if not re.search(r"(^|/)(tests?/|test_|conftest)", path)
        for edit in changed(path, first.get(path, ""), text)
    ]


def follow(first: dict[str, str], now: dict[str, str], path: str, action: dict) -> None:
    """Apply one edit to what is known of a file; of a file never read, only the edited text is known."""
    if "old" not in action:
        now[path] = str(action.get("content", ""))
        first.setdefault(path, now[path])
        return
    old, new = str(action["old"]), str(action.get("new", ""))
    if path not in now:
        first[path], now[path] = old, new
    elif old in now[path]:
        now[path] = now[path].replace(old, new, 1)
    else:
        first[path], now[path] = f"{first[path]}\n...\n{old}", f"{now[path]}\n...\n{new}"


def changed(path: str, before: str, after: str) -> list[Edit]:
    """The differing blocks of two versions of a file; blocks of more than 12 lines are no fix but a rewrite."""
    a, b = before.splitlines(), after.splitlines()
    edits = []
    for tag, a1, a2, b1, b2 in difflib.SequenceMatcher(None, a, b, autojunk=False).get_opcodes():
        if tag == "equal" or max(a2 - a1, b2 - b1) > 12:
            continue
        old, new = (textwrap.dedent("\n".join(x)).strip() for x in (a[a1:a2], b[b1:b2]))
        names = [m[1] for line in a[: a1 + 1] if (m := re.match(r"\s*(?:async )?def (\w+)", line))]
        if old or new:
            edits.append(Edit(path, names[-1] if names else "", old, new))
    return edits


def first_failure(recorder: Basic_Recorder) -> tuple[str, str]:
    """Name and message of the first failing test of a run, each empty when there is none."""
    for step in recorder.steps:
        found = re.search(r"^FAILED \S*?::(\S+)(?: - (.*))?$", str(step.get("observation", "")), re.MULTILINE)
        if found:
            return found[1], (found[2] or "").strip()[:160]
    return "", ""
