"""``generate_dataset.py --repo PATH``: tasks out of the user's own repository."""

from __future__ import annotations

import argparse
import contextlib
import datetime
import os
import sys
import time
from pathlib import Path

from dotenv import load_dotenv

from core.issue_writer import issue_writer
from core.options import PROJECT_ROOT, UsageError, log_dir
from envs_archive.coding.planting.making import Request, make_tasks
from envs_archive.coding.planting.repository import RepositoryError, repository_name
from envs_archive.coding.planting.suite import SuiteError
from evals.utils.gateway_client import InfraError, RequestRejected
from evals.utils.sandbox import NO_BOUNDARY, SandboxUnavailable, probe

DEFAULT_TASKS = 50
EXIT_DONE, EXIT_FAILED, EXIT_USAGE = 0, 1, 2


def add_flags(parser: argparse.ArgumentParser) -> None:
    """The flags of this part of ``generate_dataset.py``."""
    add = parser.add_argument_group(
        "your own repository",
        "plants bugs in a copy of a Python repository with pytest tests, and writes tasks for run_main.py --tasks",
    ).add_argument
    add("--repo", type=Path, metavar="PATH", help="folder of the repository; nothing in it is changed")
    add("--tasks", type=_number, metavar="N", help=f"tasks to make (default {DEFAULT_TASKS})")
    add("--out", type=Path, metavar="FILE", help="the tasks file (default: NAME_tasks.jsonl in this folder)")
    add("--seed", type=int, default=42, metavar="N", help="seed of every choice (default 42)")
    add("--package", metavar="DIR", help="plant bugs in this folder or file of the repository only")
    add("--test_cmd", metavar="CMD", help="how its tests are run (default: python -m pytest -q)")
    add("--from_git", action="store_true", help="take bug fixes of its history instead of planting bugs")
    add(
        "--series",
        type=_number,
        metavar="N",
        help="N tasks in an order in which later ones touch modules met before",
    )
    add("--model", metavar="NAME", help="have this model write the issues (default: a template)")
    add("--sandbox", choices=["auto", "bwrap", "container", "process"], default="auto")


def _number(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError("must be at least 1")
    return value


def request_from(options: argparse.Namespace) -> Request:
    """What the flags ask for; a series is chosen out of half as many tasks again."""
    wanted = options.tasks or (options.series * 3 // 2 if options.series else DEFAULT_TASKS)
    if options.series and wanted < options.series:
        raise UsageError(f"--series {options.series} takes at least as many --tasks, not {wanted}")
    return Request(
        path=options.repo,
        tasks=wanted,
        out=options.out or Path(f"{repository_name(options.repo)}_tasks.jsonl"),
        seed=options.seed,
        package=options.package,
        test_cmd=options.test_cmd,
        length=options.series,
        from_git=options.from_git,
    )


async def make(options: argparse.Namespace) -> int:
    """Make the tasks, print the table to stdout and progress to stderr; returns the exit code."""
    started = time.monotonic()

    def say(text: str) -> None:
        print(f"[{time.monotonic() - started:6.1f}s] {text}", file=sys.stderr, flush=True)

    try:
        request = request_from(options)
        request.check()
        kind = probe(options.sandbox)
        if kind.kind == "process":
            say(f"warning: {NO_BOUNDARY}")
        async with contextlib.AsyncExitStack() as stack:
            rewrite = None
            if options.model:
                load_dotenv(os.environ.get("DOTENV_PATH") or PROJECT_ROOT / ".env")
                folder = log_dir() / f"{datetime.datetime.now():%Y%m%d-%H%M%S}-issues"
                rewrite = await stack.enter_async_context(
                    issue_writer(options.model, request.tasks, folder, say)
                )
            report, rows = await make_tasks(request, kind, say, rewrite)
    except (RepositoryError, SandboxUnavailable, UsageError) as error:
        return _fail(str(error), EXIT_USAGE)
    except (SuiteError, InfraError, RequestRejected, OSError) as error:
        return _fail(f"{error}; nothing was written", EXIT_FAILED)
    report.print(rows)
    print(
        f"{request.out}: {len(rows)} tasks; trees in {request.trees}, how they were made in {request.report}"
    )
    print(f"next: python run_main.py --tasks {request.out} --train_size {len(rows) // 2}")
    return EXIT_DONE


def _fail(message: str, code: int) -> int:
    print(f"generate_dataset.py: {' '.join(message.split())}", file=sys.stderr)
    return code
