"""Warm sandboxes for grading: starting one, with pytest in it, costs more than most test suites."""

from __future__ import annotations

import asyncio
import contextlib
import sys
import tempfile
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from evals.utils.removal import remove_tree
from evals.utils.sandbox import CommandResult, Limits, SandboxKind
from evals.utils.session import Session

from .clean_tree import GradingError
from .kept_tree import KeptTree
from .task_session import task_session

GRADER = Path(__file__).parent / "grader"
GRADER_INSIDE = "/run/grading"
IDLE = 2  # rooms kept between gradings


@dataclass
class Room:
    """One sandbox. ``tasks`` have been graded in it."""

    folder: Path
    session: Session
    tree: KeptTree
    tasks: set[str] = field(default_factory=set)

    async def close(self) -> None:
        await self.session.close()
        await asyncio.to_thread(remove_tree, self.folder)


async def ask(
    session: Session, command: str | list[str], seconds: float, channel: bytes | None
) -> CommandResult:
    """Run a command of grading.

    Raises:
        GradingError: the sandbox does not work here. That a submission has ended its sandbox is no excuse for it.
    """
    result = await session.run(command, wall_s=seconds, channel=channel)
    if result.error is not None:
        again = await session.run(["true"], wall_s=10)
        if again.error is not None:
            raise GradingError(again.error)
    return result


class GradingRooms:
    """Lends rooms. A room is cleared between two submissions and never lent twice for the same task, so that no
    submission can leave what it saw of the hidden tests to a later one of its task.

    Args:
        kind: of the sandbox.
        limits: of every grading; ``wall_s`` is for a whole one.
    """

    def __init__(self, kind: SandboxKind, limits: Limits) -> None:
        self.limits = limits
        self.kind = kind
        self._idle: list[Room] = []
        self._warming: asyncio.Task[None] | None = None

    def warm(self) -> None:
        """Begin to open the rooms that are kept, with pytest loaded, ahead of the first submissions."""
        self._warming = asyncio.create_task(self._open_idle())

    async def _open_idle(self) -> None:
        while len(self._idle) < IDLE:
            self._idle.append(room := self._new())
            ready = await room.session.run([sys.executable, "-m", "pytest", "--version"])
            if ready.error is not None:
                return  # the first grading will say so

    @contextlib.asynccontextmanager
    async def room(self, task: str, base: Path) -> AsyncIterator[Session]:
        """A room for one submission of a task; its workspace is equal to the prepared base, without `.git`.

        Raises:
            OSError: there is no space for its folder.
            WorkspaceError: the base is missing, or cannot be copied.
        """
        if self._warming is not None:
            await asyncio.wait([self._warming])
        room = next((room for room in self._idle if task not in room.tasks), None)
        if room is None:
            room = self._new()
        else:
            self._idle.remove(room)
        room.tasks.add(task)
        try:
            await asyncio.to_thread(room.tree.become, base)
            yield room.session
            await room.session.renew()
        except BaseException:
            await room.close()
            raise
        self._idle.append(room)
        while len(self._idle) > IDLE:
            await self._idle.pop(0).close()

    @contextlib.asynccontextmanager
    async def room_with(
        self, environment: Mapping[str, Any], readonly: tuple[Path, str], limits: Limits, base: Path
    ) -> AsyncIterator[Session]:
        """A room of its own for one submission whose tests run with another Python, or in an image.

        Args:
            environment: from ``swebench.sites.mounted``.
            readonly: a further folder, and where it is inside.
            limits: of this grading.
            base: its workspace is equal to it, without `.git`.

        Raises:
            OSError: there is no space for its folder.
        """
        folder = Path(tempfile.mkdtemp(prefix="grading-"))
        (folder / "workspace").mkdir()
        session = task_session(environment, self.kind, folder / "workspace", limits, [readonly])
        room = Room(folder, session, KeptTree(session.workspace))
        try:
            await asyncio.to_thread(room.tree.become, base)
            yield session
        finally:
            await room.close()

    def _new(self) -> Room:
        folder = Path(tempfile.mkdtemp(prefix="grading-"))
        tree = folder / "workspace"
        tree.mkdir()
        readonly = [(GRADER, GRADER_INSIDE)]
        env = {"PYTHONPATH": GRADER_INSIDE}
        session = Session(
            self.kind, tree, self.limits, readonly=readonly, env=env, preload=["alma_grading_plugin"]
        )
        return Room(folder, session, KeptTree(tree))

    async def close(self) -> None:
        """End all idle rooms."""
        if self._warming is not None:
            self._warming.cancel()
            await asyncio.wait([self._warming])
        while self._idle:
            await self._idle.pop().close()
