"""Runs inside the sandbox (standard library only): process limits, finding and ending processes, and the guard.

As a program it is the guard of ``sandboxed_argv``: it starts one program, keeps its tree within limits, and when
the program ends (or the guard is told to end) nothing of the tree is left.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import json
import os
import resource
import select
import signal
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

PR_SET_PDEATHSIG = 1
PR_SET_DUMPABLE = 4
PR_SET_CHILD_SUBREAPER = 36
MIB = 1 << 20
LIMIT_EXIT = 125
MOST_FILES = 200_000
MOST_DESCRIPTORS = 4096


def prctl(option: int, value: int) -> None:
    """Linux prctl with one argument; nothing elsewhere."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(option, value, 0, 0, 0)


def own_the_tree() -> None:
    """Become the parent of every orphan below us (pid 1 of a namespace is that already)."""
    if os.getpid() != 1:
        prctl(PR_SET_CHILD_SUBREAPER, 1)


def set_rlimits(limits: Mapping[str, float], *, address_space: bool) -> None:
    """Apply ``cpu_s``, ``file_mb`` and (``address_space``) ``memory_mb`` to the calling process; 0 is no limit."""
    wanted = [(resource.RLIMIT_CORE, 0, 0), (resource.RLIMIT_NOFILE, MOST_DESCRIPTORS, MOST_DESCRIPTORS)]
    if limits["cpu_s"]:
        # The soft limit's signal ends the program; the hard one is for a program that catches it.
        wanted.append((resource.RLIMIT_CPU, int(limits["cpu_s"]), int(limits["cpu_s"]) + 2))
    if limits["file_mb"]:
        wanted.append((resource.RLIMIT_FSIZE, int(limits["file_mb"] * MIB), int(limits["file_mb"] * MIB)))
    if address_space and limits["memory_mb"] and sys.platform == "linux":
        wanted.append((resource.RLIMIT_AS, int(limits["memory_mb"] * MIB), int(limits["memory_mb"] * MIB)))
    for which, soft, hard in wanted:
        ceiling = resource.getrlimit(which)[1]
        if ceiling != resource.RLIM_INFINITY:
            soft, hard = min(soft, ceiling), min(hard, ceiling)
        resource.setrlimit(which, (soft, hard))


def _children(pid: int | str) -> Iterator[int]:
    """Child processes of one process. A child belongs to the thread that forked it."""
    with contextlib.suppress(OSError):
        for thread in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{thread}/children", "rb") as handle:
                yield from map(int, handle.read().split())


def _parents() -> dict[int, list[int]]:
    """Children by parent from the process table, for kernels without ``/proc/<pid>/task/<tid>/children``."""
    table: dict[int, list[int]] = {}
    for name in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError), open(f"/proc/{name}/stat", "rb") as handle:
            table.setdefault(int(handle.read().rpartition(b")")[2].split()[1]), []).append(int(name))
    return table


def descendants() -> Iterator[int]:
    """Every process below the caller, as numbered by /proc (which may be that of a surrounding namespace)."""
    if not os.path.isdir("/proc/self"):
        return
    myself = int(os.readlink("/proc/self"))
    if os.path.exists(f"/proc/{myself}/task/{myself}/children"):
        children = _children
    else:
        table = _parents()
        children = lambda pid: iter(table.get(pid, []))  # noqa: E731
    waiting = list(children(myself))
    while waiting:
        pid = waiting.pop()
        yield pid
        waiting.extend(children(pid))


def over_limit(limits: Mapping[str, float]) -> str:
    """Why the caller's tree breaks ``processes`` or ``memory_mb``; empty when it does not."""
    if not limits["processes"] and not limits["memory_mb"]:
        return ""
    own = most_shared = 0
    for count, pid in enumerate(descendants(), 1):
        if limits["processes"] and count > limits["processes"]:
            return f"more than {limits['processes']:g} processes"
        if limits["memory_mb"]:
            anonymous, shared = _memory(pid)
            own += anonymous
            # Several may share the same memory, so only the largest counts; a control group counts all of it.
            most_shared = max(most_shared, shared)
    if limits["memory_mb"] and (own + most_shared) << 10 > limits["memory_mb"] * MIB:
        return f"more than {limits['memory_mb']:g} MiB of memory"
    return ""


def _memory(pid: int) -> tuple[int, int]:
    """(anonymous, shared) resident memory of a process in KiB, without mapped files; takes none of its locks."""
    anonymous = shared = 0
    with contextlib.suppress(OSError), open(f"/proc/{pid}/status", "rb") as handle:
        for line in handle:
            if line.startswith(b"RssAnon:"):
                anonymous = int(line.split()[1])
            elif line.startswith(b"RssShmem:"):
                shared = int(line.split()[1])
    return anonymous, shared


def over_disk(folders: Sequence[str], mounts: Sequence[str], limit_mb: float) -> str:
    """Why files below ``folders`` and on ``mounts`` are more than ``limit_mb`` MiB; empty when they are not."""
    if not limit_mb:
        return ""
    used = seen = 0
    for mount in mounts:
        state = os.statvfs(mount)
        used += (state.f_blocks - state.f_bfree) * state.f_frsize
    waiting = list(folders)
    while waiting and used <= limit_mb * MIB:
        try:
            with os.scandir(waiting.pop()) as entries:
                for entry in entries:
                    seen += 1
                    with contextlib.suppress(FileNotFoundError):
                        if entry.is_dir(follow_symlinks=False):
                            waiting.append(entry.path)
                        used += entry.stat(follow_symlinks=False).st_blocks * 512
        except OSError as error:
            if error.errno == errno.ENAMETOOLONG:
                return "folders nested deeper than a path can be long"
        if seen > MOST_FILES:
            return f"more than {MOST_FILES} files"
    return f"more than {limit_mb:g} MiB on disk" if used > limit_mb * MIB else ""


def end_everything(group: int = 0) -> None:
    """Kill and reap every process below the caller; ``group`` is a process group to end where there is no /proc."""
    while True:
        if os.getpid() == 1:
            with contextlib.suppress(ProcessLookupError):
                os.kill(-1, signal.SIGKILL)
        else:
            below = list(descendants())
            # Stopped first: a process that forks in a loop would otherwise stay ahead of us.
            for sign in (signal.SIGSTOP, signal.SIGKILL):
                for pid in below:
                    with contextlib.suppress(ProcessLookupError, PermissionError):
                        os.kill(pid, sign)
            if group:
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.killpg(group, signal.SIGKILL)
        try:
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        except ChildProcessError:
            return
        time.sleep(0.001)


def reset_signals() -> None:
    """Give a child the signal handling a program finds when a shell starts it."""
    signal.set_wakeup_fd(-1)
    for number in signal.valid_signals():
        if number not in (signal.SIGKILL, signal.SIGSTOP):
            with contextlib.suppress(OSError, ValueError):
                signal.signal(number, signal.SIG_DFL)


def status_code(status: int) -> int:
    """An exit code as a shell gives it: 128 + n after signal n."""
    code = os.waitstatus_to_exitcode(status)
    return 128 - code if code < 0 else code


def guard(settings: Mapping[str, Any], argv: list[str]) -> int:
    """Run one program and return its exit code, or ``LIMIT_EXIT`` when its tree went over a limit."""
    own_the_tree()
    prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    told: list[int] = []
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda number, _: told.append(number))
    signal.signal(signal.SIGCHLD, lambda *_: None)
    wake, wake_in = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC) if hasattr(os, "pipe2") else os.pipe()
    os.set_blocking(wake_in, False)
    signal.set_wakeup_fd(wake_in, warn_on_full_buffer=False)
    child = os.fork()
    if child == 0:
        try:
            reset_signals()
            os.setsid()
            prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
            set_rlimits(settings, address_space=False)
            os.nice(5)  # we must get our turn, whatever the program does
            os.chdir(str(settings["cwd"]))
            os.execvp(argv[0], argv)
        except OSError as error:
            print(f"sandbox: {argv[0]}: {error}", file=sys.stderr, flush=True)
        finally:
            os._exit(127)
    code = None

    def walk() -> str:
        nonlocal next_walk
        if time.monotonic() < next_walk:
            return ""
        why = over_disk(settings["folders"], settings["mounts"], settings["disk_mb"])
        next_walk = time.monotonic() + 2
        return why

    pause = 0.2 if settings["processes"] or settings["memory_mb"] or settings["disk_mb"] else None
    next_walk = time.monotonic() + 2
    while code is None:
        select.select([wake], [], [], pause)
        with contextlib.suppress(BlockingIOError):
            os.read(wake, 4096)
        while True:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                break
            if pid == child:
                code = status_code(status)
                break
        if code is None and told:
            code = 128 + told[0]
        elif code is None and (why := over_limit(settings) or walk()):
            print(f"sandbox: stopped: {why}", file=sys.stderr, flush=True)
            code = LIMIT_EXIT
    end_everything(child)
    return code


if __name__ == "__main__":
    sys.exit(guard(json.loads(sys.argv[1]), sys.argv[2:]))
