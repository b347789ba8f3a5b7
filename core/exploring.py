"""The meta agent that looks around in the archive before it writes: one action a turn, then a design.

The actions are those of the coding agent (``envs_archive.coding``), without all that change anything: the same words,
the same guards around paths and links.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.examples import clip
from core.meta_agent_reply import (
    HYPOTHESIS_CHARS,
    Edit,
    EditError,
    apply_edits,
    extract_code,
    extract_edits,
    one_line,
)
from envs_archive.coding.actions import ActionLimits, Edits, Extended, SemanticIndexes, execute
from envs_archive.coding.parsing import EXTENDED, ActionError, Field, check_text, read_action
from evals.utils.sandbox import probe
from evals.utils.session import Session

STEPS = 16
"""Actions of one exploration, the submission included."""
LIMITS = ActionLimits(command_timeout=20, read_chars=12_000, search_matches=40)
OBSERVATION_CHARS = 12_500
"""A page of a file and its heading; all turns together stay below the size of a prompt (``PROMPT_CHARS``)."""
EXPLORING = {
    **{name: EXTENDED[name] for name in ("read_file", "search", "list_dir")},
    "submit": {
        "hypothesis": Field(str, required=False),
        "code": Field(str, required=False),
        "edits": Field(list, required=False),
    },
}
THOUGHT_CHARS = 500

HOW_TO = f"""\
# How you work
The archive of all designs lies in a folder that you can read and not change; `README.md` there says what is where.
You look around in it, one action a turn, and end with a submission; {STEPS} turns at most. Answer each turn with one
JSON object:
- {{"action": "read_file", "path": "README.md", "offset": 1, "limit": 200}}: numbered lines; the last two are optional
- {{"action": "search", "pattern": "a regular expression", "path": "designs", "glob": "*.md"}}
- {{"action": "list_dir", "path": ".", "depth": 2}}
- {{"action": "submit", "hypothesis": "what it should improve, and why", "code": "the whole file"}}
- {{"action": "submit", "hypothesis": "...", "edits": [{{"old": "text of the design", "new": "text in its place"}}]}}:
  each `old` must stand in the design that you were given exactly once
An optional "thought" says why. Instead of "code" the file may follow the object in one ```python fence."""


class NothingSubmitted(Exception):
    """The exploration ended without a design; the message says so."""


@dataclass(frozen=True)
class Submission:
    """``looked`` are the actions before it, with their thoughts, for the record."""

    source: str
    hypothesis: str | None
    looked: list[dict[str, str]]


async def explore(
    ask: Callable[[str, int], Awaitable[str]], folder: Path, task: str, parent_source: str | None
) -> Submission:
    """Let the meta agent look around until it submits.

    Args:
        ask: sends a message of the conversation, the number of the turn with it; gives the reply.
        folder: what it may read. Nothing is run in it but ``grep``, with the words of a search as arguments.
        parent_source: the design that edits are edits of; None when there is none.

    Raises:
        NothingSubmitted: the turns were used up.
        SandboxLost: nothing can be searched any more; an infrastructure fault.
    """
    root = folder.resolve()
    reading = Extended(root, Edits(), SemanticIndexes())
    looked: list[dict[str, str]] = []
    message = task
    async with Session(probe("process"), root) as session:
        for number in range(1, STEPS + 1):
            reply = await ask(message, number)
            try:
                action = read_action(reply, EXPLORING)
                if action["action"] == "submit":
                    source = _submitted(action, reply, parent_source)
                    stated = one_line(action.get("hypothesis", ""), HYPOTHESIS_CHARS) or None
                    return Submission(source, stated, looked)
                looked.append(_in_words(action))
                text = clip(await execute(action, root, session, LIMITS, reading), OBSERVATION_CHARS)
            except ActionError as error:
                text = f"error: {error}"
            last = "\n\nThis is your last turn: submit now." if number == STEPS - 1 else ""
            message = f"[{number}/{STEPS}] {text}{last}"
    raise NothingSubmitted(
        f"the meta agent submitted no design within {STEPS} turns; the last: {message[:300]}"
    )


def _submitted(action: dict[str, Any], reply: str, parent_source: str | None) -> str:
    """The source that was submitted.

    Raises:
        ActionError: there is none, or edits do not fit.
    """
    if action.get("code", "").strip():
        return action["code"].strip("\n").rstrip() + "\n"
    edits = _edits(action["edits"]) if action.get("edits") else extract_edits(reply)
    if edits:
        if parent_source is None:
            raise ActionError('submit: there is no design to edit; give the whole file as "code"')
        try:
            return apply_edits(parent_source, edits)
        except EditError as error:
            raise ActionError(f"submit: {error}") from error
    source = extract_code(reply) if "```" in reply else None  # a JSON object alone would pass for Python
    if source is None:
        raise ActionError('submit: give the whole file as "code", or "edits"')
    return source


def _edits(values: list[Any]) -> list[Edit]:
    for value in values:
        if not (isinstance(value, dict) and all(isinstance(value.get(name), str) for name in ("old", "new"))):
            raise ActionError('submit: each of "edits" is an object with the texts "old" and "new"')
        for name in ("old", "new"):
            check_text("submit", name, value[name])
    return [Edit(value["old"], value["new"]) for value in values]


def _in_words(action: dict[str, Any]) -> dict[str, str]:
    rest = {name: value for name, value in action.items() if name not in ("action", "thought")}
    words = {"action": f"{action['action']} {json.dumps(rest, ensure_ascii=False)}"[:THOUGHT_CHARS]}
    if thought := action.get("thought", ""):
        words["thought"] = one_line(thought, THOUGHT_CHARS)
    return words
