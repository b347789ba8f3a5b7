"""Grades a submission in a second, clean tree, where an agent's word counts for nothing.

The tree is the prepared base, the hidden tests, and the agent's changed source files. The expected tests run there in
their own sandbox with our command line and configuration; a plugin reports them over a private channel (see
`grader/` and `records.py`). Whatever cannot be confirmed has not passed.
"""

from __future__ import annotations

import ast
import asyncio
import base64
import contextlib
import re
import secrets
import shutil
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from evals.contract import Verdict
from evals.utils.sandbox import Limits
from evals.utils.session import Session

from .clean_tree import GradingError, lay_out
from .command_grading import command_succeeds
from .grading_rooms import GRADER_INSIDE, GradingRooms, ask
from .grading_rules import patched_paths, source_changes
from .pytest_settings import kept_options
from .records import Orders, read_run
from .swebench.grading import counted_tests
from .swebench.venvs import EnvironmentFault
from .tamper_scan import scan_changes, tricks
from .tasks import Task
from .unittest_ids import with_node_ids
from .workspace import PatchError, WorkspaceError, apply_patch, changed_files, make_workspace

TEST_SECONDS = 10.0  # for one test; less when the whole run has less than four times as much
MAX_CRASHES = 3  # tests that may take the process down before the rest counts as failed
# A parametrized module would ask its parameters of the canary too.
_PARAMETRIZED = re.compile(rb"^pytestmark\b[^\n]*(?:\n[ \])][^\n]*)*parametrize", re.MULTILINE)


def grading_limits(config: Mapping[str, Any]) -> Limits:
    """The sandbox limits of one grading, from the environment's configuration (`load_config`)."""
    return Limits(
        wall_s=config["test_timeout"],
        cpu_s=int(config["test_timeout"]),
        memory_mb=config["memory_mb"],
        processes=config["processes"],
        output_bytes=10_000,
        file_mb=config["file_mb"],
        disk_mb=config["disk_mb"],
    )


async def grade(task: Task, base: Path, changes: Mapping[str, bytes | None], rooms: GradingRooms) -> Verdict:
    """Grade one submission.

    Args:
        base: the task's prepared base.
        changes: what `changed_files` found; may be hostile.
        rooms: where to run the tests.

    Returns:
        The verdict; `error` is set, and the rest means nothing, when grading itself failed.
    """
    started = time.monotonic()
    try:
        if task.official is not None:
            passed, flags = await counted_tests(task, base, changes, rooms)
        elif not task.expected:
            done, flags = await command_succeeds(task, base, changes, rooms)
            reward = float(done)
            return Verdict(reward, done, reward, reward, flags=flags, seconds=time.monotonic() - started)
        else:
            task, packages = with_node_ids(task, base, patched_paths(task.test_patch))
            passed, flags = await passing_tests(task, base, changes, rooms, packages)
    except (GradingError, EnvironmentFault, WorkspaceError, PatchError, OSError) as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        return Verdict(0.0, False, 0.0, 0.0, seconds=time.monotonic() - started, error=reason)
    return Verdict(
        reward=_share(passed, task.expected),
        resolved=passed.issuperset(task.expected),
        f2p_rate=_share(passed, task.fail_to_pass),
        p2p_rate=_share(passed, task.pass_to_pass),
        flags=flags,
        seconds=time.monotonic() - started,
    )


async def passing_tests(
    task: Task,
    base: Path,
    changes: Mapping[str, bytes | None],
    rooms: GradingRooms,
    packages: Sequence[str] = (),
) -> tuple[set[str], list[str]]:
    """The expected tests that a submission passes, and the flags of what it tried; arguments as of `grade`.

    Args:
        packages: folders that are packages though nothing in them says so (`unittest_ids.Named`).

    Raises:
        GradingError, WorkspaceError, PatchError, OSError: grading could not be done.
    """
    async with rooms.room(task.instance_id, base) as session:
        tree, flags = await _build_tree(task, base, changes, session.workspace)
        for folder in packages:
            (session.workspace / folder / "__init__.py").touch()
        passed, seen = await _run_expected(task, session, base, tree)
    return passed, [*flags, *seen]


async def changes_from_patch(base: Path, patch: str) -> dict[str, bytes | None]:
    """The changed files that a patch (a task's own solution, say) makes to a base; to be graded like an agent's.

    Raises:
        PatchError: it does not apply.
        WorkspaceError: the base is missing.
    """
    folder = Path(tempfile.mkdtemp(prefix="patched-"))
    try:
        tree = await asyncio.to_thread(make_workspace, base, folder / "workspace", with_git=False)
        await apply_patch(tree, patch)
        return await asyncio.to_thread(changed_files, tree, base)
    finally:
        await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)


def _share(passed: set[str], expected: Sequence[str]) -> float:
    return sum(test in passed for test in expected) / len(expected) if expected else 1.0


class Tree(NamedTuple):
    """What stands in the clean tree.

    Attributes:
        changed: names of the submission's files.
        excused: those that did before the submission what only cheats do elsewhere.
        tests: content of the trusted test files, which are empty on the disk.
    """

    changed: list[str]
    excused: list[str]
    tests: dict[str, bytes]


async def _build_tree(
    task: Task, base: Path, changes: Mapping[str, bytes | None], tree: Path
) -> tuple[Tree, list[str]]:
    """Make the clean tree with the submission's source; also the flags of its scan."""
    taken = source_changes(task, base, changes)
    scan = scan_changes(base, taken)
    changed = await lay_out(task, taken, tree, scan.left_out)
    excused = [name for name in changed if (base / name).is_file() and tricks((base / name).read_bytes())]
    return Tree(changed, excused, _take_tests(task, tree)), scan.flags


def _take_tests(task: Task, tree: Path) -> dict[str, bytes]:
    """Take the trusted test modules off the disk, where code under test could read what is expected of it."""
    names = {test.partition("::")[0] for test in task.expected} | patched_paths(task.test_patch)
    taken = {}
    for name in sorted(names):
        path = tree / name
        if not name.endswith(".py") or not path.is_file() or path.is_symlink():
            continue
        content = path.read_bytes()
        with contextlib.suppress(SyntaxError, ValueError):
            ast.parse(content)
            taken[name] = content
            path.write_bytes(b"")
    return taken


def _canaries(files: Sequence[str], remaining: Sequence[str], tests: Mapping[str, bytes]) -> dict[str, str]:
    """A test that must fail for each file with plain test functions, under a name that nobody can know."""
    chosen = {}
    for file in files:
        names = [
            test.split("::")[1]
            for test in remaining
            if test.startswith(f"{file}::") and test.count("::") == 1
        ]
        if names and file in tests and not _PARAMETRIZED.search(tests[file]):
            chosen[file] = f"{names[0].partition('[')[0]}_{secrets.token_hex(4)}"
    return chosen


async def _run_expected(task: Task, session: Session, base: Path, tree: Tree) -> tuple[set[str], list[str]]:
    """(tests that passed, flags of what the submission tried while they ran)."""
    sources = {name: base64.b64encode(content).decode() for name, content in tree.tests.items()}
    refused: set[str] = set()
    wall_s = session.limits.wall_s
    deadline = time.monotonic() + wall_s
    remaining = list(task.expected)
    options = kept_options(base, task.test_cmd)
    for _ in range(MAX_CRASHES + 1):
        files = sorted({test.partition("::")[0] for test in remaining})
        files = [file for file in files if (session.workspace / file).is_file()]
        seconds = deadline - time.monotonic()
        if not files or seconds <= 0:
            break
        canaries = _canaries(files, remaining, tree.tests)
        limits = min(TEST_SECONDS, wall_s / 4), seconds * 0.8
        orders = Orders(remaining, *limits, tree.changed, tree.excused, sources, canaries)
        result = await ask(session, _command(files, options), seconds, orders.to_bytes())
        run = read_run(orders, result.channel, result.exit_code)
        if not run.started and not run.tampered:
            last = result.output.strip().rpartition("\n")[2][:200]
            raise GradingError(f"the tests could not be started: exit code {result.exit_code}: {last}")
        refused |= run.refused
        flags = [f"tried {what} while graded (refused)" for what in sorted(refused)]
        if run.tampered:
            flags.append("interfered with pytest while it ran")
        if run.complete or run.tampered or run.last not in remaining or result.timed_out:
            return set(run.passed), flags
        # One test took the whole process down. The others are asked again without it, each from the start:
        # nothing of a run that did not come to its end is believed.
        remaining.remove(run.last)
    return set(), [f"tried {what} while graded (refused)" for what in sorted(refused)]


def _command(files: Sequence[str], options: Sequence[str]) -> list[str]:
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "--tb=no",
        "--assert=plain",
        "--continue-on-collection-errors",
    ]
    command += ["-p", "no:cacheprovider", "-p", "no:faulthandler", "-p", "alma_grading_plugin"]
    command += ["-c", f"{GRADER_INSIDE}/pytest.ini", "--rootdir=/workspace", "--confcutdir=/workspace"]
    return [*command, *options, *files]
