"""SWE-bench tasks as the tasks of a run: what can be used of ``--tasks swebench:...``, and their prepared bases."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

from core.options import Options, UsageError
from envs_archive.coding.swebench.sites import install, provide
from envs_archive.coding.swebench.source import load_source, skipped
from envs_archive.coding.swebench.venvs import EnvironmentFault
from envs_archive.coding.tasks import Task
from envs_archive.coding.workspace import WorkspaceError, prepare_base
from evals.utils.sandbox import SandboxKind

Say = Callable[[str], None]


def official_tasks(options: Options, say: Say | None) -> dict[str, Task]:
    """The tasks by id; ``say`` is told of each row that is left out.

    Raises:
        ValueError: the rows or the environments cannot be read, or no row can be used.
    """
    images = options.sandbox == "container"
    source = load_source(options.tasks, options.repo_cache, options.environments, images)
    if say is not None:
        for line in skipped(source.bad):
            say(line)
    if not source.tasks:
        first = source.bad[0]
        raise ValueError(
            f"{options.tasks}: none of {len(source.bad)} rows can be used; {first.name}: {first.reason}"
        )
    return {task.instance_id: task for task in source.tasks}


async def prepare_official(task: Task, base: Path, kind: SandboxKind, say: Say) -> None:
    """Make a task's base, unless it is there, and see that what it runs with is there.

    Raises:
        UsageError: it cannot be prepared; says how to find out which can.
    """
    if bool(task.official.image) != (kind.kind == "container"):  # of a run that was begun in another sandbox
        where = "container" if task.official.image else "bwrap or process"
        raise UsageError(f"{task.instance_id} was read for --sandbox {where}: resume with it, or begin anew")
    try:
        await prepare_base(task, base, partial(install, task, kind=kind, say=say))
        await provide(task, base, kind, say)
    except (EnvironmentFault, WorkspaceError) as error:
        raise UsageError(
            f"{task.instance_id}: {error}; run_main.py --check_tasks with the same flags writes a file of those "
            "that can be used"
        ) from error
