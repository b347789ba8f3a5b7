"""The official image of an instance: finds it (or has the engine pull it), looks into it, takes the repository out.

In an image the repository is at /testbed at the base commit, installed there in development mode into the conda
environment `testbed`. Names and layout: swebench 5.0.2, `image_builder/image_spec.py` and `image_builder/constants`.
The tree of every submission and of every agent is mounted in its place.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import json
import re
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from evals.utils.container import end_container
from evals.utils.sandbox import Limits, SandboxKind, View, sandboxed_argv
from evals.utils.session import clean_output
from evals.utils.subprocesses import start_process

from ..task_session import REPOSITORY
from ..tasks import Task
from .venvs import EnvironmentFault, run

ACTIVATE = "source /opt/miniconda3/bin/activate && conda activate testbed"
_FIELDS = ("image", "image_name", "docker_image")
_NAME = re.compile(r"\w[\w.-]*(:\d+)?(/\w[\w.-]*)*(:\w[\w.-]*)?(@sha256:[0-9a-f]{64})?", re.ASCII)
_LOOK = Path(__file__).parent / "grader" / "alma_look_image.py"
_LOOK_INSIDE = "/run/look/alma_look_image.py"
_EXPORT = "/run/export"
_LOOK_LIMITS = Limits(wall_s=900, cpu_s=0, memory_mb=0, processes=512, file_mb=0, disk_mb=0)


def image_name(row: Mapping[str, Any]) -> str:
    """The image that a row names, else the official one of its instance.

    Raises:
        ValueError: what the row names is no image.
    """
    given = next((row[name] for name in _FIELDS if isinstance(row.get(name), str) and row[name].strip()), "")
    # Docker Hub takes no double underscore.
    name = given or f"swebench/sweb.eval.x86_64.{row['instance_id']}:latest".replace("__", "_1776_").lower()
    if not _NAME.fullmatch(name):
        raise ValueError(f"{name[:100]!r} cannot be the name of an image")
    return name


def qualified(name: str) -> str:
    """The name with its registry: podman knows no default, and what has none is on Docker Hub."""
    first, slash, _ = name.partition("/")
    if slash and ("." in first or ":" in first or first == "localhost"):
        return name
    return f"docker.io/{name}" if slash else f"docker.io/library/{name}"


@dataclass(frozen=True)
class Image:
    """An image that is here and can be used.

    Attributes:
        id: by which it is started: a name may come to mean another one.
        variables: of commands in its environment; None: unset.
    """

    id: str
    variables: dict[str, str | None] = field(default_factory=dict)


_looked: dict[tuple[str, str], Image] = {}


def known_image(task: Task, kind: SandboxKind) -> Image:
    """What ``find_image`` has found in this process.

    Raises:
        EnvironmentFault: it was not asked.
    """
    try:
        return _looked[kind.executable, task.official.image]
    except KeyError as error:
        raise EnvironmentFault(f"image {task.official.image} has not been looked for") from error


async def find_image(task: Task, kind: SandboxKind, say: Callable[[str], None]) -> Image:
    """The image of a task, pulled if it is not here, and looked into.

    Raises:
        EnvironmentFault: one line: it cannot be had, or has not the layout of an instance's image.
    """
    key = kind.executable, task.official.image
    if key not in _looked:
        identity = await _identity(*key, say)
        told = await _look(task, dataclasses.replace(kind, image=identity))
        _looked[key] = Image(identity, _variables(task, told["variables"]))
    return _looked[key]


async def take_repository(task: Task, tree: Path, kind: SandboxKind, say: Callable[[str], None]) -> None:
    """Copy the repository of a task's image, with all that its installation has made there, into a new folder.

    Raises:
        EnvironmentFault: as ``find_image``, or it cannot be copied.
        OSError: there is no space, say.
    """
    image = await find_image(task, kind, say)
    tree.mkdir()
    await _look(task, dataclasses.replace(kind, image=image.id), tree)


async def _identity(engine: str, name: str, say: Callable[[str], None]) -> str:
    for known in dict.fromkeys((name, qualified(name))):
        code, output = await _inspect(engine, known)
        if code == 0 and output.strip():
            return output.strip().splitlines()[-1]
    say(f"pulling {qualified(name)}")
    code, output = await _engine([engine, "pull", "--quiet", qualified(name)])
    if code:
        lines = output.strip().splitlines() or [f"exit code {code}"]
        why = " ".join(lines[-1].split())[-300:]
        raise EnvironmentFault(f"image {name} is not here and cannot be pulled: {why}")
    code, output = await _inspect(engine, qualified(name))
    if code:
        raise EnvironmentFault(f"image {name} cannot be inspected: {' '.join(output.split())[-300:]}")
    return output.strip().splitlines()[-1]


async def _inspect(engine: str, name: str) -> tuple[int, str]:
    return await _engine([engine, "image", "inspect", "--format", "{{.Id}}", name])


async def _engine(command: Sequence[str]) -> tuple[int, str]:
    try:
        return await run(command)
    except OSError as error:
        raise EnvironmentFault(f"{command[0]} cannot be started: {error.strerror}") from error


def _variables(task: Task, activated: Mapping[str, str]) -> dict[str, str | None]:
    of_sandbox = {"PYTHONUSERBASE": None, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": None}
    return {**of_sandbox, **activated, **dict(task.official.environment.variables)}


async def _look(task: Task, kind: SandboxKind, target: Path | None = None) -> dict[str, Any]:
    view = View(
        readonly=((_LOOK, _LOOK_INSIDE),), writable=((target, _EXPORT),) if target is not None else ()
    )
    command = [sys.executable, _LOOK_INSIDE, REPOSITORY, ACTIVATE]
    command += [_EXPORT] if target is not None else []
    argv, env = sandboxed_argv(kind, command, view, _LOOK_LIMITS)
    process = await start_process(
        *argv,
        env=env,
        cwd=tempfile.gettempdir(),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        start_new_session=True,
    )
    what = f"image {task.official.image}"
    try:
        output, errors = await asyncio.wait_for(process.communicate(), _LOOK_LIMITS.wall_s)
    except TimeoutError as error:
        raise EnvironmentFault(f"{what} did not answer within {_LOOK_LIMITS.wall_s:g} s") from error
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.terminate()
            await asyncio.to_thread(end_container, argv)
            await process.wait()
    try:
        told = json.loads(output.splitlines()[-1])
    except (ValueError, IndexError) as error:
        lines = clean_output(errors).strip().splitlines() or [f"exit code {process.returncode}"]
        raise EnvironmentFault(f"{what} cannot be started: {lines[-1][-300:]}") from error
    if "fault" in told:
        raise EnvironmentFault(f"{what} {told['fault']}")
    return told
