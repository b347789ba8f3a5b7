"""Series: many tasks of one library, some of which come after the library's people decided otherwise.

A series is a project folder with, beside ``repo/`` and ``bugs.yaml``, a ``decisions.yaml``: named changes of the
library, its README and its tests. A task that comes ``after`` a decision starts from a library changed by it, so that
what earlier tasks taught is out of date there.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from envs_archive.coding.dataset import Bug, DatasetError, Tree

LENGTH = 24
FREE_FAMILIES = ("one-off", "multi")
"""Families whose members have nothing in common."""


def load_decisions(path: Path) -> dict[str, list[dict[str, str]]]:
    """Read a ``decisions.yaml``: list of {id, edits: [{path, old, new}]}; returns the edits by id.

    Raises ``DatasetError`` when it is anything else.
    """
    try:
        entries = yaml.safe_load(path.read_text(encoding="utf-8"))
        decisions = {entry["id"]: entry["edits"] for entry in entries}
        edits = [edit for group in decisions.values() for edit in group]
        good = all(set(edit) == {"path", "old", "new"} for edit in edits)
    except (OSError, yaml.YAMLError, KeyError, TypeError) as error:
        raise DatasetError([f"{path}: cannot be read: {' '.join(str(error).split())}"]) from error
    if not good:
        raise DatasetError([f"{path}: the fields of an edit must be exactly path, old, new"])
    return decisions


def decide(clean: Tree, edits: list[dict[str, str]]) -> Tree:
    """The library after a decision. Raises ``DatasetError`` when an edit does not fit exactly once."""
    tree = dict(clean)
    for edit in edits:
        if tree.get(edit["path"], "").count(edit["old"]) != 1:
            raise DatasetError(
                [f"decision on {edit['path']}: must occur exactly once: {edit['old'].strip()!r}"]
            )
        tree[edit["path"]] = tree[edit["path"]].replace(edit["old"], edit["new"])
    return tree


def check_series(project: str, bugs: list[Bug], decisions: dict[str, Any]) -> list[str]:
    """What is wrong with the tasks of a series, in words."""
    problems = []
    if len(bugs) != LENGTH:
        problems.append(f"{project}: {len(bugs)} tasks, must be {LENGTH}")
    earlier: dict[str, Bug] = {}
    for bug in bugs:
        if bug.after and bug.after not in decisions:
            problems.append(f"{bug.id}: no decision {bug.after!r}")
        for name in bug.contradicts:
            other = earlier.get(name)
            if other is None or other.family != bug.family or other.after == bug.after:
                problems.append(
                    f"{bug.id}: contradicts {name}, which is no earlier task of its family before {bug.after}"
                )
        earlier[bug.id] = bug
    if not any(bug.contradicts for bug in bugs):
        problems.append(f"{project}: no task contradicts an earlier one")
    return problems


def notes(bug: Bug) -> dict[str, Any]:
    """What the row of a series says beside the fields of every row; the harness alone reads it."""
    family = "" if bug.family in FREE_FAMILIES else bug.family
    return {"family": family, "contradicts": list(bug.contradicts)}
