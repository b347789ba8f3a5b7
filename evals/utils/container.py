"""The sandbox kind ``container``: docker or podman. Builds command lines; the engine does the containing.

The image brings the interpreter (the official python image of our version), the host brings the packages: both are
mounted where that image looks for them, so no image has to be built. Images of benchmarks (``SandboxKind.image``) bring
everything; only the programs of the sandbox itself are mounted there.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Sequence
from pathlib import Path

from evals.utils.sandbox import HERE, INSIDE, Limits, SandboxKind, View

PYTHON = "/usr/local/bin/python3"
IMAGE_PYTHON = "/opt/miniconda3/bin/python3"
"""In images of benchmarks; 3.9 or newer, whatever Python their tests run with."""
IMAGE = f"python:{sys.version_info.major}.{sys.version_info.minor}-slim"
PACKAGES = f"/usr/local/lib/python{sys.version_info.major}.{sys.version_info.minor}/site-packages"
MARKER = "ALMA_IN_CONTAINER"
OWN_VARIABLES = ("PATH", "HOME", "USER", "LOGNAME", "XDG_RUNTIME_DIR", "XDG_CONFIG_HOME", "XDG_DATA_HOME")
OWN_VARIABLES += ("DOCKER_HOST", "DOCKER_CONTEXT", "DOCKER_CONFIG", "CONTAINER_HOST")
"""What the engine's client needs of our environment; nothing of it goes into a container."""
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


def python_in(kind: SandboxKind) -> str:
    """The interpreter that runs the programs of the sandbox in a container of this kind."""
    return IMAGE_PYTHON if kind.image else PYTHON


def end_container(argv: Sequence[str]) -> None:
    """End the container that a command line of ``container_argv`` has started, if it is still there.

    A client that was killed leaves its container running.
    """
    name = next(word.partition("=")[2] for word in argv if word.startswith("--name="))
    with contextlib.suppress(OSError, subprocess.TimeoutExpired):
        subprocess.run(
            [argv[0], "rm", "--force", name],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=60,
        )


def container_argv(
    kind: SandboxKind, argv: Sequence[str], view: View, limits: Limits, names: Sequence[str]
) -> list[str]:
    """The command line that runs ``argv`` in a new container. The guard that ``argv`` begins with is its process 1.

    Args:
        argv: its first word is a path inside the container.
        names: environment variables that the engine takes from its own environment: values are not on its command
            line, where others could read them. ``NAME=VALUE`` for what is no secret.
    """
    line = [kind.executable, "run", "--rm", f"--name=alma-{secrets.token_hex(8)}", "--interactive=false"]
    line += ["--pull=never" if kind.image else "--pull=missing", "--read-only", "--cap-drop=ALL"]
    line += ["--security-opt=no-new-privileges", "--ipc=private", "--hostname=sandbox"]
    line += [f"--user={os.getuid()}:{os.getgid()}", f"--network={'bridge' if view.network else 'none'}"]
    line += [
        "--tmpfs=/tmp:rw,nosuid,nodev,exec,size=1g,mode=1777",
        f"--workdir={view.cwd}",
        "--log-driver=none",
    ]
    if Path(kind.executable).name == "podman" and os.geteuid() != 0:
        line += ["--userns=keep-id"]
    if limits.memory_mb:
        line += [f"--memory={limits.memory_mb}m", f"--memory-swap={limits.memory_mb}m"]
    if limits.processes:
        line += [f"--pids-limit={limits.processes * 4}"]
    mounts = [(HERE / name, f"{INSIDE}/{name}", "ro") for name in PROGRAMS]
    if not kind.image:
        mounts += [(Path(sysconfig.get_path("purelib")), PACKAGES, "ro")]
    mounts += [(host, inside, "ro") for host, inside in view.readonly]
    mounts += [(host, inside, "rw") for host, inside in view.writable]
    for host, inside, mode in sorted(mounts, key=lambda mount: len(Path(mount[1]).parts)):
        line += [f"--mount=type=bind,source={host},target={inside}" + (",readonly" if mode == "ro" else "")]
    for name in sorted(names):
        line += [f"--env={name}"]
    # An entry point of the image would stand before the guard.
    return [*line, f"--env={MARKER}=1", f"--entrypoint={argv[0]}", kind.image or IMAGE, *argv[1:]]


PROGRAMS = ("sandbox_init.py", "sandbox_pytest.py", "sandbox_supervisor.py")
