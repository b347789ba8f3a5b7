"""Tasks out of a repository's own history: commits that mend something and bring the tests that show it.

A task starts from the parent commit; the commit's tests are hidden, its other changes are the reference solution. This
is how SWE-bench (Jimenez et al. 2024) takes tasks from pull requests, with commits in their place.
"""

from __future__ import annotations

import ast
import asyncio
import re
import shutil
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from pathlib import Path
from random import Random
from typing import Any

from envs_archive.coding.grading_rooms import GradingRooms
from envs_archive.coding.pytest_settings import import_roots
from evals.utils.sandbox import SandboxKind

from .baseline import SLOW_TEST_S, first_run, last_line, missing_modules
from .commit_message import tells_of_trouble, trouble
from .difficulty import end_of, functions_in
from .history import Commit, History
from .planted import EXPECTED_S, MOST_EXPECTED, Rejected
from .report import Report
from .repository import (
    Repository,
    RepositoryError,
    copy_repository,
    is_source_path,
    is_test_path,
    make_repository,
    repository_name,
)
from .rows import Draft, Rewrite, issue_of, proved
from .suite import Orders, Suite, SuiteRun

MOST_SOURCES = 6  # files of one fix
MOST_LINES = 300  # changed lines of source of one fix
MOST_GENERATED = 50
_CHANGED = re.compile(r"^@@ -(\d+)(?:,(\d+))? ", re.MULTILINE)


async def mine(
    request: Any,
    kind: SandboxKind,
    scratch: Path,
    rooms: GradingRooms,
    say: Callable[[str], None],
    rewrite: Rewrite | None,
) -> tuple[list[Draft], Report]:
    """Drafts of the newest bug fixes, up to the number that is wanted, and the report; see ``making.Request``.

    Raises:
        RepositoryError: there is no history, or the tests of its newest version do not run.
        SuiteError: the sandbox cannot be used.
    """
    started = time.monotonic()
    history = History(request.path, scratch)
    async with AsyncExitStack() as stack:
        miner = _Miner(history, kind, rooms, scratch, Random(request.seed), rewrite, stack)
        tests = await miner.prepare(request.path, request.test_cmd)
        measuring = time.monotonic() - started
        drafts: list[Draft] = []
        rejected: Counter[str] = Counter()
        examples: dict[str, str] = {}
        tried = 0
        for commit in history.commits():
            if len(drafts) >= request.tasks:
                break
            tried += 1
            result = await miner.task_of(commit, request.package)
            if isinstance(result, Rejected):
                rejected[result.reason] += 1
                examples.setdefault(result.reason, commit.sha[:10])
            else:
                drafts.append(result)
                say(f"{len(drafts)} of {request.tasks} tasks; {tried} commits seen")
    seconds = {"measuring": measuring, "commits": time.monotonic() - started - measuring}
    notes = [f"First commit rejected because: {why}: {sha}" for why, sha in examples.items()]
    name = repository_name(request.path)
    return drafts, Report(
        name, "bug fixes of its history", request.tasks, tried, dict(rejected), {}, tests, {}, seconds, notes
    )


class _Miner:
    def __init__(
        self,
        history: History,
        kind: SandboxKind,
        rooms: GradingRooms,
        scratch: Path,
        rng: Random,
        rewrite: Rewrite | None,
        stack: AsyncExitStack,
    ) -> None:
        self._history, self._kind, self._rooms, self._scratch = history, kind, rooms, scratch
        self._rng, self._rewrite, self._stack = rng, rewrite, stack
        self._suites: dict[tuple[str, ...], Suite] = {}
        self._generated: dict[str, bytes] = {}
        self._test_cmd = ""
        self._whole = False
        self._name = ""

    async def prepare(self, path: Path, test_cmd: str | None) -> int:
        """Run the newest version once; the number of its tests."""
        tree = self._scratch / "newest"
        self._history.export(self._history.head, tree)
        self._name = repository_name(path)
        bare = not (path / ".git").exists()
        if not bare:
            copy = await copy_repository(path, self._scratch / "copy")
            self._generated = _generated(copy.base, self._history.files(self._history.head))
        self._add_generated(tree)
        newest = await make_repository(self._name, tree, self._scratch / "newest-base", shown=path)
        suite, run = await first_run(self._kind, newest, test_cmd)
        self._stack.push_async_callback(suite.close)
        self._test_cmd = suite.test_cmd
        self._suites[tuple(import_roots(newest.base))] = suite
        self._whole = sum(run.seconds.values()) <= EXPECTED_S
        return len(run.outcomes)

    async def task_of(self, commit: Commit, package: str | None) -> Draft | Rejected:
        """The task that a commit makes, or why it makes none."""
        reason = self._unfit(commit, package)
        if reason is not None:
            return Rejected(reason)
        folder = Path(tempfile.mkdtemp(prefix="commit-", dir=self._scratch))
        try:
            return await self._draft(commit, folder)
        except RepositoryError as error:
            return Rejected(f"cannot be read or prepared ({str(error).partition(':')[0]})")
        finally:
            for left in ("before", "after", "base"):
                shutil.rmtree(folder / left, ignore_errors=True)

    def _unfit(self, commit: Commit, package: str | None) -> str | None:
        sources = [path for path in commit.sources if commit.changed[path] == "M"]
        if package is not None:
            sources = [path for path in sources if Path(path).is_relative_to(package)]
        if not sources or not any(path.endswith(".py") for path in commit.tests):
            return "does not change source and tests together"
        if not tells_of_trouble(commit.message):
            return "its message tells of no trouble"
        if len(commit.sources) > MOST_SOURCES:
            return f"changes more than {MOST_SOURCES} source files"
        patch = self._history.diff(commit, commit.sources)
        lines = [n for n in patch.splitlines() if n[:1] in "+-" and n[:3] not in ("+++", "---")]
        return f"changes more than {MOST_LINES} lines of source" if len(lines) > MOST_LINES else None

    async def _draft(self, commit: Commit, folder: Path) -> Draft | Rejected:
        tree, before, after = folder / "tree", folder / "before", folder / "after"
        self._history.export(commit.parent, tree)
        self._history.export(commit.sha, after)
        for place in (tree, after):
            self._add_generated(place)
        shutil.copytree(tree, before, symlinks=True)
        for path in commit.tests:
            (before / path).unlink(missing_ok=True)
            if commit.changed[path] != "D":
                (before / path).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(after / path, before / path, follow_symlinks=False)
        measured = await self._measure(commit, before, after)
        if isinstance(measured, Rejected):
            return measured
        failing, passing, failures = measured
        tests, others = commit.tests, [path for path in commit.changed if not is_test_path(path)]
        patch, source_patch = self._history.diff(commit, others), self._history.diff(commit, commit.sources)
        opening = trouble(commit.message, source_patch)
        files = sorted(path for path in commit.sources if commit.changed[path] == "M")
        repository = Repository(self._name, before, tuple(files))
        issue = await issue_of(
            repository,
            failures,
            failing,
            source_patch,
            set(),
            self._rng,
            self._rewrite,
            f"{opening}\n\n" if opening else "",
        )
        if isinstance(issue, Rejected):
            return issue
        places = _places(repository, source_patch)
        named = bool({end_of(failures[test]) for test in failing if test in failures} & places)
        row = {
            "repo": self._name,
            "problem_statement": issue,
            "hints_text": "",
            "patch": patch,
            "test_patch": self._history.diff(commit, tests),
            "FAIL_TO_PASS": sorted(failing),
            "PASS_TO_PASS": sorted(passing),
            "version": "",
            "project": self._name,
            "difficulty": _level(len(places), named, len(files)),
            "test_cmd": self._test_cmd,
        }
        record = {
            "commit": commit.sha,
            "places": [f"{path}:{name or '(module)'}" for path, name in sorted(places)],
            "failing": len(failing),
            "hidden": len(failing),
            "named": named,
        }
        return await proved(Draft(row, tree, frozenset(files), record), folder, self._rooms)

    async def _measure(
        self, commit: Commit, before: Path, after: Path
    ) -> tuple[frozenset[str], frozenset[str], Mapping[str, Mapping[str, Any]]] | Rejected:
        """(tests that fail before and pass after, tests that pass both times, failures), twice the same."""
        changed = [p for p in commit.tests if p.endswith(".py") and commit.changed[p] != "D"]
        collected = [p for p in changed if not p.endswith(("conftest.py", "__init__.py"))]
        files = [] if self._whole or not collected else collected
        old, new = await asyncio.gather(
            self._suite(before).run(before, {}, files=files, details=True),
            self._suite(after).run(after, {}, files=files),
        )
        fixed = new.having("passed") - old.having("passed")
        if not new.having("passed"):
            return Rejected(_why_broken(self._name, commit, new))
        if not fixed:
            return Rejected("no test fails before and passes after")
        failing = fixed & old.having("failed")
        if not failing:
            return Rejected("its tests need what is not there before (a new feature)")
        both = old.having("passed") & new.having("passed")
        quick = sorted(
            both, key=lambda test: (test.partition("::")[0] not in changed, new.seconds[test], test)
        )
        passing, room = set(), EXPECTED_S
        for test in quick:
            room -= new.seconds[test]
            if new.seconds[test] > SLOW_TEST_S or room < 0 or len(passing) >= MOST_EXPECTED:
                continue
            passing.add(test)
        orders = Orders(sorted(failing | passing), shuffle=self._rng.randrange(2**31))
        wanted = sorted({test.partition("::")[0] for test in orders.ids or ()})
        again = await asyncio.gather(
            self._suite(before).run(before, {}, orders, files=wanted),
            self._suite(after).run(after, {}, orders, files=wanted),
        )
        failing &= again[0].having("failed") & again[1].having("passed")
        steady = passing & again[0].having("passed") & again[1].having("passed")
        if not failing or not steady:
            return Rejected(
                "not the same tests fail in another order" if steady else "no test passes before and after"
            )
        return failing, frozenset(steady), old.failures

    def _suite(self, tree: Path) -> Suite:
        roots = tuple(import_roots(tree))
        if roots not in self._suites:
            self._suites[roots] = Suite(self._kind, self._test_cmd, roots)
            self._stack.push_async_callback(self._suites[roots].close)
        return self._suites[roots]

    def _add_generated(self, tree: Path) -> None:
        for name, content in self._generated.items():
            if not (tree / name).exists() and (tree / name).parent.is_dir():
                (tree / name).write_bytes(content)


def _generated(tree: Path, tracked: set[str]) -> dict[str, bytes]:
    """Modules that are no part of the history, since building the project makes them (a version, say)."""
    paths = [path for path in sorted(tree.rglob("*.py")) if path.is_file() and not path.is_symlink()]
    names = {path.relative_to(tree).as_posix(): path for path in paths}
    found = [name for name in names if name not in tracked and is_source_path(name)]
    return {name: names[name].read_bytes() for name in found[:MOST_GENERATED]}


def _why_broken(name: str, commit: Commit, run: SuiteRun) -> str:
    missing = missing_modules(
        Repository(name, Path(), tuple(commit.sources)), [*run.errors.values(), run.output]
    )
    if missing:
        return f"its tests need {', '.join(missing)}"
    if run.errors or run.exit_code not in (0, 1, 5):
        return f"its tests cannot be collected here ({last_line(next(iter(run.errors.values()), run.output))[:60]})"
    return "no test passes after it"


def _places(repository: Repository, patch: str) -> set[tuple[str, str]]:
    """Functions of the parent commit in which a patch changes lines."""
    places = set()
    for part in re.split(r"^diff --git ", patch, flags=re.MULTILINE)[1:]:
        path = part.partition("\n")[0].rpartition(" b/")[2]
        if path not in repository.sources:
            continue
        try:
            functions = list(functions_in(ast.parse(repository.text(path))))
        except (SyntaxError, UnicodeDecodeError):
            continue
        line, lines = 0, set()
        for text in part.splitlines():
            if found := _CHANGED.match(text):
                line = int(found.group(1))
            elif line and text[:1] in "-+":
                lines.add(line)
                line += text[:1] == "-"
            elif line and text[:1] == " ":
                line += 1
        for number in lines:
            around = [name for name, first, last in functions if first <= number <= last]
            places.add((path, around[-1] if around else ""))
    return places


def _level(places: int, named: bool, files: int) -> str:
    """Measured without coverage: how much is to be changed, and whether a traceback leads there."""
    if files > 1 or places > 3:
        return "hard"
    return "easy" if named and places == 1 else "medium"
