"""Subprocesses whose start can be cancelled."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

STOP_S = 5.0


async def start_process(*argv: str, **options: Any) -> asyncio.subprocess.Process:
    """``asyncio.create_subprocess_exec``, but cancelled meanwhile it ends the process and is over.

    Cancelled while it connects the pipes, asyncio waits for the exit of a process that may never end, or whose end it
    no longer sees: a Ctrl-C at that moment would hang.
    """
    starting = asyncio.ensure_future(asyncio.create_subprocess_exec(*argv, **options))
    try:
        return await asyncio.shield(starting)
    except asyncio.CancelledError:
        with contextlib.suppress(OSError):
            process = await starting
            for end in (process.terminate, process.kill):
                end()
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(process.wait(), STOP_S)
                    break
        raise
