"""From somebody's repository to a tasks file beside its trees and its report."""

from __future__ import annotations

import asyncio
import json
import shutil
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random

from envs_archive.coding.dataset import dump_row
from envs_archive.coding.grading import grading_limits
from envs_archive.coding.grading_rooms import GradingRooms
from envs_archive.coding.pytest_settings import pytest_arguments
from envs_archive.coding_envs import load_config
from evals.contract import write_atomic
from evals.utils.sandbox import SandboxKind

from . import git_history
from .baseline import measured
from .difficulty import Functions
from .planted import Bug, Planter, Rejected
from .report import Report
from .repository import Fingerprint, RepositoryError, copy_repository, fingerprint
from .rows import Draft, Rewrite, draft_of
from .series import met_before, series
from .suite import ROOMS

ROUNDS = 4  # of finding bugs for what could not be made a task


@dataclass(frozen=True)
class Request:
    """What the user asked for.

    Attributes:
        path: the repository; nothing in it is changed.
        tasks: how many are wanted.
        out: the tasks file; trees and report get names after it.
        package: bugs are planted in this folder or file only.
        test_cmd: how its tests are run, where ``python -m pytest -q`` does not do.
        length: of a series; None for tasks in an order of chance.
        from_git: take bug fixes of its history.
    """

    path: Path
    tasks: int
    out: Path
    seed: int = 0
    package: str | None = None
    test_cmd: str | None = None
    length: int | None = None
    from_git: bool = False

    @property
    def trees(self) -> Path:
        return self.out.with_name(f"{self.out.stem}_repos")

    @property
    def report(self) -> Path:
        return self.out.with_name(f"{self.out.stem}_report.json")

    def check(self) -> None:
        """Raises ``RepositoryError`` when it cannot be done as asked."""
        for path in (self.out, self.trees, self.report):
            if path.exists():
                raise RepositoryError(f"{path} exists: take another --out, or move it away")
        if not self.out.parent.is_dir():
            raise RepositoryError(f"--out {self.out}: there is no folder {self.out.parent}")
        if self.out.resolve().is_relative_to(self.path.resolve()):
            raise RepositoryError(
                f"--out {self.out} is inside the repository, which is not to be changed: give a place outside"
            )
        if self.test_cmd is not None and pytest_arguments(self.test_cmd) is None:
            raise RepositoryError(
                f"--test_cmd must be a run of pytest (python -m pytest ...), not {self.test_cmd!r}"
            )


async def make_tasks(
    request: Request, kind: SandboxKind, say: Callable[[str], None], rewrite: Rewrite | None = None
) -> tuple[Report, list[dict]]:
    """Make the tasks and write them; returns the report and the rows.

    Raises:
        RepositoryError: no tasks can be made; nothing is left behind.
        SuiteError: the sandbox cannot be used.
    """
    request.check()
    if not request.path.is_dir():
        what = "is no directory" if request.path.exists() else "there is no such directory"
        raise RepositoryError(f"{request.path}: {what}")
    before = fingerprint(request.path)
    with tempfile.TemporaryDirectory(prefix=".tasks-", dir=request.out.parent.resolve()) as scratch:
        rooms = GradingRooms(kind, grading_limits(load_config()))
        try:
            make = git_history.mine if request.from_git else _plant
            drafts, report = await make(request, kind, Path(scratch), rooms, say, rewrite)
        finally:
            await rooms.close()
        if not drafts:
            raise RepositoryError(f"{report.repository}: no task came out of it: {_why(report)}")
        return _write(request, drafts, report, _changed(request.path, before))


async def _plant(
    request: Request,
    kind: SandboxKind,
    scratch: Path,
    rooms: GradingRooms,
    say: Callable[[str], None],
    rewrite: Rewrite | None,
) -> tuple[list[Draft], Report]:
    started = time.monotonic()
    rng = Random(request.seed)
    repository = await copy_repository(request.path, scratch / "copy", request.package)
    async with measured(kind, repository, request.test_cmd, rooms, rng, say) as (baseline, suite):
        seconds = {"measuring": time.monotonic() - started, "bugs": 0.0, "tasks": 0.0}
        say(f"{len(baseline.stable)} tests can be relied on; {seconds['measuring']:.0f} s")
        functions = Functions(repository, baseline.lines)
        planter = Planter(repository, baseline, suite, rng)
        drafts: list[Draft] = []
        for _ in range(ROUNDS):
            started = time.monotonic()
            bugs = await planter.find(request.tasks - len(drafts), say)
            seconds["bugs"] += time.monotonic() - started
            started = time.monotonic()
            made = await _drafts(bugs, repository, functions, suite.test_cmd, scratch, rooms, rng, rewrite)
            seconds["tasks"] += time.monotonic() - started
            for result in made:
                if isinstance(result, Rejected):
                    planter.rejected[result.reason] += 1
                else:
                    drafts.append(result)
            say(f"{len(drafts)} of {request.tasks} tasks")
            if len(drafts) >= request.tasks or not bugs:
                break
    notes = [f"Not copied: {what}." for what in repository.left_out]
    if len(drafts) < request.tasks:
        notes.append(
            f"{request.tasks} tasks were asked for; {planter.candidates.total} edits could be tried at all."
        )
    report = Report(
        repository.name,
        "planted bugs",
        request.tasks,
        planter.tried,
        dict(planter.rejected),
        baseline.left_out,
        len(baseline.stable),
        {},
        seconds,
        notes,
    )
    rng.shuffle(drafts)
    return drafts, report


async def _drafts(bugs: Sequence[Bug], repository, functions, test_cmd, scratch, rooms, rng, rewrite):
    """Make tasks of bugs, a few at a time; each with a seed of its own, so that their order does not matter."""
    turn = asyncio.Semaphore(ROOMS)

    async def one(bug: Bug, seed: int) -> Draft | Rejected:
        async with turn:
            folder = Path(tempfile.mkdtemp(prefix="draft-", dir=scratch))
            return await draft_of(bug, repository, functions, test_cmd, folder, rooms, Random(seed), rewrite)

    return await asyncio.gather(*(one(bug, rng.randrange(2**31)) for bug in bugs))


def _changed(path: Path, before: Fingerprint) -> list[str]:
    """A note when the repository is not as it was: the tasks are of the state it had at the beginning."""
    after = fingerprint(path)
    changed = sorted(name for name in before.keys() | after.keys() if before.get(name) != after.get(name))
    if not changed:
        return ["Nothing in the repository was changed (modes, sizes and times compared)."]
    return [f"Somebody worked in the repository meanwhile ({changed[0]}); the tasks show how it was before."]


def _why(report: Report) -> str:
    reasons = Counter(report.rejected).most_common(3)
    return "; ".join(f"{count} {reason}" for reason, count in reasons) or "nothing could be tried"


def _write(
    request: Request, drafts: list[Draft], report: Report, notes: list[str]
) -> tuple[Report, list[dict]]:
    """Give the tasks their names and put everything in its place, the tasks file last."""
    if request.length is not None:
        drafts = series(drafts, request.length, Random(request.seed))
    try:
        return _written(request, drafts, report, notes)
    except BaseException:  # a full disk, say: a half of it is of no use
        shutil.rmtree(request.trees, ignore_errors=True)
        for path in (request.report, request.out):
            path.unlink(missing_ok=True)
        raise


def _written(
    request: Request, drafts: list[Draft], report: Report, notes: list[str]
) -> tuple[Report, list[dict]]:
    rows, records = [], {}
    request.trees.mkdir()
    for number, draft in enumerate(drafts, 1):
        name = f"{report.repository}-{number:0{max(2, len(str(len(drafts))))}}"
        shutil.move(draft.tree, request.trees / name)
        path = f"{request.trees.name}/{name}"
        first = {"instance_id": name, "repo": draft.row["repo"], "base_commit": draft.row["base_commit"]}
        rows.append({**first, **draft.row, "repo_path": path})
        records[name] = draft.record
    notes = [*report.notes, *notes]
    if request.length is not None:
        notes.append(f"Series of {len(rows)}: {met_before(drafts)} touch a module that was met before.")
    report = Report(**{**vars(report), "records": records, "notes": notes})
    request.report.write_text(json.dumps(report.as_json(), indent=1) + "\n", encoding="utf-8")
    write_atomic(request.out, "".join(map(dump_row, rows)).encode())
    return report, rows
