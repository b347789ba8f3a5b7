"""The process of one evaluation: started in its sandbox, watched, ended."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
import time
from pathlib import Path

from core.gateway.activity import Activity
from core.gateway.gateway import Gateway
from core.grading_desk import Key
from core.options import PROJECT_ROOT
from evals.contract import EvalSpec
from evals.utils.cgroups import new_group
from evals.utils.container import end_container
from evals.utils.sandbox import Limits, SandboxKind, View, sandboxed_argv
from evals.utils.subprocesses import start_process

KEPT_OUTPUT = 64 << 10
STOP_S = 5.0
EVALUATION_LIMITS = Limits(cpu_s=0, memory_mb=8192, processes=1024, file_mb=1024, disk_mb=8192)
"""Of the design's process with all agent sessions in it: far above what honest designs use."""
OVER_LIMITS = 125
"""Exit status of an evaluation that the sandbox ended for going over them."""
HANGING = -1000
"""In place of an exit code: an evaluation that we ended because it hung."""
HANG_GRACE_S = 10.0
STEP_S = 120.0
"""For the model's answer and the harness in one step, when an evaluation's longest time is reckoned."""


def expected_episodes(spec: EvalSpec) -> list[Key]:
    """(phase, task, repeat) of every episode of an evaluation."""
    expected: list[Key] = []
    if spec.collection is None:
        expected += [("update", task["id"], 0) for task in spec.update_tasks]
    if spec.design_path is not None:
        repeats = range(1, spec.repeats + 1)
        expected += [("retrieve", task["id"], repeat) for repeat in repeats for task in spec.retrieve_tasks]
    return expected


async def run_subprocess(
    spec: EvalSpec, folder: Path, gateway: Gateway, token: str, kind: SandboxKind
) -> tuple[int, str]:
    """Start ``launch.py`` in its sandbox and wait for it; returns its exit code and the end of what it printed."""
    visible = [
        PROJECT_ROOT / "evals",
        PROJECT_ROOT / "envs_archive",
        gateway.socket_path,
        folder / "spec.json",
    ]
    own = (spec.design_path, spec.inner_path, spec.collection, spec.load_memory)
    visible += [Path(p) for p in own if p]
    own_trees: dict[str, None] = {}
    for task in spec.update_tasks + spec.retrieve_tasks:
        environment = task.get("environment") or {}
        visible += [Path(task["base"]), *map(Path, environment.get("folders", ()))]
        own_trees |= dict.fromkeys(environment.get("trees", ()))
    view = View(
        readonly=tuple((path, str(path)) for path in dict.fromkeys(visible)),
        writable=((folder, str(folder)), *((Path(tree), tree) for tree in own_trees)),
        cwd=str(PROJECT_ROOT / "evals"),
        env={"ALMA_GATEWAY": str(gateway.socket_path), "ALMA_TOKEN": token, "PYTHONDONTWRITEBYTECODE": "1"},
    )
    argv, env = sandboxed_argv(kind, [sys.executable, "-m", "launch", str(folder)], view, EVALUATION_LIMITS)
    container = argv if kind.kind == "container" else None
    group = new_group(EVALUATION_LIMITS)
    if group is not None:
        argv = group.entering(argv)
    process = await start_process(
        *argv,
        env=env,
        cwd=view.cwd if container is None else gateway.socket_path.parent,  # podman may leave a file in it
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        start_new_session=True,
    )
    hangs = asyncio.ensure_future(_hangs(spec, folder, gateway.activities.of(folder.name)))
    ends = asyncio.ensure_future(_tail(process.stdout))
    try:
        await asyncio.wait([hangs, ends], return_when=asyncio.FIRST_COMPLETED)
        if not ends.done():
            await _stop(process, container)
            return HANGING, hangs.result()
        code = await process.wait()
        if group is not None and code != 0 and group.killed_for_memory():
            return OVER_LIMITS, f"more than {EVALUATION_LIMITS.memory_mb} MiB of memory"
        return code, ends.result()
    finally:
        hangs.cancel()
        ends.cancel()
        if process.returncode is None:
            await _stop(process, container)
        if group is not None:
            await asyncio.to_thread(group.remove)


async def _hangs(spec: EvalSpec, folder: Path, activity: Activity) -> str:
    """Returns, with the reason, when an evaluation does nothing any more, or goes on without end.

    The limits inside the evaluation end most of what hangs; this one does not depend on the interpreter there.
    """
    config = spec.env
    command_s = config.get("command_timeout", 60)
    quiet_s = spec.memory_timeout_s + command_s + HANG_GRACE_S
    episodes = len(expected_episodes(spec))
    updates = len(spec.update_tasks) * (spec.repeats if spec.rollout == "sequential" else 1)
    steps = config.get("max_trails", 30) * (command_s + STEP_S) + config.get("test_timeout", 120)
    total_s = quiet_s + (2 * episodes + updates) * spec.memory_timeout_s + episodes * steps
    started = time.monotonic()
    written = seen = None
    while True:
        await asyncio.sleep(min(1.0, quiet_s / 4))
        now = time.monotonic()
        with contextlib.suppress(OSError):
            written = (folder / "episodes.jsonl").lstat().st_mtime_ns
        if activity.in_flight or written != seen:
            activity.last, seen = now, written
        if now - max(activity.last, started) > quiet_s:
            return f"the evaluation hangs: no model call, no memory call and no episode for {quiet_s:g} s"
        if now - started > total_s:
            return f"the evaluation ran longer than {total_s:g} s"


async def _stop(process: asyncio.subprocess.Process, container: list[str] | None) -> None:
    """End an evaluation and all it started: the sandbox's guard does that when it is asked politely.

    Args:
        container: the command line of the one it runs in, if any.
    """
    with contextlib.suppress(ProcessLookupError):
        process.terminate()
    try:
        await asyncio.wait_for(process.wait(), STOP_S)
    except TimeoutError:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        await process.wait()
        if container is not None:
            await asyncio.to_thread(end_container, container)


async def _tail(stream: asyncio.StreamReader) -> str:
    """The last part of a stream that may be endless."""
    kept = b""
    while chunk := await stream.read(65536):
        kept = (kept + chunk)[-KEPT_OUTPUT:]
    return kept.decode("utf-8", "replace")
