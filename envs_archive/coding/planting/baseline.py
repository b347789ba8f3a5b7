"""The untouched repository, measured once: which tests can be relied on, and which lines each of them runs."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import re
import sys
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass
from random import Random

from envs_archive.coding.grading import MAX_CRASHES, GradingError, passing_tests
from envs_archive.coding.grading_rooms import GradingRooms
from envs_archive.coding.tasks import DEFAULT_TEST_COMMAND, Task
from envs_archive.coding.workspace import WorkspaceError
from evals.utils.sandbox import SandboxKind

from .repository import Repository, RepositoryError, is_test_path
from .suite import ROOMS, Lines, Orders, Suite, SuiteRun, open_suite

SLOW_TEST_S = 2.0
HEAVY_TEST_S = 0.2
GRADED_AT_ONCE_S = 8.0  # seconds of tests in one grading, which takes a multiple of them
# What a project's own configuration asks of pytest may need plugins that sandboxes do not load; then it goes without.
WITHOUT = (
    "-o addopts=",
    "-o addopts= -o required_plugins=",
    "-o addopts= -o required_plugins= -o filterwarnings=",
)
_MISSING = re.compile(r"ModuleNotFoundError: No module named '([\w.]+)'")

Say = Callable[[str], None]


@dataclass(frozen=True)
class Baseline:
    """What the untouched repository does.

    Attributes:
        test_cmd: the command that its tasks give the agent.
        stable: tests that passed in every run, in any order, and in a grading.
        seconds: of each test, the fastest run.
        lines: which stable tests run a line.
        left_out: why tests are not used: reason -> ids (of collection errors: files).
    """

    test_cmd: str
    stable: frozenset[str]
    seconds: Mapping[str, float]
    lines: Lines
    left_out: Mapping[str, Sequence[str]]

    def time_of(self, tests: frozenset[str]) -> float:
        return sum(self.seconds.get(test, 0.0) for test in tests)


@contextlib.asynccontextmanager
async def measured(
    kind: SandboxKind,
    repository: Repository,
    test_cmd: str | None,
    rooms: GradingRooms,
    rng: Random,
    say: Say,
) -> AsyncIterator[tuple[Baseline, Suite]]:
    """The baseline of a repository and a suite to run on its versions.

    Raises:
        RepositoryError: there are no tests, none passes, or something they import is missing.
        SuiteError: the sandbox cannot be used.
    """
    suite, first = await first_run(kind, repository, test_cmd)
    try:
        yield await _measure(repository, suite, first, rooms, rng, say), suite
    finally:
        await suite.close()


async def first_run(
    kind: SandboxKind, repository: Repository, test_cmd: str | None
) -> tuple[Suite, SuiteRun]:
    commands = [test_cmd] if test_cmd else [DEFAULT_TEST_COMMAND]
    if not test_cmd:
        commands += [f"{DEFAULT_TEST_COMMAND} {options}" for options in WITHOUT]
    told = None
    for command in commands:
        async with contextlib.AsyncExitStack() as stack:
            suite = await stack.enter_async_context(open_suite(kind, repository.base, command))
            run = await suite.run(repository.base, {})
            if run.having("passed"):
                stack.pop_all()
                return suite, run
            told = told or run
            if run.exit_code in (0, 1, 2, 5):
                break  # pytest did what the configuration asks: less of it would find no more
    raise RepositoryError(_refusal(repository, told, commands[0]))


def _refusal(repository: Repository, run: SuiteRun, command: str) -> str:
    name = repository.name
    missing = missing_modules(repository, [*run.errors.values(), run.output])
    if missing:
        return (
            f"{name}: its tests need {', '.join(missing)}, which this environment does not have: install what the "
            f"project needs with {sys.executable} -m pip install ..."
        )
    if run.exit_code is None:
        return f"{name}: pytest did not come to its end ({command}): {last_line(run.output)}"
    if run.outcomes:
        hint = _plugins_wanted(run)
        return f"{name}: none of its {len(run.outcomes)} tests passes here ({command}): make them pass first{hint}"
    if run.errors:
        where, why = next(iter(run.errors.items()))
        return f"{name}: pytest cannot collect its tests: {where}: {last_line(why)}"
    if run.exit_code == 5:
        return f"{name}: no tests found ({command} collects none): name them with --test_cmd 'python -m pytest FOLDER'"
    return f"{name}: pytest cannot run its tests ({command}): {last_line(run.output)}"


def _plugins_wanted(run: SuiteRun) -> str:
    """A hint for tests that fail for want of a pytest plugin: sandboxes load none on their own."""
    wanted = any(
        failure["type"] == "FixtureLookupError" or "not natively supported" in failure["message"]
        for failure in run.failures.values()
    )
    return (
        f" (some want a pytest plugin: --test_cmd '{DEFAULT_TEST_COMMAND} -p NAME' loads it)"
        if wanted
        else ""
    )


def missing_modules(repository: Repository, texts: Sequence[str]) -> list[str]:
    """Modules of others that could not be imported."""
    own = {path.split("/")[-1].removesuffix(".py") for path in repository.sources}
    own |= {part for path in repository.sources for part in path.split("/")[:-1]}
    names = {name.partition(".")[0] for text in texts for name in _MISSING.findall(text)}
    return sorted(names - own)


def last_line(text: str) -> str:
    lines = [line.removeprefix("E").strip() for line in text.strip().splitlines() if line.strip()]
    return lines[-1][:200] if lines else "no output"


async def _measure(
    repository: Repository, suite: Suite, first: SuiteRun, rooms: GradingRooms, rng: Random, say: Say
) -> Baseline:
    # Backwards, whatever needs another test before it is found out; by chance, what disturbs others.
    orders = [Orders(reverse=True), Orders(shuffle=rng.randrange(2**31)), Orders(measured=repository.sources)]
    runs = await asyncio.gather(*(suite.run(repository.base, {}, order) for order in orders))
    *others, traced = runs
    left_out: dict[str, Sequence[str]] = {}
    passing = first.having("passed")
    broken = first.having("failed") | first.having("slow")
    if broken:
        left_out["failing before any change"] = sorted(broken)
        hint = _plugins_wanted(first)
        say(f"{len(broken)} of {len(first.outcomes)} tests fail before any change and are left out{hint}")
    if first.errors:
        left_out["not collected"] = sorted(first.errors)
        missing = missing_modules(repository, list(first.errors.values()))
        why = f" (missing: {', '.join(missing)})" if missing else ""
        say(f"{len(first.errors)} test files cannot be collected and are left out{why}")
    stable = passing.intersection(*(run.having("passed") for run in runs))
    if passing - stable:
        left_out["not the same in every run and order"] = sorted(passing - stable)
    seconds = {test: min(run.seconds.get(test, 9e9) for run in (first, *others)) for test in stable}
    slow = {test for test in stable if seconds[test] > SLOW_TEST_S}
    if slow:
        left_out[f"slower than {SLOW_TEST_S:g} s"] = sorted(slow)
    stable -= slow
    elsewhere = {test for test in stable if not is_test_path(test.partition("::")[0])}
    if elsewhere:
        left_out["in files that are not named as tests"] = sorted(elsewhere)
    stable -= elsewhere
    if not stable:
        raise RepositoryError(f"{repository.name}: no test is left to rely on: {_reasons(left_out)}")
    gradable = await _gradable(repository, suite.test_cmd, stable, seconds, rooms)
    if stable - gradable:
        left_out["not passing in a grading, which watches the code under test"] = sorted(stable - gradable)
    if not gradable:
        raise RepositoryError(f"{repository.name}: no test passes in a grading: {_reasons(left_out)}")
    return Baseline(suite.test_cmd, gradable, seconds, _only(traced.lines, gradable), left_out)


def _reasons(left_out: Mapping[str, Sequence[str]]) -> str:
    return "; ".join(f"{len(tests)} {reason}" for reason, tests in left_out.items())


def _only(lines: Lines, tests: frozenset[str]) -> Lines:
    return Lines(
        {path: {line: found & tests for line, found in of.items()} for path, of in lines.files.items()}
    )


async def _gradable(
    repository: Repository,
    test_cmd: str,
    tests: frozenset[str],
    seconds: Mapping[str, float],
    rooms: GradingRooms,
) -> frozenset[str]:
    """Tests that pass in a grading of a submission that hands in every source file as it is."""
    changes: dict[str, bytes | None] = {path: repository.text(path).encode() for path in repository.sources}
    portions = _portions(tests, seconds)
    task = Task("baseline", "-", fail_to_pass=(), pass_to_pass=(), test_cmd=test_cmd)

    turn = asyncio.Semaphore(ROOMS)

    async def graded(number: int, portion: list[str]) -> set[str]:
        wanted = dataclasses.replace(task, instance_id=f"baseline-{number}", pass_to_pass=tuple(portion))
        async with turn:
            passed, _ = await passing_tests(wanted, repository.base, changes, rooms)
        return passed

    try:
        found = await asyncio.gather(*(graded(*numbered) for numbered in enumerate(portions)))
    except (GradingError, WorkspaceError) as error:
        raise RepositoryError(f"{repository.name}: its tests cannot be graded: {error}") from error
    return frozenset().union(*found)


def _portions(tests: frozenset[str], seconds: Mapping[str, float]) -> list[list[str]]:
    """Tests of one grading each. Those that may be over the time of a test there, which ends the process, stand in
    small groups: a grading bears no more than a few of them."""
    quick, heavy = [], []
    for test in sorted(tests):
        (heavy if seconds[test] > HEAVY_TEST_S else quick).append(test)
    portions = [heavy[n : n + MAX_CRASHES] for n in range(0, len(heavy), MAX_CRASHES)]
    room = 0.0
    for test in quick:
        if not portions or room <= 0:
            portions.append([])
            room = GRADED_AT_ONCE_S
        portions[-1].append(test)
        room -= seconds[test]
    return portions
