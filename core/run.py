"""One run: its folder, its lock, its tasks, its gateway, its evaluator, and the summary it leaves."""

from __future__ import annotations

import contextlib
import fcntl
import math
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from core.eval_in_container import EvaluationSettings, Evaluator
from core.gateway.gateway import Gateway, GatewaySettings
from core.gateway.ledger import totals
from core.grading_desk import GradingDesk
from core.options import Options, UsageError
from core.progress import Progress
from envs_archive.coding.grading import grading_limits
from envs_archive.coding.grading_rooms import GradingRooms
from envs_archive.coding.tasks import Split, Task, load_tasks, split_tasks
from envs_archive.coding.workspace import prepare_base
from envs_archive.coding_envs import load_config
from evals.contract import write_json_atomic
from evals.utils.sandbox import NO_BOUNDARY, SandboxKind

GRADING_CONCURRENCY = 2


@dataclass
class Run:
    """An open run. Made by ``open_run``."""

    options: Options
    folder: Path
    tasks: dict[str, Task]
    bases: dict[str, Path]
    gateway: Gateway
    desk: GradingDesk
    kind: SandboxKind
    config: dict[str, Any]
    progress: Progress
    started: float
    designs: list[dict[str, Any]] = field(default_factory=list)

    @property
    def projects(self) -> dict[str, str]:
        """Project of each task."""
        return {task.instance_id: task.project for task in self.tasks.values()}

    def evaluator(self, split: Split) -> Evaluator:
        options = self.options
        settings = EvaluationSettings(
            model=options.execution_model,
            rollout=options.rollout_type,
            repeats=options.repeats,
            seed=options.seed,
            update_size=options.update_size,
            update_concurrency=options.batch_max_update_concurrent,
            retrieve_concurrency=options.batch_max_retrieve_concurrent,
            concurrent_evaluations=options.max_container_concurrent,
            fresh_collection=options.fresh_collection,
            memory_timeout_s=self.config["memory_timeout"],
            env=self.config,
        )
        return Evaluator(
            self.folder, split, self.tasks, self.bases, self.gateway, self.desk, self.kind, settings
        )

    def spent(self) -> dict[str, tuple[int, float | None]]:
        """Tokens and USD of each design so far; USD is None when a price is unknown."""
        return {
            group.group[0] or "": (
                group.prompt_tokens + group.completion_tokens,
                None if group.unpriced else group.usd,
            )
            for group in totals(self.gateway.ledger_path, "design")
        }

    def summarise(self, state: str, **more: Any) -> dict[str, Any]:
        """Write ``summary.json``: how the run stands, what it cost, and what is known of its ``designs``."""
        [spent] = totals(self.gateway.ledger_path)
        summary = {
            "schema": 1,
            "kind": self.options.kind,
            "state": state,
            "seed": self.options.seed,
            "meta_model": self.options.meta_model,
            "execution_model": self.options.execution_model,
            "sandbox": self.kind.kind,
            "warnings": [NO_BOUNDARY] if self.kind.kind == "process" else [],
            "designs": self.designs,
            "calls": {"total": spent.calls, "from_ledger": 0},
            "tokens": {
                "prompt": spent.prompt_tokens,
                "completion": spent.completion_tokens,
                "cached": spent.cached_tokens,
            },
            "cost_usd": None if spent.unpriced else spent.usd,
            "wall_s": round(time.monotonic() - self.started, 1),
            **more,
        }
        write_json_atomic(self.folder / "summary.json", finite(summary))
        return summary


def finite(value: Any) -> Any:
    """JSON has no nan: numbers that do not exist become null."""
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, dict):
        return {key: finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [finite(item) for item in value]
    return value


def tasks_of(options: Options) -> dict[str, Task]:
    """The tasks of a run by id.

    Raises:
        UsageError: the file is missing or broken.
    """
    try:
        return {task.instance_id: task for task in load_tasks(Path(options.tasks))}
    except (OSError, ValueError) as error:
        raise UsageError(str(error)) from error


def split_of(options: Options, tasks: dict[str, Task]) -> Split:
    """Update and retrieve tasks by ``--status``, ``--train_size`` and ``--update_task``.

    Raises:
        UsageError: a half is empty.
    """
    split = split_tasks(list(tasks), options.status, options.train_size)
    if options.update_task is not None:
        split = Split(
            split_tasks(list(tasks), options.update_task, options.train_size).update, split.retrieve
        )
    if not split.retrieve:
        raise UsageError(
            f"--status {options.status} with --train_size {options.train_size} leaves no task to score out of "
            f"{len(tasks)}: choose another --train_size"
        )
    return split


@contextlib.asynccontextmanager
async def open_run(
    options: Options, folder: Path, tasks: dict[str, Task], kind: SandboxKind, progress: Progress
) -> AsyncIterator[Run]:
    """Create (or reopen) the run's folder, prepare its tasks and start its gateway.

    Raises:
        UsageError: the folder cannot be written, or another process works in it.
    """
    started = time.monotonic()
    try:
        (folder / "bases").mkdir(parents=True, exist_ok=True)
        (folder / "evaluations").mkdir(exist_ok=True)
        lock = open(folder / ".lock", "w")  # noqa: SIM115 - held until the process ends
    except OSError as error:
        raise UsageError(f"cannot write the run folder {folder}: {error.strerror}") from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        lock.close()
        raise UsageError(f"another process is working in {folder}") from error
    with lock:
        options.save(folder / "options.json")
        config = load_config()
        bases = {name: await prepare_base(task, folder / "bases" / name) for name, task in tasks.items()}
        gateway = Gateway(folder, GatewaySettings.from_environment(options.execution_model))
        rooms = GradingRooms(kind, grading_limits(config))
        desk = GradingDesk(
            folder / "verdicts.jsonl",
            tasks,
            bases,
            rooms,
            GRADING_CONCURRENCY,
            progress.episode,
        )
        gateway.add_grader(desk.grade)
        await gateway.start()
        try:
            yield Run(options, folder, tasks, bases, gateway, desk, kind, config, progress, started)
        finally:
            await gateway.stop()
            await rooms.close()
