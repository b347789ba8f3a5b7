"""Runs a repository's tests in warm sandboxes, on any version of its files, and tells what each test did."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sys
import tempfile
import zlib
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from envs_archive.coding.kept_tree import KeptTree
from envs_archive.coding.pytest_settings import import_roots, pytest_arguments
from evals.utils.removal import remove_tree
from evals.utils.sandbox import Limits, SandboxKind
from evals.utils.session import WORKSPACE, Session

INSIDE = Path(__file__).parent / "inside"
INSIDE_AT = "/run/planting"
ROOMS = min(4, os.cpu_count() or 1)
WALL_S = 600.0  # of the longest run
BASE_TEST_S = 20.0  # one test of a run that is not told better


class SuiteError(RuntimeError):
    """The sandbox could not run the tests: an infrastructure fault, nobody's bug."""


@dataclass(frozen=True)
class Orders:
    """What a run is asked.

    Attributes:
        ids: the tests to run; None for all.
        shuffle: seed of their order; None for the order of the files.
        reverse: the last test first.
        limit: seconds for one test.
        measured: files whose lines are measured by test; None measures nothing.
    """

    ids: Sequence[str] | None = None
    shuffle: int | None = None
    reverse: bool = False
    limit: float = BASE_TEST_S
    measured: Sequence[str] | None = None


@dataclass(frozen=True)
class Lines:
    """Which tests run a line: file -> line -> ids."""

    files: Mapping[str, Mapping[int, frozenset[str]]] = field(default_factory=dict)

    def tests(self, path: str, first: int, last: int) -> frozenset[str]:
        """Tests that run one of the lines ``first`` to ``last``."""
        lines = self.files.get(path, {})
        return frozenset().union(*(lines[n] for n in range(first, last + 1) if n in lines))

    def of_file(self, path: str) -> frozenset[str]:
        """Tests that run any line of a file after its import."""
        return frozenset().union(*self.files.get(path, {}).values())


@dataclass(frozen=True)
class SuiteRun:
    """One run.

    Attributes:
        exit_code: of pytest; None when it was over its time or broke.
        outcomes: test id -> passed, failed, skipped, xfailed, or slow (over the limit).
        seconds: of each test.
        failures: of each failed test: phase, type, message, line, places, compared, parameters.
        errors: of collection, by node id.
        output: what pytest printed.
        lines: what was measured.
    """

    exit_code: int | None
    outcomes: Mapping[str, str]
    seconds: Mapping[str, float]
    failures: Mapping[str, Mapping[str, Any]]
    errors: Mapping[str, str]
    output: str
    lines: Lines

    @property
    def whole(self) -> bool:
        """Whether it came to its end."""
        return self.exit_code in (0, 1)

    def having(self, outcome: str) -> frozenset[str]:
        return frozenset(test for test, found in self.outcomes.items() if found == outcome)


class Suite:
    """Args:
    kind: of the sandbox.
    test_cmd: the command of a task; a plain run of pytest.
    roots: folders of the workspace that are on ``sys.path``, as in an episode (``import_roots``).
    """

    def __init__(self, kind: SandboxKind, test_cmd: str, roots: Sequence[str]) -> None:
        self.test_cmd = test_cmd
        self._kind = kind
        self._path = ":".join([INSIDE_AT, *(f"{WORKSPACE}/{name}" for name in roots)])
        self._arguments = pytest_arguments(test_cmd) or []
        self._rooms: asyncio.Queue[tuple[Path, Session, KeptTree]] = asyncio.Queue()
        self._opened = 0

    async def run(
        self,
        base: Path,
        changes: Mapping[str, str],
        orders: Orders = Orders(),
        *,
        files: Sequence[str] = (),
        wall_s: float = WALL_S,
        details: bool = False,
    ) -> SuiteRun:
        """Run tests on a tree with some of its files replaced.

        Args:
            base: a prepared base.
            changes: relative path -> text.
            files: the test files to collect; none for all that the test command finds.
            details: compared values are wanted.

        Raises:
            SuiteError: the sandbox cannot be used.
        """
        async with self._room(base) as session:
            for name, text in changes.items():
                path = session.workspace / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(text.encode())
            command = self._command(base, files, details)
            channel = zlib.compress(json.dumps(asdict(orders)).encode())
            result = await session.run(command, wall_s=wall_s, channel=channel)
            if result.error is not None:
                again = await session.run(["true"], wall_s=10)
                if again.error is not None:
                    raise SuiteError(again.error)
        return _read(result.exit_code, result.output, result.channel)

    def _command(self, base: Path, files: Sequence[str], details: bool) -> list[str]:
        asked = [
            word for word in self._arguments if not (files and (base / word.partition("::")[0]).exists())
        ]
        plain = [] if details else ["--assert=plain"]
        options = ["-q", "--tb=no", *plain, "-p", "no:cacheprovider", "-p", "alma_planting_plugin"]
        options += ["--continue-on-collection-errors", "--rootdir=/workspace"]
        return [sys.executable, "-m", "pytest", *options, *asked, *files]

    @contextlib.asynccontextmanager
    async def _room(self, base: Path) -> AsyncIterator[Session]:
        if self._rooms.empty() and self._opened < ROOMS:
            self._opened += 1
            folder = Path(tempfile.mkdtemp(prefix="planting-"))
            (folder / "workspace").mkdir()
            limits = Limits(wall_s=WALL_S, cpu_s=int(WALL_S), memory_mb=2048, output_bytes=20_000)
            plugin, env = [(INSIDE, INSIDE_AT)], {"PYTHONPATH": self._path}
            session = Session(self._kind, folder / "workspace", limits, readonly=plugin, env=env)
            self._rooms.put_nowait((folder, session, KeptTree(session.workspace)))
        folder, session, tree = await self._rooms.get()
        try:
            await session.renew()
            await asyncio.to_thread(tree.become, base)
            yield session
        finally:
            self._rooms.put_nowait((folder, session, tree))

    async def close(self) -> None:
        """End the sandboxes; not while a run is going on."""
        while not self._rooms.empty():
            folder, session, _ = self._rooms.get_nowait()
            await session.close()
            await asyncio.to_thread(remove_tree, folder)


@contextlib.asynccontextmanager
async def open_suite(kind: SandboxKind, base: Path, test_cmd: str) -> AsyncIterator[Suite]:
    """A suite for trees that are laid out like ``base``."""
    suite = Suite(kind, test_cmd, import_roots(base))
    try:
        yield suite
    finally:
        await suite.close()


def _read(exit_code: int | None, output: str, channel: bytes) -> SuiteRun:
    try:
        said = json.loads(zlib.decompress(channel))
    except (zlib.error, ValueError):
        return SuiteRun(exit_code if exit_code not in (0, 1) else None, {}, {}, {}, {}, output, Lines())
    return SuiteRun(
        exit_code,
        said["outcomes"],
        said["seconds"],
        said["failures"],
        said["errors"],
        output,
        _lines(said["lines"]),
    )


def _lines(said: Mapping[str, Any] | None) -> Lines:
    if said is None:
        return Lines()
    tests = said["tests"]
    return Lines(
        {
            path: {int(line): frozenset(tests[n] for n in numbers) for line, numbers in lines.items()}
            for path, lines in said["files"].items()
        }
    )
