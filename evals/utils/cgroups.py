"""Control groups: hard limits of the kernel for a whole process tree, where this user may make them.

They count what no look from outside sees: files in memory, shared memory, buffers. Where there are none, the limits of
single processes and the regular look at the tree (`sandbox_init`) remain.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from evals.utils.sandbox import Limits

ROOT = Path("/sys/fs/cgroup")
_V1 = {"memory": "memory.limit_in_bytes", "pids": "pids.max"}
_V2 = {"memory": "memory.max", "pids": "pids.max"}
_PIDS_OF_OUR_OWN = (
    32  # the sandbox's own processes, and threads, which count here and not among ``processes``
)


@dataclass(frozen=True)
class Cgroup:
    """One group: its folders, one per hierarchy."""

    folders: tuple[Path, ...]

    def entering(self, argv: Sequence[str]) -> list[str]:
        """The command line that starts ``argv`` inside the group."""
        enter = " && ".join(f"echo 0 > {folder}/cgroup.procs" for folder in self.folders)
        return ["/bin/sh", "-c", f'{enter} && exec "$@"', "sh", *argv]

    def killed_for_memory(self) -> bool:
        """Whether the kernel has ended a process of the group for its memory limit."""
        for folder in self.folders:
            for name in ("memory.events", "memory.oom_control"):
                with contextlib.suppress(OSError):
                    words = (folder / name).read_text().split()
                    if "oom_kill" in words and int(words[words.index("oom_kill") + 1]):
                        return True
        return False

    def remove(self) -> None:
        """Remove the group when its last process is gone; waits for that a moment."""
        for folder in self.folders:
            for _ in range(50):
                try:
                    folder.rmdir()
                except FileNotFoundError:
                    break
                except OSError:
                    time.sleep(0.02)
                    continue
                break


def new_group(limits: Limits) -> Cgroup | None:
    """A group with these limits; None where groups cannot be made."""
    kind = available()
    if not kind:
        return None
    try:
        return _make(kind, limits)
    except OSError:
        return None


@cache
def available() -> str:
    """``v2`` or ``v1`` where this process may make groups that limit memory and processes, else the empty string."""
    for kind in ("v2", "v1"):
        with contextlib.suppress(OSError, KeyError):
            _make(kind, Limits()).remove()
            return kind
    return ""


def _own_paths() -> dict[str, Path]:
    """Folder of this process' group by controller; ``""`` for the unified hierarchy."""
    found = {}
    for line in Path("/proc/self/cgroup").read_text().splitlines():
        _, controllers, path = line.split(":", 2)
        for controller in controllers.split(","):
            found[controller] = Path(path.lstrip("/"))
    return found


def _make(kind: str, limits: Limits) -> Cgroup:
    own = _own_paths()
    name = f"alma-{os.getpid()}-{secrets.token_hex(4)}"
    values = {
        # A little above: whoever looks from outside first has the better message.
        "memory": str((limits.memory_mb << 20) * 5 // 4) if limits.memory_mb else "",
        # Threads count too, and honest programs have some.
        "pids": str(limits.processes * 4 + _PIDS_OF_OUR_OWN) if limits.processes else "",
    }
    if kind == "v2":
        folders = {"": ROOT / own[""] / name}
        files = _V2
    else:
        folders = {controller: ROOT / controller / own[controller] / name for controller in _V1}
        files = _V1
    made = []
    try:
        for folder in folders.values():
            folder.mkdir()
            made.append(folder)
        for controller, file in files.items():
            folder = folders.get(controller, folders.get(""))
            if not (folder / file).exists():
                raise FileNotFoundError(f"{folder} has no {controller} controller")
            if values[controller]:
                (folder / file).write_text(values[controller])
        # A swap of its own would double the limit; not every kernel counts it.
        with contextlib.suppress(OSError):
            (made[0] / "memory.swap.max").write_text("0")
    except OSError:
        Cgroup(tuple(made)).remove()
        raise
    return Cgroup(tuple(made))
