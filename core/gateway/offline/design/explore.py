"""The answers to ``explore``: which file of the archive to read next, and in the end the design.

The model is stateless: what it has read stands in the conversation. It reads the index, the design it is asked about,
that design's score and rewrites, and its trajectories; what it makes of them is what ``analyze`` and ``generate`` make.
"""

from __future__ import annotations

import json
import random
import re
from typing import Any, NamedTuple

from core.gateway.offline.design.analyze import analyze
from core.gateway.offline.design.as_edits import edits_of
from core.gateway.offline.design.reading import Situation, read_situation
from core.gateway.offline.design.write import successor
from core.gateway.offline.files import unnumbered

PAGES = 3
"""So many pages of a file are read; trajectories go on and on."""
_TURN = re.compile(r"\[(\d+)/(\d+)\] ")
_MORE = re.compile(r"^\.\.\. \d+ more lines: go on with offset (\d+)$", re.MULTILINE)


class _Looked(NamedTuple):
    """What the conversation has brought so far."""

    files: dict[str, list[str]]
    pages: dict[str, int]
    further: dict[str, int]
    listed: dict[str, str]
    left: int


def explore(messages: list[dict[str, Any]], system: str, rng: random.Random) -> str:
    """The next action as a JSON object."""
    said = [str(m["content"]) for m in messages if m["role"] != "system"]
    task, looked = said[0], _look_back(said)
    asked = re.search(r"[Dd]esign (\w{4,})(?: with design (\w+))?", task)
    sha, second = (asked[1], asked[2]) if asked and "from scratch" not in task else (None, None)
    wanted = ["README.md"]
    if sha:
        wanted += [f"designs/{sha}/{name}" for name in ("design.py", "about.md", "trajectories.md")]
    if second:
        wanted.append(f"designs/{second}/design.py")
    if looked.left > 1:
        for path in wanted:
            if path not in looked.pages:
                return _said({"action": "read_file", "path": path}, f"{path} comes next")
            offset = looked.further.get(path)
            if offset is not None and looked.pages[path] < PAGES:
                return _said({"action": "read_file", "path": path, "offset": offset}, "it goes on")
        if "designs" not in looked.listed:
            return _said({"action": "list_dir", "path": "designs"}, "what is there already is not made again")
    return _submission(_situation(looked, task, sha, second), task, system, rng)


def _look_back(said: list[str]) -> _Looked:
    looked = _Looked({}, {}, {}, {}, 99)
    left = 99
    for asked, seen in zip(said[1::2], said[2::2], strict=False):
        match = _TURN.match(seen)
        try:
            action = json.loads(asked)
        except ValueError:
            continue
        if match is None or not isinstance(action, dict):
            continue
        left = int(match[2]) - int(match[1])
        path = str(action.get("path", "."))
        if action.get("action") == "list_dir":
            looked.listed[path] = seen
        elif action.get("action") == "read_file":
            looked.pages[path] = looked.pages.get(path, 0) + 1
            looked.files.setdefault(path, []).extend(unnumbered(seen))
            more = _MORE.search(seen)
            looked.further.pop(path, None)
            if more:
                looked.further[path] = int(more[1])
    return looked._replace(left=left)


def _situation(looked: _Looked, task: str, sha: str | None, second: str | None) -> Situation:
    def text(path: str) -> str:
        return "\n".join(looked.files.get(path, ()))

    names = ("about.md", "trajectories.md")
    seen = read_situation(
        "\n".join([text("README.md"), *(text(f"designs/{sha}/{name}") for name in names), task])
    )
    seen.shas |= set(re.findall(r"^(\w+)/$", looked.listed.get("designs", ""), re.MULTILINE))
    if sha:
        seen.sha, seen.source = sha, text(f"designs/{sha}/design.py") + "\n"
    if second:
        seen.second_sha, seen.second_source = second, text(f"designs/{second}/design.py") + "\n"
    return seen


def _submission(seen: Situation, task: str, system: str, rng: random.Random) -> str:
    if seen.source is not None:
        seen.analysis = analyze(seen, system, rng)
    made = successor(seen, system, rng)
    edits = edits_of(seen.source, made.source) if seen.source and "submit edits of it" in task else None
    action: dict[str, Any] = {"action": "submit", "hypothesis": made.hypothesis}
    if edits:
        action["edits"] = [{"old": old, "new": new} for old, new in edits]
    else:
        action["code"] = made.source
    return _said(action, "what was read is enough to write it")


def _said(action: dict[str, Any], thought: str) -> str:
    return json.dumps({**action, "thought": thought}, ensure_ascii=False)
