"""Runs the tests of a SWE-bench task on a submission, in a clean tree, and counts them as the harness does.

As with our own tasks the tree is the base, the hidden tests and the submission's source files, and the verdict comes
over a private channel with a key. Less can be kept from code under test here: the Python is any from 3.6 on and pytest
may be the project itself, so test files lie on the disk and comparisons are not watched. What looks like tampering in
the diff is flagged, not left out: a fix of pytest or of an inspector of frames is made of such things.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from evals.utils.sandbox import Limits
from evals.utils.session import Session

from ..clean_tree import GradingError, lay_out
from ..grading_rooms import GradingRooms
from ..grading_rules import source_changes
from ..tamper_scan import scan_changes
from ..tasks import Task
from .counting import PARSERS, Counts, Statuses, count
from .records import Orders, Run, read_run, sympy_lines
from .sites import mounted
from .source import launch

LAUNCHER = Path(__file__).parent / "grader"
LAUNCHER_INSIDE = "/run/official"
PROCESSES, FILE_MB, DISK_MB = 512, 1024, 4096


@dataclass(frozen=True)
class Graded:
    """One grading.

    Attributes:
        statuses: what the harness would have read out of the log.
        counts: the expected tests that count as passed.
        flags: what was tried, in words.
        reasons: why tests failed, by id.
        lines: the log that the harness would have parsed.
        ended: how the run ended, where it did not come to its end.
    """

    statuses: Statuses
    counts: Counts
    flags: list[str]
    reasons: dict[str, str] = field(default_factory=dict)
    lines: tuple[str, ...] = ()
    ended: str = ""


async def counted_tests(
    task: Task, base: Path, changes: Mapping[str, bytes | None], rooms: GradingRooms
) -> tuple[set[str], list[str]]:
    """The expected tests that count as passed, and the flags; as ``grading.passing_tests``.

    Raises:
        GradingError, EnvironmentFault, WorkspaceError, PatchError, OSError: grading could not be done.
    """
    graded = await run_tests(task, base, changes, rooms)
    return {*graded.counts.fail_to_pass, *graded.counts.pass_to_pass}, graded.flags


async def run_tests(
    task: Task, base: Path, changes: Mapping[str, bytes | None], rooms: GradingRooms
) -> Graded:
    """Grade one submission, with everything there is to say of it; arguments and errors as of ``counted_tests``."""
    environment = mounted(task, base, rooms.kind)
    asked = launch(task.official.command)
    # The terminal that the harness's log comes from has no colours either, but tests may ask.
    environment["variables"] |= {"NO_COLOR": None, "COLUMNS": None, "PYTHONDONTWRITEBYTECODE": None}
    environment["variables"] |= asked.variables
    taken = source_changes(task, base, changes)
    flags = [flag.removesuffix(" (left out)") for flag in scan_changes(base, taken).flags]
    async with rooms.room_with(
        environment, (LAUNCHER, LAUNCHER_INSIDE), grading_limits(task), base
    ) as session:
        changed = await lay_out(task, taken, session.workspace)
        orders = Orders([name for name in changed if not _has_hooks(base / name)])
        command = ["python", f"{LAUNCHER_INSIDE}/alma_official_run.py", asked.how, *asked.words]
        run, ended = await _ask(session, command, orders, task.official.environment.test_timeout)
        statuses = _statuses(task, run, session.workspace, asked.functions_only)
    if run.tampered:
        flags.append("interfered with pytest while it ran")
    counts = count(statuses, task.fail_to_pass, task.pass_to_pass)
    return Graded(statuses, counts, flags, run.reasons, run.lines, ended)


def grading_limits(task: Task) -> Limits:
    environment = task.official.environment
    return Limits(
        wall_s=environment.test_timeout,
        cpu_s=0,
        memory_mb=environment.memory_mb,
        processes=PROCESSES,
        output_bytes=10_000,
        file_mb=FILE_MB,
        disk_mb=DISK_MB,
    )


def _has_hooks(file: Path) -> bool:
    """Whether the project has hooks of pytest there itself."""
    return file.is_file() and b"def pytest_" in file.read_bytes()


async def _ask(session: Session, command: list[str], orders: Orders, seconds: float) -> tuple[Run, str]:
    result = await session.run(command, wall_s=seconds, channel=orders.to_bytes())
    if result.error is not None:
        # Either the sandbox does not work here, or the submission has ended its sandbox: the second is no excuse.
        again = await session.run(["true"], wall_s=10)
        if again.error is not None:
            raise GradingError(again.error)
        return Run(True), "it ended its own sandbox"
    run = read_run(orders, result.channel, result.exit_code)
    last = (result.output.strip().splitlines() or [""])[-1][:200]
    if not run.started and not result.timed_out:
        raise GradingError(f"the tests could not be started: exit code {result.exit_code}: {last}")
    if run.complete:
        return run, ""
    return (
        run,
        f"timed out after {seconds:g} s" if result.timed_out else f"exit code {result.exit_code}: {last}",
    )


def _statuses(task: Task, run: Run, tree: Path, functions_only: bool) -> Statuses:
    """What the harness would have read; nothing, where it would refuse the log or where records do not agree."""
    if not run.complete:
        return {}
    lines = sympy_lines(run.tests) if functions_only else run.lines
    parse = PARSERS[task.official.parser]
    statuses = parse(lines)
    if run.exit_code and statuses and not {"FAILED", "ERROR"} & set(statuses.values()):
        return {}
    # What tests print is no word of pytest's; it is heard only for ids that can be no test of this tree.
    printed = parse(run.printed)
    foreign = {
        test: status for test, status in printed.items() if not (tree / test.partition("::")[0]).is_file()
    }
    return foreign | statuses
