"""Builds the virtual environments that `environments.yaml` names: once each, with pip, in a cache folder.

A folder is complete when it has its marker, which is written last; what a kill leaves is gone on with.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import json
import os
import re
import shutil
import sys
import sysconfig
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from evals.contract import write_json_atomic
from evals.utils.subprocesses import start_process

from .official import SAME_PYTHON, Environment

MARKER = "complete.json"
PIP = "pip<25"  # the last that installs old projects in development mode, where setuptools cannot do it alone
_VERSION = "import sys, json, sysconfig; print(json.dumps({'version': '%d.%d.%d' % sys.version_info[:3]," + (
    " 'prefix': sys.prefix, 'base': sys.base_prefix, 'purelib': sysconfig.get_paths()['purelib']}))"
)
_PINNED = re.compile(r"^[\w.\[\],-]+\s*(===?\s*[^,*\s]+$|@\s)")


class EnvironmentFault(RuntimeError):
    """An environment is missing or cannot be built; one line that says why."""


@dataclass(frozen=True)
class Venv:
    """A Python to run tests with.

    Attributes:
        folder: its prefix.
        base: prefix of the Python it was made of.
        version: ``3.9.18``.
        purelib: its site-packages.
    """

    folder: Path
    base: Path
    version: str
    purelib: Path

    @property
    def python(self) -> Path:
        return self.folder / "bin" / "python"


def home() -> Path:
    """Where environments are kept: ``ALMA_ENVIRONMENTS``, or a folder in the user's cache."""
    cache = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    chosen = os.environ.get("ALMA_ENVIRONMENTS") or f"{cache}/alma-coding-agents/environments"
    return Path(chosen).expanduser().resolve()


def venv_folder(environment: Environment) -> Path:
    """The folder of an environment, there or not."""
    return home() / f"{environment.name}-{environment.key}"


def find_venv(environment: Environment) -> Venv:
    """An environment that is there.

    Raises:
        EnvironmentFault: it has not been built.
    """
    if environment.python == SAME_PYTHON:
        purelib = Path(sysconfig.get_path("purelib"))
        version = ".".join(map(str, sys.version_info[:3]))
        return Venv(Path(sys.prefix), Path(sys.base_prefix), version, purelib)
    folder = venv_folder(environment)
    try:
        told = json.loads((folder / MARKER).read_text(encoding="utf-8"))
        return Venv(folder, Path(told["base"]), told["version"], Path(told["purelib"]))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise EnvironmentFault(f"environment {environment.name} has not been built") from error


async def build_venv(environment: Environment, say: Callable[[str], None]) -> Venv:
    """The environment, built if it is not there yet. Others who build it at the same time are waited for.

    Raises:
        EnvironmentFault: no such Python, or a package cannot be installed.
    """
    with contextlib.suppress(EnvironmentFault):
        return find_venv(environment)
    folder = venv_folder(environment)
    try:
        with await asyncio.to_thread(locked, folder):
            with contextlib.suppress(EnvironmentFault):
                return find_venv(environment)
            await _build(environment, folder, say)
    except OSError as error:
        raise EnvironmentFault(f"environment {environment.name} cannot be built: {error}") from error
    return find_venv(environment)


def locked(folder: Path) -> IO[str]:
    """Hold the lock beside a folder, which several processes may want to make, until what is returned is closed."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    handle = open(folder.with_name(f"{folder.name}.lock"), "w")  # noqa: SIM115 - held until the work is done
    fcntl.flock(handle, fcntl.LOCK_EX)
    return handle


async def _build(environment: Environment, folder: Path, say: Callable[[str], None]) -> None:
    what = (
        f"environment {environment.name} (Python {environment.python}, {len(environment.packages)} packages)"
    )
    python = await find_python(environment.python)
    say(f"building {what} in {folder}")
    pip = [str(folder / "bin" / "python"), "-m", "pip", "--disable-pip-version-check", "--no-input"]
    if not (folder / "bin" / "pip").exists():
        shutil.rmtree(folder, ignore_errors=True)
        code, output = await run([str(python), "-m", "venv", str(folder)])
        if code:
            raise EnvironmentFault(f"{what}: {python} -m venv failed: {_last(output)}")
    log = folder / "build.log"
    # An old pip does not know the wheels of today. Without a newer one it is tried with what there is.
    _, output = await run([*pip, "install", "--quiet", PIP])
    log.write_text(output, encoding="utf-8")
    requirements = folder / "requirements.txt"
    requirements.write_text("".join(f"{package}\n" for package in environment.packages), encoding="utf-8")
    if environment.packages:
        # A whole list of pins is taken as it is: the resolver of today refuses many that have worked for years.
        alone = ["--no-deps"] if all(_PINNED.match(package) for package in environment.packages) else []
        await _pip(what, log, [*pip, "install", *alone, "-r", str(requirements)])
    if missing := await _missing(pip, environment):
        await _pip(what, log, [*pip, "install", "-c", str(requirements), *missing])
    code, output = await run([str(folder / "bin" / "python"), "-c", _VERSION])
    if code:
        raise EnvironmentFault(f"{what}: its Python does not run: {_last(output)}")
    told = json.loads(output.strip().splitlines()[-1])
    write_json_atomic(folder / MARKER, {**told, "name": environment.name, "packages": environment.packages})
    say(f"built {what}")


async def _pip(what: str, log: Path, command: Sequence[str]) -> None:
    code, output = await run(command)
    with open(log, "a", encoding="utf-8") as handle:
        handle.write(output)
    if code:
        raise EnvironmentFault(f"{what} cannot be built: {_why(output)}; all of it in {log}")


async def _missing(pip: Sequence[str], environment: Environment) -> list[str]:
    """Packages that others need and that are not there; not the project itself, which is installed later."""
    _, output = await run([*pip, "check"])
    wanted = set(re.findall(r"requires ([\w.-]+), which is not installed", output))
    return sorted(name for name in wanted if not _is_project(name, environment))


def _is_project(package: str, environment: Environment) -> bool:
    plain = re.sub(r"\W|_", "", package).lower()
    return plain in re.sub(r"\W|_", "", environment.repo).lower()


_PIP_REASONS = (
    (re.compile(r"No matching distribution found for (\S+)"), "{} is in no package index for this Python"),
    (re.compile(r"Failed (?:building wheel for|to build) (\S+)"), "{} has no wheel here and cannot be built"),
    (re.compile(r"Could not build wheels for ([\w., -]+?),? "), "{} has no wheel here and cannot be built"),
    (re.compile(r"Invalid requirement: '?([^'\n]+)"), "'{}' is no requirement"),
)


def _why(output: str) -> str:
    for pattern, reason in _PIP_REASONS:
        if found := pattern.search(output):
            return reason.format(found[1].strip())
    errors = [line for line in output.splitlines() if line.strip().startswith(("ERROR:", "error:"))]
    return " ".join((errors[-1] if errors else _last(output)).split())[:300]


def _last(output: str) -> str:
    return (output.strip().splitlines() or ["it printed nothing"])[-1][:300]


async def run(command: Sequence[str], cwd: Path | None = None) -> tuple[int, str]:
    """(exit code, what it printed) of a program of ours; pip hears the user's settings, Python no variables."""
    env = {
        name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "VIRTUAL_ENV"))
    }
    process = await start_process(
        *command,
        cwd=cwd,
        env=env,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        start_new_session=True,
    )
    try:
        output, _ = await process.communicate()
    except asyncio.CancelledError:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, 15)
        raise
    return process.returncode or 0, output.decode("utf-8", "replace")


async def find_python(version: str) -> Path:
    """The interpreter of a version: this very patch release if it is here, else another of the same minor version.

    Looked for among pyenv's, on PATH, and this program's own.

    Raises:
        EnvironmentFault: there is none.
    """
    minor = ".".join(version.split(".")[:2])
    root = Path(os.environ.get("PYENV_ROOT") or "~/.pyenv").expanduser()
    pyenv = sorted((root / "versions").glob(f"{minor}*/bin/python"), reverse=True)
    candidates = [path for path in pyenv if re.fullmatch(rf"{re.escape(minor)}(\.\w+)?", path.parts[-3])]
    candidates.sort(key=lambda path: path.parts[-3] != version)
    on_path = shutil.which(f"python{minor}")
    candidates += [Path(on_path)] if on_path else []
    candidates += [Path(getattr(sys, "_base_executable", sys.executable))]
    for path in candidates:
        with contextlib.suppress(OSError, ValueError):
            code, output = await run([str(path), "-c", _VERSION])
            if code == 0 and json.loads(output.strip().splitlines()[-1])["version"].startswith(f"{minor}."):
                return path
    raise EnvironmentFault(
        f"there is no Python {version} here: install one (pyenv install {minor}, or python{minor})"
    )
