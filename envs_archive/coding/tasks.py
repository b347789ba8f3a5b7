"""Coding tasks: one JSON line each, checked when loaded, split into tasks to learn from and to score on."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, NamedTuple

from .swebench.official import Official

REPOSITORY = Path(__file__).resolve().parents[2]
DEFAULT_TEST_COMMAND = "python -m pytest -q"
WORKSPACE_KINDS = ("repo_path", "files", "git_url")


@dataclass(frozen=True)
class Task:
    """One row of a task file, in the fields of SWE-bench plus where its code comes from.

    Attributes:
        instance_id: opaque name of the task.
        problem_statement: the issue, as the agent reads it.
        fail_to_pass / pass_to_pass: pytest node ids that a correct submission makes pass / keeps passing.
            Together they are the fixed list a submission is graded on. Ids of unittest are fine too
            (`unittest_ids`). Both empty: it is graded by the exit code of `test_cmd`.
        patch: the reference solution (unified diff); may be empty when nobody knows one.
        test_patch: unified diff that adds the hidden tests; may be empty.
        repo_path / files / git_url: exactly one is set: an existing folder, inline file contents by relative
            path, or a git repository of which `base_commit` is taken. None of a SWE-bench task with an image.
        family: in a series, what tasks with the same lesson share; empty for a task with none.
        contradicts: in a series, ids of tasks whose lesson is wrong here.
        official: of a SWE-bench task: how it is run and counted there; None for a task of our own kind.

    A Task holds the answers. It stays in the trusted parent; what an evaluation gets is `public`.
    """

    instance_id: str
    problem_statement: str
    fail_to_pass: tuple[str, ...]
    pass_to_pass: tuple[str, ...]
    repo: str = ""
    base_commit: str = ""
    hints_text: str = ""
    patch: str = ""
    test_patch: str = ""
    version: str = ""
    project: str = ""
    difficulty: str = ""
    test_cmd: str = DEFAULT_TEST_COMMAND
    repo_path: Path | None = None
    files: Mapping[str, str] | None = field(default=None, hash=False)
    git_url: str | None = None
    family: str = ""
    contradicts: tuple[str, ...] = ()
    official: Official | None = None

    @property
    def expected(self) -> tuple[str, ...]:
        """The node ids a submission is graded on: FAIL_TO_PASS, then PASS_TO_PASS."""
        return self.fail_to_pass + self.pass_to_pass

    def public(self, base: Path | str) -> dict[str, Any]:
        """What an evaluation may know of this task: no patch, no hidden test, no expected test id.

        Args:
            base: the prepared base (`workspace.prepare_base`) the agent's workspace is copied from.
        """
        return {
            "id": self.instance_id,
            "project": self.project,
            "problem_statement": self.problem_statement,
            "test_cmd": self.test_cmd,
            "base": str(base),
        }


class Split(NamedTuple):
    """Task ids to build memory from, and task ids to be scored on; disjoint."""

    update: list[str]
    retrieve: list[str]


def load_tasks(path: Path | str) -> list[Task]:
    """Read a task file (JSON lines; empty lines are skipped).

    Raises:
        ValueError: one line that names the file, the line and what is wrong with it.
    """
    path = Path(path)
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "not UTF-8 text"
        raise ValueError(f"{path}: cannot read the task file: {reason}") from error
    tasks: list[Task] = []
    first_seen: dict[str, int] = {}
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            task = task_from_row(_json_object(line), path.parent)
            if task.instance_id in first_seen:
                raise ValueError(
                    f"duplicate instance_id {task.instance_id!r} (line {first_seen[task.instance_id]})"
                )
        except ValueError as error:
            raise ValueError(f"{path}:{number}: {error}") from None
        first_seen[task.instance_id] = number
        tasks.append(task)
    if not tasks:
        raise ValueError(f"{path}: the task file holds no task")
    return tasks


def _json_object(line: str) -> dict[str, Any]:
    try:
        row = json.loads(line)
    except json.JSONDecodeError as error:
        raise ValueError(f"bad JSON: {error.msg} at column {error.colno}") from None
    if not isinstance(row, dict):
        raise ValueError("bad JSON: a task is an object")
    return row


def task_from_row(row: dict[str, Any], folder: Path) -> Task:
    """Check one row of a task file in `folder`.

    Raises:
        ValueError: what is wrong with it.
    """
    texts = ("repo", "base_commit", "hints_text", "patch", "test_patch", "version", "project", "difficulty")
    texts += ("family",)
    values = {name: _text(row, name) for name in texts}
    values["instance_id"] = _text(row, "instance_id", required=True)
    if not re.fullmatch(r"\w[^/\0]*", values["instance_id"]):
        raise ValueError(f"instance_id {values['instance_id']!r} cannot be the name of a folder")
    values["problem_statement"] = _text(row, "problem_statement", required=True)
    values["test_cmd"] = _text(row, "test_cmd") or DEFAULT_TEST_COMMAND
    values["project"] = values["project"] or values["repo"] or values["instance_id"]
    by_command = bool(_text(row, "test_cmd").strip()) and not row.get("official")
    fail_to_pass, pass_to_pass = (
        () if by_command and row.get(name) is None else _ids(row, name)
        for name in ("FAIL_TO_PASS", "PASS_TO_PASS")
    )
    if not fail_to_pass + pass_to_pass and not by_command:
        raise ValueError(
            "FAIL_TO_PASS and PASS_TO_PASS are both empty, and there is no test_cmd: nothing to grade"
        )
    both = sorted(set(fail_to_pass) & set(pass_to_pass))
    if both:
        raise ValueError(f"{both[0]!r} is in both FAIL_TO_PASS and PASS_TO_PASS")
    contradicts = _ids(row, "contradicts", "task ids") if row.get("contradicts") else ()
    official = Official.from_row(row["official"]) if row.get("official") else None
    in_image = bool(official and official.image) and not any(row.get(name) for name in WORKSPACE_KINDS)
    return Task(
        fail_to_pass=fail_to_pass,
        pass_to_pass=pass_to_pass,
        contradicts=contradicts,
        official=official,
        **values,
        **({} if in_image else _workspace_source(row, folder)),
    )


def _text(row: dict[str, Any], name: str, required: bool = False) -> str:
    value = row.get(name)
    if required and value is None:
        raise ValueError(f"missing field {name!r}")
    if value is None:
        return ""
    if not isinstance(value, str):
        raise ValueError(f"field {name!r} must be a string, not {type(value).__name__}")
    if required and not value.strip():
        raise ValueError(f"field {name!r} is empty")
    return value


def _ids(row: dict[str, Any], name: str, what: str = "test ids") -> tuple[str, ...]:
    """Ids as a list or, as the SWE-bench files have them, a JSON list in a string."""
    value = row.get(name)
    if value is None:
        raise ValueError(f"missing field {name!r}")
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except json.JSONDecodeError as error:
            raise ValueError(f"field {name!r} is a string but not a JSON list: {error.msg}") from None
    if not isinstance(value, list) or not all(isinstance(item, str) and item for item in value):
        raise ValueError(f"field {name!r} must be a list of {what}")
    repeated = next((item for item in value if value.count(item) > 1), None)
    if repeated is not None:
        raise ValueError(f"field {name!r} lists {repeated!r} twice")
    return tuple(value)


def _workspace_source(row: dict[str, Any], folder: Path) -> dict[str, Any]:
    given = [name for name in WORKSPACE_KINDS if row.get(name)]
    if not given:
        raise ValueError("no workspace: give one of 'repo_path', 'files', 'git_url'")
    if len(given) > 1:
        raise ValueError(f"more than one workspace: {' and '.join(given)}")
    if given == ["files"]:
        return {"files": _inline_files(row["files"])}
    value = _text(row, given[0])
    if given == ["git_url"]:
        if not row.get("base_commit"):
            raise ValueError("'git_url' needs 'base_commit'")
        return {"git_url": value}
    for candidate in (folder / value, REPOSITORY / value):
        if candidate.is_dir():
            return {"repo_path": candidate.resolve()}
    raise ValueError(f"repo_path {value!r} is no folder beside the task file or in the repository")


def _inline_files(value: Any) -> dict[str, str]:
    if not isinstance(value, dict) or not all(isinstance(text, str) for text in value.values()):
        raise ValueError("field 'files' must map relative paths to texts")
    for name in value:
        parts = Path(name).parts
        if not parts or Path(name).is_absolute() or ".." in parts or ".git" in parts:
            raise ValueError(f"field 'files': bad path {name!r}")
    return dict(value)


def split_tasks(
    task_ids: Sequence[str], status: Literal["train", "test"], train_size: int, seed: int = 42
) -> Split:
    """Split a task list as ALMA does: `train` takes the first `train_size` ids, `test` the rest; these are
    shuffled with `seed` and cut in the middle, the first half to build memory from, the second to score on.

    Args:
        task_ids: all ids, in file order.
        train_size: number of ids, at least 0; more than there are means all.

    Raises:
        ValueError: unknown status, negative size, repeated ids.
    """
    if status not in ("train", "test"):
        raise ValueError(f"status must be 'train' or 'test', not {status!r}")
    if train_size < 0:
        raise ValueError(f"train_size must not be negative, got {train_size}")
    if len(set(task_ids)) != len(task_ids):
        raise ValueError("task ids repeat")
    chosen = list(task_ids[:train_size] if status == "train" else task_ids[train_size:])
    random.Random(seed).shuffle(chosen)
    middle = len(chosen) // 2
    return Split(chosen[:middle], chosen[middle:])
