"""The commands that a finished search is gone on with: on the same tasks, halves and runs as its own."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from core import flags
from core.design_file import NO_MEMORY
from core.options import DEFAULT_TASKS, Options

HOW_TASKS_ARE_RUN = (
    "train_size",
    "update_size",
    "rollout_type",
    "memory_tokens",
    "action_space",
    "history_limit",
    "repo_cache",
    "environments",
)


def score_command(options: Options | Mapping[str, Any], sha: str) -> str:
    """Scores a design of this search on the tasks that had no part in choosing it."""
    return f"python run_main.py --status test --memo_SHA {NO_MEMORY},{sha}{same_tasks(options)}"


def evolve_on_command(options: Options, archive: Path) -> str:
    """Goes on with the archive of this search."""
    return f"python run_main.py --history_ckpt_path {shlex.quote(str(archive))}{same_tasks(options)}"


def same_tasks(options: Options | Mapping[str, Any]) -> str:
    """The flags that say on which tasks and how, as far as they differ from the defaults; each after a blank.

    Args:
        options: those of a run, or what could be read of them: what is not there is taken to be the default.
    """
    asked = vars(options) if isinstance(options, Options) else options
    given = {"tasks": asked["tasks"]} if asked.get("tasks", DEFAULT_TASKS) != DEFAULT_TASKS else {}
    if asked.get("repeats", 3) != 3:
        given["repeats"] = asked["repeats"]
    usual = flags.parser("").get_default
    given |= {n: asked[n] for n in HOW_TASKS_ARE_RUN if n in asked and asked[n] != usual(n)}
    return "".join(f" --{name} {shlex.quote(str(value))}" for name, value in given.items())
