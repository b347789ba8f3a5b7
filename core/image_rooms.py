"""The parent runs agents' commands in the images of their tasks, for evaluations that cannot start a container.

An evaluation runs in a container of its own, without the engine: whoever can reach that owns the machine. So it asks
for a command by task and folder. The folders are the parent's: made empty before the evaluation starts, each mounted
into it by itself, so that nothing in the evaluation can put another folder in the place of one. What is in them is the
evaluation's affair, and is seen by the commands of one agent at a time; the parent reads nothing there.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from envs_archive.coding.actions import SandboxLost
from envs_archive.coding.swebench.sites import mounted
from envs_archive.coding.task_session import task_session
from envs_archive.coding.tasks import Task
from envs_archive.coding_envs import command_limits
from evals.contract import EvalSpec
from evals.utils.removal import remove_tree
from evals.utils.sandbox import SandboxKind
from evals.utils.session import Session


@dataclass
class _Tree:
    """A folder, who has it, and the container that runs on it."""

    path: Path
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    task: str = ""
    session: Session | None = None
    asked: set[asyncio.Future[dict[str, Any]]] = field(default_factory=set)

    async def close(self) -> None:
        if self.session is not None:
            await self.session.close()
            self.session = None

    async def abandon(self) -> None:
        """End what is under way, and the container."""
        for asked in list(self.asked):
            asked.cancel()
        await asyncio.gather(*self.asked, return_exceptions=True)
        await self.close()


class ImageRooms:
    """Args:
    folder: in which evaluations' folders are made; nobody else's.
    tasks, bases: by id.
    kind: the container engine's.
    config: of the environment (``load_config``): the limits of a command.
    """

    def __init__(
        self,
        folder: Path,
        tasks: Mapping[str, Task],
        bases: Mapping[str, Path],
        kind: SandboxKind,
        config: Mapping[str, Any],
    ) -> None:
        self._folder = folder
        self._tasks = tasks
        self._bases = bases
        self._kind = kind
        self._config = config
        self._trees: dict[str, dict[str, _Tree]] = {}

    @contextlib.asynccontextmanager
    async def lend(self, spec: EvalSpec, evaluation: str) -> AsyncIterator[EvalSpec]:
        """Make an evaluation's folders; gives its spec, in which tasks with an image name them. None is left."""
        rows = spec.update_tasks + spec.retrieve_tasks
        if not any(self._has_image(row["id"]) for row in rows):
            yield spec
            return
        root = self._folder / evaluation
        await asyncio.to_thread(remove_tree, root)
        count = min(len(rows) * spec.repeats, max(spec.update_concurrency, spec.retrieve_concurrency))
        trees = {str(number): _Tree(root / str(number)) for number in range(count)}
        for tree in trees.values():
            tree.path.mkdir(parents=True)
        self._trees[evaluation] = trees
        paths = [str(tree.path) for tree in trees.values()]

        def lent(row: dict[str, Any]) -> dict[str, Any]:
            return {**row, "environment": {"trees": paths}} if self._has_image(row["id"]) else row

        try:
            yield dataclasses.replace(
                spec,
                update_tasks=[lent(row) for row in spec.update_tasks],
                retrieve_tasks=[lent(row) for row in spec.retrieve_tasks],
            )
        finally:
            del self._trees[evaluation]
            for tree in trees.values():
                await tree.abandon()
            await asyncio.to_thread(remove_tree, root)
            with contextlib.suppress(OSError):  # that of another evaluation is in it
                self._folder.rmdir()

    def _has_image(self, task: str) -> bool:
        return self._tasks[task].official is not None and bool(self._tasks[task].official.image)

    async def run(self, scope: dict[str, Any], body: dict[str, Any]) -> dict[str, Any]:
        """Run one command; returns the fields of its ``CommandResult``.

        Args:
            scope: of the caller's token: ``evaluation``.
            body: ``tree``, ``task``, ``command`` (text, words, or None: end the container), ``wall_s``.

        Raises:
            ValueError: the body is malformed, or names nothing of this evaluation; or that is over.
            SandboxLost: no container can be started: an infrastructure fault.
        """
        tree = self._trees.get(str(scope.get("evaluation")), {}).get(str(body.get("tree")))
        task, command, wall_s = body.get("task"), body.get("command"), body.get("wall_s")
        if tree is None or task not in self._tasks or not self._has_image(task):
            raise ValueError("command needs a folder of this evaluation, and a task with an image")
        words = isinstance(command, list) and command and all(isinstance(word, str) for word in command)
        if not (words or command is None or isinstance(command, str)):
            raise ValueError("command must be a text or a list of words")
        if isinstance(wall_s, bool) or not isinstance(wall_s, int | float):
            raise ValueError("wall_s must be a number of seconds")
        asked = asyncio.ensure_future(self._run(tree, task, command, float(wall_s)))
        tree.asked.add(asked)
        asked.add_done_callback(tree.asked.discard)
        try:
            return await asyncio.shield(asked)
        except asyncio.CancelledError:
            if asked.cancelled():
                raise ValueError("the evaluation is over") from None
            raise

    async def _run(
        self, tree: _Tree, task: str, command: str | list[str] | None, wall_s: float
    ) -> dict[str, Any]:
        async with tree.lock:
            if command is None or tree.task != task:
                await tree.close()
            if command is None:
                return {"exit_code": 0, "output": ""}
            if tree.session is None:
                environment = mounted(self._tasks[task], self._bases[task], self._kind)
                limits = command_limits({**self._config, "memory_mb": environment["memory_mb"]})
                tree.session, tree.task = task_session(environment, self._kind, tree.path, limits), task
            wall_s = min(max(wall_s, 0.1), float(self._config["command_timeout"]))
            result = await tree.session.run(command, wall_s=wall_s)
            if result.error is not None:
                # A command may end its own container. Only when no other starts, the fault is not the command's.
                again = await tree.session.run(["true"], wall_s=10)
                if again.error is not None:
                    raise SandboxLost(again.error)
        return {**dataclasses.asdict(result), "channel": None}
