"""Evaluations side by side, or shared by several who wait, none of which outlives the wait for it."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterable
from typing import Any, TypeVar

T = TypeVar("T")


async def together(coroutines: Iterable[Coroutine[Any, Any, T]]) -> list[T]:
    """Run all of them to their end; returns their results in order.

    After a first fault, or when the wait is cancelled, the others are cancelled and waited for, then it is raised:
    the gateway they use is closed after them.
    """
    tasks = [asyncio.ensure_future(coroutine) for coroutine in coroutines]
    try:
        return await asyncio.gather(*tasks)
    except BaseException:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        raise


async def of_shared(task: asyncio.Future[T]) -> T:
    """The result of what several wait for. A wait that is cancelled ends it first: then the run is ending, and the
    gateway it uses is closed next."""
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        raise
