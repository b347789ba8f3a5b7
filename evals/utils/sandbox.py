"""The sandbox's small interface: which kind works here, and how a program is started inside it.

Kinds:
    ``bwrap``    bubblewrap: own namespaces, a minimal file system, no network. A security boundary.
    ``container`` docker or podman: a container per evaluation and per grading room. A boundary.
    ``process``  clean environment, limits, every left-over process killed. No boundary, and its note says so.

The sandbox is used twice. Around the evaluation subprocess (``sandboxed_argv``), and inside that around each
agent command (``evals.utils.session.Session``). The inner one asks ``probe`` again in its own place, because what
works outside a sandbox need not work inside one.
"""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import site
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Literal

HERE = Path(__file__).resolve().parent
ETC = HERE / "sandbox_etc"
INSIDE = "/run/sandbox"
"""Where the programs of the sandbox itself are mounted; its presence tells that we are inside one."""
TMPFS_BYTES = 1 << 30
GET_BWRAP = (
    "install bubblewrap (Debian/Ubuntu: apt-get install bubblewrap; Fedora: dnf install bubblewrap; "
    "macOS: not available)"
)


NO_BOUNDARY = (
    "sandbox process is no security boundary: generated code and agent commands run as you, can read and write your "
    "files, use the network and forge results; see run_main.py --doctor"
)


class SandboxUnavailable(RuntimeError):
    """The sandbox kind that was asked for does not work here. The message is one line."""


@dataclass(frozen=True)
class Limits:
    """Limits of one command. 0 switches a limit off (not for ``wall_s`` and ``output_bytes``).

    Attributes:
        wall_s: seconds until the whole process tree is killed.
        cpu_s: CPU seconds of each process.
        memory_mb: address space of each process, and resident memory of the whole tree, in MiB.
        processes: processes alive at one time.
        output_bytes: bytes of output that are kept (first half and last half).
        file_mb: size of one file, in MiB.
        disk_mb: size of the workspace and of /tmp, in MiB; looked at every second or two, so best effort.
    """

    wall_s: float = 60.0
    cpu_s: int = 120
    memory_mb: int = 2048
    processes: int = 128
    output_bytes: int = 64_000
    file_mb: int = 64
    disk_mb: int = 512


@dataclass(frozen=True)
class CommandResult:
    """What a command did.

    Attributes:
        exit_code: the exit status; 128 + n when a signal n ended it; None when it timed out or its sandbox died.
        output: stdout and stderr in one text, escape codes removed; says how much was cut when it was.
        timed_out: the wall clock limit ended it.
        truncated: output was cut.
        seconds: wall time.
        channel: bytes the command wrote to its private channel (see ``Session.run``).
        error: why the sandbox could not run or finish the command, in one line (an infrastructure fault).
    """

    exit_code: int | None
    output: str
    timed_out: bool = False
    truncated: bool = False
    seconds: float = 0.0
    channel: bytes = b""
    error: str | None = None


@dataclass(frozen=True)
class View:
    """What a sandboxed program sees of the host: the system, the interpreter, and these files.

    A program that opens a ``Session`` itself needs ``evals/`` bound at its own path. ``network`` shares the host's.
    ``process`` has no mounts: give binds whose inside path equals the host path to any program that must run in
    both kinds. A Unix socket works through a ``readonly`` bind.
    """

    readonly: tuple[tuple[Path, str], ...] = ()
    writable: tuple[tuple[Path, str], ...] = ()
    cwd: str = "/tmp"
    network: bool = False
    env: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class SandboxKind:
    """A kind that was tried and works.

    Attributes:
        kind: ``bwrap`` or ``process``.
        note: one line, for people: what it protects against.
        executable: the bubblewrap program, or the container engine.
        fresh_proc: a new /proc can be mounted; otherwise the surrounding one is shown.
        image: of containers: another image than the official python one, by its id. It has an interpreter of its own
            at ``container.IMAGE_PYTHON``, and sees none of our packages.
    """

    kind: Literal["bwrap", "container", "process"]
    note: str
    executable: str = ""
    fresh_proc: bool = True
    image: str = ""


PROCESS = SandboxKind(
    "process",
    "sandbox: process (limits and a clean environment only; NO security boundary: code can read your files)",
)


def probe(kind: str = "auto") -> SandboxKind:
    """Find out by trying which sandbox works here (tried once per process).

    Args:
        kind: ``auto`` (bwrap where it works, else process), ``bwrap``, ``container`` or ``process``.

    Raises:
        SandboxUnavailable: the kind is unknown, or was asked for by name and does not work.
    """
    if kind == "process":
        return PROCESS
    if kind == "container":
        return _container()
    if kind not in ("auto", "bwrap"):
        raise SandboxUnavailable(f"unknown sandbox {kind!r}: choose auto, bwrap, container or process")
    found, why = _try_bwrap()
    if found:
        return found
    if kind == "bwrap":
        raise SandboxUnavailable(f"sandbox bwrap does not work here: {why}")
    return dataclasses.replace(PROCESS, note=f"{PROCESS.note}; bwrap: {why}")


def _container() -> SandboxKind:
    from evals.utils import container

    if os.environ.get(container.MARKER):  # the container is the boundary; commands in it are kept by limits
        return dataclasses.replace(PROCESS, note="sandbox: process, inside a container")
    engine, why = container.find_engine()
    if not engine:
        raise SandboxUnavailable(f"sandbox container does not work here: {why}")
    note = f"sandbox: container ({Path(engine).name}: a boundary: no network, only listed files)"
    return SandboxKind("container", note, engine)


@cache
def _try_bwrap() -> tuple[SandboxKind | None, str]:
    executable = shutil.which("bwrap")
    if executable is None:
        return None, f"not found; {GET_BWRAP}"
    why = ""
    for fresh_proc in (True, False):
        what = "a boundary" if fresh_proc else "a boundary; process names of the surroundings are visible"
        found = SandboxKind(
            "bwrap", f"sandbox: bwrap ({what}: no network, only listed files)", executable, fresh_proc
        )
        why = _attempt(bwrap_argv(found, View(), ["true"], nests=False))
        if not why:
            break
    else:
        return None, why
    if not Path(INSIDE).is_dir() and sys.platform == "linux":
        # Commands run in a sandbox inside the evaluation's sandbox: one that cannot hold another is of no use.
        # Which /proc works inside is for the inner probe to find out; either will do here.
        inner = [
            bwrap_argv(dataclasses.replace(found, fresh_proc=f), View(), ["true"], nests=False)
            for f in (True, False)
        ]
        outer = View(readonly=((HERE, str(HERE)),))
        failures = [_attempt(bwrap_argv(found, outer, argv, nests=True)) for argv in inner]
        if all(failures):
            return None, f"it starts, but not inside itself: {failures[-1]}"
    return found, ""


def works(kind: SandboxKind) -> bool:
    """Whether commands can still be run in a bwrap found earlier, after something has changed around us."""
    return not _attempt(bwrap_argv(kind, View(), ["true"], nests=False))


def _attempt(argv: list[str]) -> str:
    """Run to the end; the empty string when that worked, else the reason in one line."""
    try:
        done = subprocess.run(
            argv, env=clean_env({}), stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=20
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    lines = done.stderr.strip().splitlines() or [f"exit code {done.returncode}"]
    return "" if done.returncode == 0 else lines[0]


def sandboxed_argv(
    kind: SandboxKind, argv: Sequence[str], view: View, limits: Limits | None = None
) -> tuple[list[str], dict[str, str]]:
    """The command line and the whole environment that start ``argv`` inside a sandbox.

    Pass the environment as ``env=`` of the subprocess: it is not on the command line, where others could read it.
    A small guard runs around the program: when the program ends, everything it left running is killed, and so is
    everything when the guard is terminated (SIGTERM, or SIGKILL of a bwrap). The exit status is the program's.

    Args:
        limits: of the whole tree: ``processes``, ``memory_mb`` (resident memory), ``file_mb``, ``cpu_s`` and
            ``disk_mb`` (what is writable). A tree over the number of processes, the memory or the disk is killed:
            exit status 125, the reason is the last line on stderr. Other fields are ignored: the wall clock is
            the caller's.
    """
    if kind.kind == "container":
        return _container_argv(kind, argv, view, limits)
    limits = limits or Limits(cpu_s=0, memory_mb=0, processes=0, file_mb=0, disk_mb=0)
    bwrap = kind.kind == "bwrap"
    guard = f"{INSIDE}/sandbox_init.py" if bwrap else str(HERE / "sandbox_init.py")
    settings = {
        "cwd": view.cwd,
        "cpu_s": limits.cpu_s,
        "memory_mb": limits.memory_mb,
        "processes": limits.processes,
        "file_mb": limits.file_mb,
        "disk_mb": limits.disk_mb,
        "folders": [inside if bwrap else str(host) for host, inside in view.writable],
        "mounts": ["/tmp", "/dev/shm"] if bwrap else [],
    }
    inner = [sys.executable, "-I", "-S", guard, json.dumps(settings), *argv]
    home = {"HOME": "/tmp/home"} if bwrap else {}
    return (bwrap_argv(kind, view, inner, nests=True) if bwrap else inner), clean_env(home | dict(view.env))


def _container_argv(
    kind: SandboxKind, argv: Sequence[str], view: View, limits: Limits | None
) -> tuple[list[str], dict[str, str]]:
    """As ``sandboxed_argv``; the interpreter of ``argv`` becomes the image's."""
    from evals.utils import container

    python = container.python_in(kind)
    inside = [python if word == sys.executable else word for word in argv]
    limits = limits or Limits(cpu_s=0, memory_mb=0, processes=0, file_mb=0, disk_mb=0)
    fields = ("cpu_s", "memory_mb", "processes", "file_mb", "disk_mb")
    settings = {"cwd": view.cwd, "mounts": ["/tmp"], "folders": [place for _, place in view.writable]}
    settings |= {name: getattr(limits, name) for name in fields}
    guard = [python, "-I", "-S", f"{INSIDE}/sandbox_init.py", json.dumps(settings), *inside]
    folders = [str(Path(python).parent), "/usr/local/bin", "/usr/bin", "/bin"]
    fixed = clean_env({"HOME": "/tmp/home", "PATH": ":".join(dict.fromkeys(folders))})
    names = [*view.env, *(f"{name}={value}" for name, value in fixed.items() if name not in view.env)]
    line = container.container_argv(kind, guard, view, limits, names)
    # The engine's client keeps ours: by them it finds its images, its settings and the ids that it may map.
    own = {name: os.environ[name] for name in container.OWN_VARIABLES if name in os.environ}
    return line, {**view.env, **own}


def clean_env(extra: Mapping[str, str]) -> dict[str, str]:
    """The fixed environment of everything sandboxed, plus ``extra``; nothing of ours is inherited."""
    path = f"{Path(sys.executable).parent}:/usr/local/bin:/usr/bin:/bin"
    user_site = {"PYTHONUSERBASE": site.getuserbase()} if site.ENABLE_USER_SITE and _user_site() else {}
    return {
        "PATH": path,
        "HOME": "/tmp",
        "USER": "user",
        "LOGNAME": "user",
        "LANG": "C.UTF-8",
        "TZ": "UTC",
        "PYTHONHASHSEED": "0",
        "PYTHONDONTWRITEBYTECODE": "1",
        # Without a limit a numeric library starts a thread per core and reserves address space for each.
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
        **user_site,
        **extra,
    }


def _user_site() -> str:
    folder = site.getusersitepackages()
    return folder if folder in sys.path else ""


def bwrap_argv(kind: SandboxKind, view: View, argv: Sequence[str], *, nests: bool) -> list[str]:
    """The bubblewrap command line. ``nests`` allows a further sandbox inside this one."""
    line = [kind.executable, "--unshare-user", "--unshare-pid", "--unshare-ipc", "--unshare-uts"]
    line += [
        "--unshare-cgroup-try",
        "--new-session",
        "--die-with-parent",
        "--as-pid-1",
        "--hostname",
        "sandbox",
    ]
    # One ordinary user inside, whoever we are outside. Not 0: a user namespace inside could not map it again.
    line += ["--uid", "1000", "--gid", "1000", "--cap-drop", "ALL"]
    if not view.network:
        line += ["--unshare-net"]
    # What is in /tmp is in memory: the kernel keeps it within bounds, where bubblewrap can tell it so.
    tmpfs = ["--size", str(TMPFS_BYTES), "--tmpfs"] if _takes_size(kind.executable) else ["--tmpfs"]
    # Later mounts lie on top of earlier ones: an interpreter or a view below /tmp must come after /tmp.
    line += [
        "--dev",
        "/dev",
        *tmpfs,
        "/dev/shm",
        "--remount-ro",
        "/dev",
        *tmpfs,
        "/tmp",
        "--dir",
        "/tmp/home",
    ]
    line += _system_binds(view.network)
    line += _interpreter_binds(kind.executable)
    line += _proc(kind.fresh_proc, nests)
    for name in ("sandbox_init.py", "sandbox_pytest.py", "sandbox_supervisor.py"):
        line += ["--ro-bind", str(HERE / name), f"{INSIDE}/{name}"]
    binds = [("--ro-bind", *bind) for bind in view.readonly] + [("--bind", *bind) for bind in view.writable]
    for option, host, inside in sorted(binds, key=lambda bind: len(Path(bind[2]).parts)):
        line += [option, str(host), inside]
    return [*line, "--remount-ro", "/", "--chdir", view.cwd, "--", *argv]


@cache
def _takes_size(executable: str) -> bool:
    try:
        done = subprocess.run([executable, "--help"], capture_output=True, text=True, timeout=20)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return "--size" in done.stdout + done.stderr


def _proc(fresh: bool, nests: bool) -> list[str]:
    """A /proc through which the machine cannot be changed.

    For root that is not a matter of course: file permissions let uid 0 write to /proc/sys, capabilities or not.
    """
    if not nests:
        return ["--proc", "/proc", "--remount-ro", "/proc"] if fresh else ["--ro-bind", "/proc", "/proc"]
    # A sandbox inside writes its user mapping to /proc/self: only what acts on the machine is covered. For an
    # ordinary user nothing need be, and must not: below a covered /proc no new one can be mounted.
    line = ["--proc", "/proc"] if fresh else ["--bind", "/proc", "/proc"]
    if not fresh or os.access("/proc/sys/kernel/core_pattern", os.W_OK):
        for name in ("sys", "sysrq-trigger", "irq", "bus"):
            line += ["--ro-bind-try", f"/proc/{name}", f"/proc/{name}"]
    return line


def _system_binds(network: bool) -> list[str]:
    line = ["--ro-bind", "/usr", "/usr"]
    for name in ("bin", "sbin", "lib", "lib32", "lib64", "libx32"):
        folder = Path("/", name)
        if folder.is_symlink():
            line += ["--symlink", os.readlink(folder), str(folder)]
        elif folder.is_dir():
            line += ["--ro-bind", str(folder), str(folder)]
    for name in ("passwd", "group", "hosts", "nsswitch.conf"):
        line += ["--ro-bind", str(ETC / name), f"/etc/{name}"]
    shown = ["ld.so.cache", "ld.so.conf", "ld.so.conf.d", "alternatives"]
    if network:
        shown += ["resolv.conf", "ssl", "ca-certificates", "pki"]
    for name in shown:
        line += ["--ro-bind-try", f"/etc/{name}", f"/etc/{name}"]
    return line


def _interpreter_binds(executable: str) -> list[str]:
    """The interpreter's own folders, wherever they are, under the path(s) by which it looks for them."""
    folders = {sys.prefix, sys.exec_prefix, sys.base_prefix, sys.base_exec_prefix}
    if _user_site():
        folders.add(site.getuserbase())
    folders |= {os.path.realpath(folder) for folder in folders}
    line = []
    for folder in sorted(folders | {executable}, key=len):
        if not Path(folder).is_relative_to("/usr"):
            line += ["--ro-bind", folder, folder]
    return line
