"""Carries out an agent's actions in its workspace and words what it sees of them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from evals.utils.sandbox import CommandResult
from evals.utils.session import Session

from . import extended_actions, file_actions
from .extended_actions import Edits
from .parsing import ActionError, parse_action
from .semantic_search import DEFAULT_PLACES, SemanticIndexes
from .stable_text import stabilise

__all__ = ["ActionError", "ActionLimits", "Edits", "Extended", "SandboxLost", "SemanticIndexes"]
__all__ += ["execute", "parse_action"]

NO_PERL = re.compile(r"invalid option|not (built|compiled)|does not support")  # of grep -P
MAX_MATCH_LINE = 300  # characters shown of one matching line


class SandboxLost(OSError):
    """Commands cannot be run: an infrastructure fault, never the agent's."""


@dataclass(frozen=True)
class ActionLimits:
    """What one action may cost.

    Attributes:
        command_timeout: seconds; the most that an agent's own "timeout" can ask for, and the default.
        read_chars: characters of a file that read_file shows.
        search_matches: matching lines that search shows.
    """

    command_timeout: float = 60
    read_chars: int = 10_000
    search_matches: int = 100


@dataclass(frozen=True)
class Extended:
    """What the extended action space needs beside the workspace.

    Attributes:
        base: the tree the workspace was made from.
        edits: of this episode.
        indexes: for semantic_search.
    """

    base: Path
    edits: Edits
    indexes: SemanticIndexes


async def execute(
    action: dict[str, Any],
    workspace: Path,
    session: Session,
    limits: ActionLimits,
    extended: Extended | None = None,
) -> str:
    """Carry out one parsed action other than submit.

    Args:
        action: from `parse_action`.
        workspace: its real path.
        session: the sandbox session around this workspace.
        extended: given in the extended action space.

    Returns:
        The observation, without the step counter in front.

    Raises:
        ActionError: it could not be carried out; nothing was changed.
        SandboxLost: see there.
    """
    if extended is not None:
        return await _execute_extended(action, workspace, session, limits, extended)
    match action["action"]:
        case "read_file":
            return file_actions.read_file(workspace, action["path"], limits.read_chars)
        case "edit_file":
            parts = (action.get(key) for key in ("old", "new", "content"))
            return file_actions.edit_file(workspace, action["path"], *parts)
        case "create_file":
            return file_actions.create_file(workspace, action["path"], action["content"])
        case "list_dir":
            return file_actions.list_dir(workspace, action.get("path", "."))
        case "search":
            return await _search(action, workspace, session, limits)
        case "run_command":
            return await _run_command(action, workspace, session, limits)
    raise ValueError(f"not an action to execute: {action['action']!r}")


async def _execute_extended(
    action: dict[str, Any], workspace: Path, session: Session, limits: ActionLimits, extended: Extended
) -> str:
    path = action.get("path")
    match action["action"]:
        case "read_file":
            offset, limit = int(action.get("offset", 1)), action.get("limit")
            lines = None if limit is None else int(limit)
            return extended_actions.read_lines(workspace, path, offset, lines, limits.read_chars)
        case "list_dir" if "depth" in action:
            return extended_actions.list_tree(workspace, path or ".", int(action["depth"]))
        case "edit_file":
            parts = (action.get(key) for key in ("old", "new", "content"))
            edit = partial(file_actions.edit_file, workspace, path, *parts)
        case "create_file":
            edit = partial(file_actions.create_file, workspace, path, action["content"])
        case "replace_lines":
            span = int(action["start"]), int(action["end"])
            edit = partial(extended_actions.replace_lines, workspace, path, *span, action["new"])
        case "undo_edit":
            return extended.edits.undo(workspace, path)
        case "semantic_search":
            places = int(action.get("limit", DEFAULT_PLACES))
            return await extended.indexes.search(extended.base, action["query"], places)
        case _:
            return await execute(action, workspace, session, limits)
    return extended.edits.carry_out(workspace, action, edit)


async def _run_command(
    action: dict[str, Any], workspace: Path, session: Session, limits: ActionLimits
) -> str:
    seconds = min(action.get("timeout", limits.command_timeout), limits.command_timeout)
    result = await _run(session, action["command"], seconds)
    if result.timed_out:
        ended = f"timed out after {seconds:g} s"
    elif result.error is not None:
        ended = "it ended its own sandbox"
    else:
        ended = f"exit code {result.exit_code}"
    output = stabilise(result.output, str(workspace)).rstrip("\n")
    return f"run_command: {ended}" + (f"\n{output}" if output else "")


async def _search(action: dict[str, Any], workspace: Path, session: Session, limits: ActionLimits) -> str:
    pattern = action["pattern"]
    target, name = file_actions.locate(workspace, action.get("path", "."), "search")
    if not target.exists():
        raise ActionError(f"search: {name} does not exist")
    argv = ["--exclude-dir=.git", "--exclude-dir=__pycache__"]
    argv += [f"--max-count={limits.search_matches}"]
    if action.get("glob"):
        argv.append(f"--include={action['glob']}")
    argv += ["-e", pattern, "--", name]
    # Perl's expressions are what models write (\d, (?:...)); a grep without them still has the extended ones.
    result = await _run(session, ["grep", "-rnIHP", *argv], limits.command_timeout)
    if result.exit_code == 2 and NO_PERL.search(result.output):
        result = await _run(session, ["grep", "-rnIHE", *argv], limits.command_timeout)
    if result.timed_out:
        raise ActionError(f"search: timed out after {limits.command_timeout:g} s")
    matches = [line for line in map(_match_line, result.output.split("\n")) if line is not None]
    if result.exit_code not in (0, 1) and not matches:
        raise ActionError(f"search: {_reason(result)}")
    matches.sort(key=lambda match: match[:2])  # grep lists a folder in no fixed order
    shown = [f"{path}:{number}:{text}" for path, number, text in matches[: limits.search_matches]]
    if len(matches) > len(shown) or result.truncated:
        shown.append(f"... only the first {len(shown)} matches are shown: search for something more specific")
    plural = "match" if len(matches) == 1 else "matches"
    return "\n".join([f"search {pattern!r}: {len(matches)} {plural}", *shown])


async def _run(session: Session, command: str | list[str], seconds: float) -> CommandResult:
    """Run a command; when its sandbox dies under it, find out whose fault that was.

    A sandbox that was killed from outside must not look to the agent as if its command had done that: the command is
    run once more, and only when its sandbox dies again it was the command's doing.

    Raises:
        SandboxLost: no sandbox can be started any more.
    """
    result = await session.run(command, wall_s=seconds)
    if result.error is not None:
        again = await session.run(["true"], wall_s=10)
        if again.error is not None:
            raise SandboxLost(again.error)
        result = await session.run(command, wall_s=seconds)
    return result


def _match_line(line: str) -> tuple[str, int, str] | None:
    found = re.match(r"(.+?):(\d+):(.*)", line, re.DOTALL)
    if not found:
        return None
    text = found[3].rstrip("\r")
    if len(text) > MAX_MATCH_LINE:
        text = text[:MAX_MATCH_LINE] + "..."
    return found[1].removeprefix("./"), int(found[2]), text


def _reason(result: CommandResult) -> str:
    lines = result.output.strip().splitlines()
    return lines[0].removeprefix("grep: ") if lines else f"grep ended with exit code {result.exit_code}"
