"""The sandbox kind ``container``: docker or podman. Builds command lines; the engine does the containing.

The image brings the interpreter (the official python image of our version), the host brings the packages: both are
mounted where that image looks for them, so no image has to be built.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Sequence
from pathlib import Path

from evals.utils.sandbox import HERE, INSIDE, Limits, View

PYTHON = "/usr/local/bin/python3"
IMAGE = f"python:{sys.version_info.major}.{sys.version_info.minor}-slim"
PACKAGES = f"/usr/local/lib/python{sys.version_info.major}.{sys.version_info.minor}/site-packages"
MARKER = "ALMA_IN_CONTAINER"
ENGINES = ("docker", "podman")
GET_ENGINE = "install docker or podman and start it (podman needs no service: apt-get install podman)"


def find_engine() -> tuple[str, str]:
    """(path of an engine that answers, "") or ("", why there is none)."""
    why = f"neither docker nor podman found; {GET_ENGINE}"
    for name in ENGINES:
        path = shutil.which(name)
        if path is None:
            continue
        try:
            done = subprocess.run(
                [path, "info"], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=20
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            why = f"{name} does not answer: {error}"
            continue
        if done.returncode == 0:
            return path, ""
        lines = done.stderr.strip().splitlines() or [f"exit code {done.returncode}"]
        why = f"{name} does not run: {lines[-1][:200]}; {GET_ENGINE}"
    return "", why


def container_argv(
    engine: str, argv: Sequence[str], view: View, limits: Limits, names: Sequence[str]
) -> list[str]:
    """The command line that runs ``argv`` in a new container.

    Args:
        argv: its first word is a path inside the container.
        names: environment variables that the engine takes from its own environment: values are not on its command
            line, where others could read them.
    """
    line = [engine, "run", "--rm", "--interactive=false", "--pull=missing", "--read-only", "--cap-drop=ALL"]
    line += ["--security-opt=no-new-privileges", "--ipc=private", "--hostname=sandbox", "--init"]
    line += [f"--user={os.getuid()}:{os.getgid()}", f"--network={'bridge' if view.network else 'none'}"]
    line += [
        "--tmpfs=/tmp:rw,nosuid,nodev,exec,size=1g,mode=1777",
        f"--workdir={view.cwd}",
        "--log-driver=none",
    ]
    if Path(engine).name == "podman":
        line += ["--userns=keep-id"]
    if limits.memory_mb:
        line += [f"--memory={limits.memory_mb}m", f"--memory-swap={limits.memory_mb}m"]
    if limits.processes:
        line += [f"--pids-limit={limits.processes * 4}"]
    mounts = [(HERE / name, f"{INSIDE}/{name}", "ro") for name in PROGRAMS]
    mounts += [(Path(sysconfig.get_path("purelib")), PACKAGES, "ro")]
    mounts += [(host, inside, "ro") for host, inside in view.readonly]
    mounts += [(host, inside, "rw") for host, inside in view.writable]
    for host, inside, mode in sorted(mounts, key=lambda mount: len(Path(mount[1]).parts)):
        line += [f"--mount=type=bind,source={host},target={inside}" + (",readonly" if mode == "ro" else "")]
    for name in sorted(names):
        line += [f"--env={name}"]
    return [*line, f"--env={MARKER}=1", IMAGE, *argv]


PROGRAMS = ("sandbox_init.py", "sandbox_pytest.py", "sandbox_supervisor.py")
