"""What a run takes from outside, kept in its folder: tasks, designs, the archive it starts from.

A run that is resumed goes on with what it began with, whatever has become of the files since; and its folder can be
replayed elsewhere.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import platform
import re
import shutil
from collections.abc import Callable, Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

from core.design_file import EXTENDED, Design, file_name
from core.memo_manager import Memo_Manager
from core.options import PROJECT_ROOT, Options
from envs_archive.coding.tasks import Task
from evals.contract import write_atomic, write_json_atomic

CODE = ("core", "evals", "envs_archive", "memo_archive/baseline")
PACKAGES = ("pytest", "numpy")
AROUND = ("promises", "opened_before")
BASELINES = PROJECT_ROOT / "memo_archive" / "baseline"


class Inputs:
    """The folder ``inputs`` of a run."""

    def __init__(self, run_dir: Path) -> None:
        self._run_dir = run_dir
        self.folder = run_dir / "inputs"

    @property
    def tasks(self) -> Path | None:
        """The task file, once the run has one of its own."""
        path = self.folder / "tasks.jsonl"
        return path if path.exists() else None

    def has_tasks_of(self, tasks_file: Path) -> bool:
        """Whether the run works on the tasks of another run's file."""
        return self.tasks is not None and self.tasks.read_bytes() == tasks_file.read_bytes()

    @property
    def history(self) -> Path | None:
        """The archive that the evolution starts from, when it starts from one."""
        path = self.folder / "history" / "archive.json"
        return path if path.exists() else None

    @property
    def designs(self) -> Path:
        """Folder of the designs that are no baselines."""
        return self.folder / "designs"

    def design(self, name: str) -> Design | None:
        """A design that was kept, by its SHA, or what wraps one (``placebo:SHA``, ``extended:SHA``)."""
        space, _, rest = name.partition(":")
        if space == EXTENDED:
            design = self.design(rest)
            return design and design.extended
        control, _, sha = name.rpartition(":")
        path = self.designs / file_name(sha)
        if not re.fullmatch(r"[0-9a-f]{8}", sha) or not path.is_file():
            return None
        return Design(name, BASELINES / file_name(control), path) if control else Design(name, path)

    def keep_tasks(self, tasks: Mapping[str, Task]) -> None:
        """Write the task file. Its trees are the prepared bases, which must be there and on disk."""
        rows = [json.dumps(_row(task), ensure_ascii=False) + "\n" for task in tasks.values()]
        self.folder.mkdir(exist_ok=True)
        write_atomic(self.folder / "tasks.jsonl", "".join(rows).encode())

    def keep_designs(self, options: Options, resolve: Callable[[str], Design]) -> Options:
        """Copy the designs that are no baselines; returns the options with their SHAs for the paths of files."""

        def kept(name: str) -> str:
            design = resolve(name)
            for path in (design.path, design.inner):
                if path is not None and path.parent.name != "baseline":
                    self._copy_design(path, design.sha.rpartition(":")[2])
            return design.sha

        control = kept(options.baseline) if options.has_control else options.baseline
        return dataclasses.replace(options, memo_SHA=[kept(n) for n in options.memo_SHA], baseline=control)

    def keep_history(self, checkpoint: Path, designs_dir: Path) -> None:
        """Copy another run's archive, with its trajectories and the sources of its designs."""
        path = checkpoint / "archive.json" if checkpoint.is_dir() else checkpoint
        other = Memo_Manager.load(path.parent, designs_dir)
        target = self.folder / "history"
        (target / "examples").mkdir(parents=True, exist_ok=True)
        for record in other.records:
            if other.path(record).parent == designs_dir:
                self._copy_design(other.path(record), record.sha)
            if record.examples is not None:
                shutil.copyfile(path.parent / record.examples, target / record.examples)
        write_atomic(target / "archive.json", path.read_bytes())

    def _copy_design(self, source: Path, sha: str) -> None:
        target = self.designs / file_name(sha)
        if source != target:
            self.designs.mkdir(parents=True, exist_ok=True)
            write_atomic(target, source.read_bytes())

    def from_around(self, name: str, find: Callable[[], list[Any]]) -> list[Any]:
        """What was found in other runs' folders, at the first call; later ones and a replay get the same."""
        path = self.folder / f"{name}.json"
        if not path.exists():
            write_json_atomic(path, find())
        return json.loads(path.read_text(encoding="utf-8"))

    def keep_around(self, other: Inputs) -> None:
        """Take over what another run found around it, and find nothing else."""
        self.folder.mkdir(exist_ok=True)
        for name in AROUND:
            path = other.folder / f"{name}.json"
            write_atomic(self.folder / path.name, path.read_bytes() if path.exists() else b"[]")

    def changed_code(self) -> list[str]:
        """Files of this program that differ from those the run was begun with; the first call keeps theirs."""
        path, now = self.folder / "code.json", _code()
        if not path.exists():
            self.folder.mkdir(exist_ok=True)
            write_json_atomic(path, {"made_with": made_with(), "files": now})
            return []
        then = json.loads(path.read_text(encoding="utf-8"))["files"]
        return sorted(name for name in then.keys() | now.keys() if then.get(name) != now.get(name))

    def made_with(self) -> dict[str, str]:
        """Versions of what decides on results beside this program, as of the run's beginning."""
        path = self.folder / "code.json"
        return json.loads(path.read_text(encoding="utf-8"))["made_with"] if path.exists() else {}


def made_with() -> dict[str, str]:
    """The same of here and now."""
    return {"python": platform.python_version(), **{name: metadata.version(name) for name in PACKAGES}}


def _code() -> dict[str, str]:
    files = (
        path
        for folder in CODE
        for path in (PROJECT_ROOT / folder).rglob("*")
        if path.suffix in (".py", ".yaml", ".ini")
    )
    return {
        str(path.relative_to(PROJECT_ROOT)): hashlib.sha256(path.read_bytes()).hexdigest()[:16]
        for path in sorted(files)
    }


def _row(task: Task) -> dict[str, Any]:
    """A task as its line in a task file; its tree is the run's own copy."""
    row = dataclasses.asdict(dataclasses.replace(task, files=None))
    row["FAIL_TO_PASS"], row["PASS_TO_PASS"] = list(row.pop("fail_to_pass")), list(row.pop("pass_to_pass"))
    for name in ("repo_path", "files", "git_url"):
        del row[name]
    return {**row, "repo_path": f"../bases/{task.instance_id}"}
