"""One run: its folder, its lock, its tasks, its gateway, its evaluator, and the summary it leaves."""

from __future__ import annotations

import contextlib
import dataclasses
import fcntl
import json
import math
import os
import shutil
import sqlite3
import time
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from core.design_file import Design, resolve_design
from core.eval_in_container import EvaluationSettings, Evaluator, folder_name, memory_folder
from core.gateway.gateway import Gateway, GatewaySettings
from core.gateway.ledger import totals
from core.grading_desk import GradingDesk
from core.image_rooms import ImageRooms
from core.inputs import Inputs
from core.official_tasks import official_tasks, prepare_official
from core.options import MEMO_ARCHIVE, Options, UsageError
from core.progress import Progress
from envs_archive.coding.grading import grading_limits
from envs_archive.coding.grading_rooms import GradingRooms
from envs_archive.coding.swebench.source import PREFIX
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
    inputs: Inputs
    memo_archive: Path
    images: ImageRooms
    designs: list[dict[str, Any]] = field(default_factory=list)

    def design(self, name: str) -> Design:
        """A design of this run by name or SHA.

        Raises:
            DesignError: there is none.
        """
        return find_design(name, self.inputs, self.memo_archive, self.options.task_type)

    @property
    def projects(self) -> dict[str, str]:
        """Project of each task."""
        return {task.instance_id: task.project for task in self.tasks.values()}

    def evaluator(self, split: Split, designs: Sequence[Design] = (), **changes: Any) -> Evaluator:
        """Evaluates on a split; ``designs`` say what controls wrap and where saved memories are, ``changes`` are
        settings that differ from the run's options."""
        options = self.options
        settings = EvaluationSettings(
            model=options.execution_model,
            rollout=options.rollout_type,
            repeats=options.repeats,
            seed=options.seed,
            update_concurrency=options.batch_max_update_concurrent,
            retrieve_concurrency=options.batch_max_retrieve_concurrent,
            concurrent_evaluations=options.max_container_concurrent,
            fresh_collection=options.fresh_collection,
            memory_tokens=options.memory_tokens,
            inner={d.sha: d.inner for d in designs if d.inner is not None},
            action_spaces={d.sha: d.action_space for d in designs if d.action_space is not None},
            load_memory={d.sha: memory_folder(options.load_memory, d.sha) for d in designs if d.has_memory}
            if options.load_memory
            else {},
            history_limit=options.history_limit,
            memory_timeout_s=self.config["memory_timeout"],
            env=self.config,
        )
        settings = dataclasses.replace(settings, **changes)
        return Evaluator(
            self.folder,
            split,
            self.tasks,
            self.bases,
            self.gateway,
            self.desk,
            self.kind,
            settings,
            self.progress,
            self.images,
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

    def usd_of_run(self, design: str, modes: Sequence[str]) -> float | None:
        """USD of all model calls of one run of a task with a design, and the share of it in learning, as if the memory
        were built once for all tasks of the split: evaluations in parts build it in each.

        Args:
            modes: the design's evaluations that count, by their mode.

        None when a price is unknown, or nothing was run.
        """
        groups = totals(self.gateway.ledger_path, "design", "evaluation", "phase", "task", "repeat")
        names = tuple(f"{folder_name(design)}_{mode}_" for mode in modes)
        own = [g for g in groups if g.group[0] == design and str(g.group[1]).startswith(names)]
        retrieved = [g for g in own if g.group[2] == "retrieve"]
        learned = [g for g in own if g.group[2] != "retrieve"]
        if not retrieved or any(g.unpriced for g in own):
            return None
        builds = max(1, len({g.group[1] for g in learned}))
        split = split_of(self.options, self.tasks)
        learning = sum(g.usd for g in learned) / builds / (len(split.retrieve) * self.options.repeats)
        return sum(g.usd for g in retrieved) / len({g.group[1:] for g in retrieved}) + learning

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
            "action_space": self.options.action_space,
            "sandbox": self.kind.kind,
            "warnings": [NO_BOUNDARY] if self.kind.kind == "process" else [],
            "designs": self.designs,
            "calls": {"total": spent.calls, "from_ledger": self.gateway.answers.from_ledger},
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


def find_design(name: str, inputs: Inputs, memo_archive: Path, task_type: str) -> Design:
    """A design that the run kept, else the one of that name there is.

    Raises:
        DesignError: there is none.
    """
    return inputs.design(name) or resolve_design(name, memo_archive, task_type)


def gateway_settings(options: Options) -> GatewaySettings:
    """How a run with these options reaches its models, and how much it may spend.

    A run that was begun offline stays so, whatever key there is by now: its designs' calls of other models too.

    Raises:
        UsageError: it was begun with a key or a server, and there is none.
    """
    settings = GatewaySettings.from_environment(
        options.execution_model,
        {} if options.offline else os.environ,
        rpm=options.rpm,
        tpm=options.tpm,
        max_cost_usd=options.max_cost_usd,
        max_tokens=options.max_tokens,
    )
    if settings.offline and options.offline is False:
        raise UsageError(
            f"{options.name} was begun with a key or a server: set OPENAI_API_KEY or OPENAI_BASE_URL"
        )
    return settings


def tasks_of(
    options: Options, inputs: Inputs | None = None, say: Callable[[str], None] | None = None
) -> dict[str, Task]:
    """The tasks of a run by id.

    Args:
        inputs: of the run; once it has kept its tasks, they are those.
        say: told which rows of a data set of others are left out, and why.

    Raises:
        UsageError: the file is missing or broken.
    """
    path = (inputs.tasks if inputs else None) or Path(options.tasks)
    try:
        if options.tasks.startswith(PREFIX) and not (inputs and inputs.tasks):
            return official_tasks(options, say)
        return {task.instance_id: task for task in load_tasks(path)}
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
    if options.load_memory is not None and options.update_size is None:
        return Split([], split.retrieve)  # the memory is loaded, not built
    return Split(split.update[: options.update_size], split.retrieve)


@contextlib.asynccontextmanager
async def open_run(
    options: Options,
    folder: Path,
    tasks: dict[str, Task],
    kind: SandboxKind,
    progress: Progress,
    *,
    reopen: bool = False,
    settings: GatewaySettings | None = None,
    memo_archive: Path = MEMO_ARCHIVE,
) -> AsyncIterator[Run]:
    """Create (or reopen) the run's folder, prepare its tasks and start its gateway.

    Args:
        reopen: the folder may hold a run that has begun.
        settings: how models are reached; by default what the options and the environment say.

    Raises:
        UsageError: the folder cannot be written, another process works in it, or its ledger is damaged.
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
        if (folder / "options.json").exists() and not reopen:
            raise UsageError(f"{folder} exists: take another --result_dir, or --resume {folder.name}")
        config = load_config(overrides={"action_space": options.action_space})
        rooms = GradingRooms(kind, grading_limits(config))
        try:
            rooms.warm()  # beside the preparation of the bases
            inputs = Inputs(folder)
            options = await _begin(options, folder, tasks, inputs, memo_archive, kind, progress.say)
            if changed := inputs.changed_code():
                progress.say(
                    f"this program has changed since the run was begun ({', '.join(changed[:3])}"
                    f"{', ...' if len(changed) > 3 else ''}): what is finished is kept, the rest runs as it is now"
                )
            bases = {name: folder / "bases" / name for name in tasks}
            gateway = Gateway(folder, settings or gateway_settings(options), progress.say, progress.call)
            progress.watch(gateway.answers)
            desk = GradingDesk(
                folder / "verdicts.jsonl",
                tasks,
                bases,
                rooms,
                GRADING_CONCURRENCY,
                progress.episode,
            )
            gateway.add_grader(desk.grade)
            images = ImageRooms(folder / "trees", tasks, bases, kind, config)
            gateway.add_commands(images.run)
            try:
                await gateway.start()
            except sqlite3.Error as error:
                raise UsageError(
                    f"{gateway.ledger_path} cannot be used ({error}): put a whole one in its place, or move it away "
                    "and have the calls of unfinished work made, and paid, again"
                ) from error
            started -= _earlier_seconds(folder)
            try:
                yield Run(
                    options,
                    folder,
                    tasks,
                    bases,
                    gateway,
                    desk,
                    kind,
                    config,
                    progress,
                    started,
                    inputs,
                    memo_archive,
                    images,
                )
            finally:
                if waiting := gateway.answers.paid_calls:
                    progress.say(f"waiting for {waiting} model calls under way (Ctrl-C drops them)")
                await gateway.stop()
        finally:
            await rooms.close()


async def _begin(
    options: Options,
    folder: Path,
    tasks: dict[str, Task],
    inputs: Inputs,
    memo_archive: Path,
    kind: SandboxKind,
    say: Callable[[str], None],
) -> Options:
    """Keep in the folder what the run was asked for and all it takes from outside; does what is not done yet."""
    for left in (*folder.glob(".*.tmp"), *folder.glob("e*/.*.tmp"), *folder.glob("evaluations/*/.*.tmp")):
        left.unlink()
    options.save(folder / "options.json")
    if inputs.tasks is None:
        shutil.rmtree(folder / "bases")
    for name, task in tasks.items():
        if task.official is not None:
            await prepare_official(task, folder / "bases" / name, kind, say)
        elif inputs.tasks is None:
            await prepare_base(task, folder / "bases" / name)
    if inputs.tasks is None:
        os.sync()  # the task file says that the trees are whole
        inputs.keep_tasks(tasks)
    if options.history_ckpt_path is not None and inputs.history is None:
        inputs.keep_history(Path(options.history_ckpt_path), memo_archive / options.task_type)
    kept = inputs.keep_designs(
        options, lambda name: find_design(name, inputs, memo_archive, options.task_type)
    )
    if kept != options:
        kept.save(folder / "options.json")
    return kept


def state_of(folder: Path) -> str:
    """How the run in this folder stands: ``done``, ``interrupted``, ``budget``, or ``unfinished``."""
    return str(_summary(folder).get("state") or "unfinished")


def _earlier_seconds(folder: Path) -> float:
    """What earlier sessions of the run took, as far as its last summary tells."""
    try:
        return float(_summary(folder).get("wall_s", 0.0))
    except (ValueError, TypeError):
        return 0.0


def _summary(folder: Path) -> dict[str, Any]:
    """What the run's last session left; empty without one."""
    try:
        summary = json.loads((folder / "summary.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return summary if isinstance(summary, dict) else {}
