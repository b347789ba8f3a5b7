"""A session whose commands the parent runs: only there can a container of another image be started.

The parent lends the evaluation a few folders, each a mount of its own that cannot be replaced by something else. An
episode's workspace is made in one of them; a command names it, and the parent runs the command on it in a container.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

from evals.utils import gateway_client
from evals.utils.sandbox import CommandResult

_free: dict[tuple[str, ...], asyncio.Queue[str]] = {}


@contextlib.asynccontextmanager
async def free_trees(trees: Sequence[str]) -> AsyncIterator[Path]:
    """One of the folders, for an episode of this process alone; waits for one."""
    queue = _free.get(tuple(trees))
    if queue is None:
        queue = _free[tuple(trees)] = asyncio.Queue()
        for tree in trees:
            queue.put_nowait(tree)
    tree = await queue.get()
    try:
        yield Path(tree)
    finally:
        queue.put_nowait(tree)


class ParentSession:
    """As ``Session``, for a workspace in a folder that the parent has lent.

    Args:
        workspace: that folder.
        task: id of the task whose environment the commands need.
    """

    def __init__(self, workspace: Path, task: str) -> None:
        self._tree = workspace.name
        self._task = task

    async def __aenter__(self) -> ParentSession:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def run(self, command: str | Sequence[str], *, wall_s: float) -> CommandResult:
        """As ``Session.run``.

        Raises:
            InfraError: the parent is gone.
        """
        words = command if isinstance(command, str) else list(command)
        return await gateway_client.ask_command(self._tree, self._task, words, wall_s)

    async def close(self) -> None:
        """End the container; nothing of it is left running."""
        # Without a parent that answers there is none: it ends them all when an evaluation is over.
        with contextlib.suppress(gateway_client.InfraError, gateway_client.RequestRejected):
            await gateway_client.ask_command(self._tree, self._task, None, 0)
