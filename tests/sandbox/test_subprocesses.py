"""The start of a subprocess can be cancelled at any moment: it is over soon, whatever the process has started."""

import asyncio
import contextlib
import os
import signal
from pathlib import Path

import pytest

from evals.utils import subprocesses
from evals.utils.subprocesses import start_process


def pids_of(*argv):
    """Processes with this very command line."""
    wanted, found = "".join(f"{word}\0" for word in argv).encode(), []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            if Path(f"/proc/{pid}/cmdline").read_bytes() == wanted:
                found.append(int(pid))
        except OSError:
            continue
    return found


@pytest.mark.parametrize("turns", [1, 3, 5])
def test_a_start_that_is_cancelled_is_over_though_a_grandchild_holds_the_pipe(turns, monkeypatch):
    monkeypatch.setattr(subprocesses, "STOP_S", 0.3)
    script = f"sleep 2{turns}.{os.getpid()} & wait"

    async def start_and_cancel():
        starting = asyncio.create_task(start_process("sh", "-c", script, stderr=asyncio.subprocess.PIPE))
        for _ in range(turns):  # of the loop: before the fork, and while the pipes are connected
            await asyncio.sleep(0)
        starting.cancel()
        await asyncio.wait([starting], timeout=5)
        ended, left = starting.done(), pids_of("sh", "-c", script)
        for pid in pids_of("sleep", f"2{turns}.{os.getpid()}") + left:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        with contextlib.suppress(asyncio.CancelledError):
            process = await starting  # it was faster than the cancellation
            await process.wait()
            return
        await asyncio.sleep(0.1)  # the loop sees the pipe closed
        assert ended and not left

    asyncio.run(start_and_cancel())


def test_a_program_that_is_not_there_is_said_to_be_so():
    with pytest.raises(FileNotFoundError):
        asyncio.run(start_process("no-such-program"))
