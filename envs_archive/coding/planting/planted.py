"""Tries edits on a repository: which tests fail with them, and is that a bug to make a task of?"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from random import Random
from typing import Any

from .baseline import Baseline
from .candidates import Candidates
from .operators import Edit, same_program
from .repository import Repository
from .suite import ROOMS, Orders, Suite, SuiteRun

EXPECTED_S = 10.0  # seconds of tests that one task is graded on
MOST_EXPECTED = 200  # tests of one task: more make a share of passed tests say less, and every grading slower
MOST_FAILING = 80  # of them; which is enough to see a bug by
BROAD = 0.5  # a bug that fails more of its tests than this breaks the library, and nobody would have to look for it
LEAST_LIMIT_S = 2.0
COMBINED_SHARE = 5  # every so many-th bug waits for a second one
TRIES_PER_TASK = 40  # edits that are tried for one task before giving up


@dataclass(frozen=True)
class Bug:
    """A bug that was tried.

    Attributes:
        edits: one, or two of which neither is found by the tests of the other alone.
        failing: tests that fail with it, every time; of very many, a choice.
        passing: tests that its task is graded on besides.
        failures: what the failing tests showed.
        signature: all tests that fail with it, by which it is told from others.
    """

    edits: tuple[Edit, ...]
    failing: frozenset[str]
    passing: frozenset[str]
    failures: Mapping[str, Mapping[str, Any]]
    signature: frozenset[str]

    @property
    def modules(self) -> frozenset[str]:
        return frozenset(edit.path for edit in self.edits)


@dataclass(frozen=True)
class Rejected:
    reason: str


class Planter:
    """Finds bugs in one repository.

    Attributes:
        tried: number of edits (or pairs) that were run.
        rejected: reason -> how many.
    """

    def __init__(self, repository: Repository, baseline: Baseline, suite: Suite, rng: Random) -> None:
        self.tried = 0
        self.rejected: Counter[str] = Counter()
        self._repository, self._baseline, self._suite, self._rng = repository, baseline, suite, rng
        self.candidates = Candidates(repository, baseline.lines, rng)
        self._signatures: set[frozenset[str]] = set()
        self._single: list[Bug] = []  # waiting for a second one
        self._spare: list[Bug] = []
        self._found = 0

    async def find(self, count: int, say: Callable[[str], None]) -> list[Bug]:
        """Up to ``count`` further bugs with different failing tests; fewer when there are no more to be found.

        Raises:
            SuiteError: the sandbox cannot be used.
        """
        bugs, self._spare = self._spare[:count], self._spare[count:]
        allowed = TRIES_PER_TASK * count
        while len(bugs) < count and allowed > 0:
            edits = self.candidates.take(4 * ROOMS)
            if not edits:
                break
            allowed -= len(edits)
            seeds = [
                self._seed() for _ in edits
            ]  # drawn before: which edit is done first is a matter of chance
            results = await asyncio.gather(*(self._try((e,), s) for e, s in zip(edits, seeds, strict=True)))
            for bug in map(self._new, results):
                if bug is None:
                    continue
                self._found += 1
                pair = await self._paired(bug) if self._found % COMBINED_SHARE == 0 else bug
                bugs += [pair] if pair is not None else []
            say(f"{len(bugs)} of {count} bugs, {self.tried} tried")
        while len(bugs) < count and self._single:
            bugs.append(self._single.pop())
        self._spare += bugs[count:]
        return bugs[:count]

    def _new(self, result: Bug | Rejected) -> Bug | None:
        """A bug whose failing tests are no other bug's."""
        if isinstance(result, Bug) and result.signature in self._signatures:
            result = Rejected("the same tests fail as with another bug")
        if isinstance(result, Rejected):
            self.rejected[result.reason] += 1
            return None
        self._signatures.add(result.signature)
        for edit in result.edits:
            self.candidates.kept(edit)
        return result

    async def _paired(self, bug: Bug) -> Bug | None:
        """The bug together with one that waits; None when it has to wait itself."""
        edit = bug.edits[0]
        for other in self._single:
            near = other.edits[0]
            together = near.path == edit.path or other.passing & bug.failing
            if (near.path, near.function) != (edit.path, edit.function) and together:
                self._single.remove(other)
                pair = await self._try((near, edit), self._seed())
                if isinstance(pair, Bug) and (
                    pair.failing <= bug.signature or pair.failing <= other.signature
                ):
                    pair = Rejected("one of two bugs hides the other")
                found = self._new(pair)
                return found or bug
        self._single.append(bug)
        return None

    def _seed(self) -> int:
        return self._rng.randrange(2**31)

    async def _try(self, edits: tuple[Edit, ...], seed: int) -> Bug | Rejected:
        self.tried += 1
        try:
            changes = planted(self._repository, edits)
        except SyntaxError:
            return Rejected("no Python any more")
        if changes is None:
            return Rejected("the same program as before")
        lines, stable = self._baseline.lines, self._baseline.stable
        near = frozenset().union(
            *(lines.tests(e.path, e.first, e.last) if e.last else lines.of_file(e.path) for e in edits)
        )
        # Those that run the changed lines first: most edits end here.
        screened = await self._run(changes, near)
        reason = _unusable(screened)
        failing = screened.having("failed")
        if reason or not failing:
            return Rejected(reason or "no test notices")
        files = {test.partition("::")[0] for test in failing}
        reached = frozenset().union(*(lines.of_file(edit.path) for edit in edits))
        touched = reached | {test for test in stable if test.partition("::")[0] in files}
        if len(failing) > BROAD * len(touched):
            return Rejected("breaks too much")
        shown = frozenset(_one_of_each_first(failing)[:MOST_FAILING])
        expected = self._affordable(touched - failing, shown, near)
        runs = await asyncio.gather(
            self._run(changes, expected, details=True),
            self._run(changes, expected, shuffle=seed),
        )
        for run in runs:
            if reason := _unusable(run):
                return Rejected(reason)
        failed = [run.having("failed") for run in runs]
        passed = [run.having("passed") for run in runs]
        if failed[0] != failed[1] or passed[0] != passed[1]:
            return Rejected("not the same tests fail in another order")
        if not failed[0]:
            return Rejected("no test notices")
        if not passed[0]:
            return Rejected("breaks too much")
        return Bug(edits, failed[0], passed[0], runs[0].failures, failing | failed[0])

    def _affordable(
        self, others: frozenset[str], failing: frozenset[str], near: frozenset[str]
    ) -> frozenset[str]:
        """As many tests as may be run to grade one submission: those that fail, those that meet the bug, others."""
        seconds = self._baseline.seconds
        ordered = sorted(_one_of_each_first(others), key=lambda test: test not in near)
        kept, room = set(failing), EXPECTED_S - self._baseline.time_of(failing)
        for test in ordered:
            room -= seconds[test]
            if room < 0 or len(kept) >= MOST_EXPECTED:
                break
            kept.add(test)
        return frozenset(kept)

    async def _run(
        self,
        changes: Mapping[str, str],
        tests: Iterable[str],
        *,
        shuffle: int | None = None,
        details: bool = False,
    ) -> SuiteRun:
        wanted = sorted(tests)
        slowest = max((self._baseline.seconds[test] for test in wanted), default=0.0)
        orders = Orders(wanted, shuffle, limit=max(LEAST_LIMIT_S, 10 * slowest))
        files = sorted({test.partition("::")[0] for test in wanted})
        wall_s = 30 + 5 * sum(self._baseline.seconds[test] for test in wanted)
        return await self._suite.run(
            self._repository.base, changes, orders, files=files, wall_s=wall_s, details=details
        )


def _one_of_each_first(tests: Iterable[str]) -> list[str]:
    """Tests in an order in which each function comes with one case before any comes with a second one."""
    turn: dict[str, int] = {}
    cases: Counter[str] = Counter()
    for test in sorted(tests):
        function = test.partition("[")[0]
        turn[test] = cases[function]
        cases[function] += 1
    return sorted(turn, key=lambda test: (turn[test], test))


def planted(repository: Repository, edits: Iterable[Edit]) -> dict[str, str] | None:
    """The changed files with the edits in them; None when they are the same program, or the edits overlap.

    Raises:
        SyntaxError: they are no Python.
    """
    changes: dict[str, str] = {}
    ends: dict[str, int] = {}
    for edit in sorted(edits, key=lambda edit: (edit.path, -edit.start)):
        before = changes.get(edit.path) or repository.text(edit.path)
        if edit.end > ends.get(edit.path, len(before)):
            return None
        changes[edit.path] = edit.apply(before)
        ends[edit.path] = edit.start
        if same_program(before, changes[edit.path]):
            return None
    return changes


def _unusable(run: SuiteRun) -> str | None:
    if run.having("slow"):
        return "a test hangs"
    if run.errors:
        return "cannot be imported"
    if not run.whole:
        return "the test run breaks"
    return None
