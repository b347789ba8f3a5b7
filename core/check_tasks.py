"""``--check_tasks``: which SWE-bench instances can be used on this machine, and why the others cannot."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

from rich.console import Console
from rich.table import Table

from core.options import UsageError
from envs_archive.coding.grading_rooms import GradingRooms
from envs_archive.coding.swebench.checking import Checked, check
from envs_archive.coding.swebench.source import PREFIX, load_source
from evals.contract import write_atomic, write_json_atomic
from evals.utils.sandbox import NO_BOUNDARY, Limits, SandboxUnavailable, probe

EXIT_DONE, EXIT_FAILED = 0, 1


async def check_tasks(
    tasks: str, repo_cache: str | None, environments: str | None, folder: Path, repeats: int, sandbox: str
) -> int:
    """Check every row, print a table, and write ``check.json`` and ``usable.jsonl`` into ``folder``.

    Returns:
        the exit code: 0 when at least one instance can be used.

    Raises:
        UsageError: there is nothing to check; nothing has been written.
    """
    if not tasks.startswith(PREFIX):
        raise UsageError(f"--check_tasks takes --tasks {PREFIX}FILE: rows of SWE-bench")
    try:
        kind = probe(sandbox)
        source = load_source(tasks, repo_cache, environments, images=kind.kind == "container")
    except (ValueError, SandboxUnavailable) as error:
        raise UsageError(str(error)) from error
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "bases").mkdir(exist_ok=True)
    except OSError as error:
        raise UsageError(f"cannot write the folder {folder}: {error.strerror}") from error
    started = time.monotonic()

    def say(text: str) -> None:
        print(f"[{time.monotonic() - started:6.1f}s] {text}", file=sys.stderr, flush=True)

    if kind.kind == "process":
        say(f"warning: {NO_BOUNDARY}")
    found = {bad.name: Checked(bad.name, "", False, bad.reason) for bad in source.bad}
    rooms = GradingRooms(kind, Limits())
    for number, task in enumerate(source.tasks, 1):
        found[task.instance_id] = done = await check(task, folder / "bases", rooms, repeats, say)
        say(f"{number}/{len(source.tasks)} {task.instance_id}: {done.reason or 'usable'}")
        _write(folder, found, source.rows)  # what is known is kept, whatever comes
    _write(folder, found, source.rows)
    _print(sorted(found.values(), key=lambda one: not one.usable), repeats)
    usable = sum(one.usable for one in found.values())
    print(f"{usable} of {len(found)} can be used; reasons in {folder / 'check.json'}")
    if usable:
        print(f"next: python run_main.py --tasks {PREFIX}{folder / 'usable.jsonl'} with the same flags")
    return EXIT_DONE if usable else EXIT_FAILED


def _write(folder: Path, found: dict[str, Checked], rows: dict[str, dict]) -> None:
    write_json_atomic(folder / "check.json", [one.to_dict() for one in found.values()])
    lines = [
        json.dumps(row, ensure_ascii=False, default=str) for name, row in rows.items() if _usable(found, name)
    ]
    write_atomic(folder / "usable.jsonl", "".join(f"{line}\n" for line in lines).encode())


def _usable(found: dict[str, Checked], name: str) -> bool:
    return name in found and found[name].usable


def _print(found: list[Checked], repeats: int) -> None:
    table = Table(box=None, pad_edge=False)
    numbers = ("f2p", "p2p", "gold", "nop", "seconds")
    for name in ("instance", "environment", *numbers, "usable"):
        table.add_column(name, justify="right" if name in numbers else "left", overflow="fold")
    for one in found:
        graded = (
            (f"{one.gold}/{repeats}", f"{one.nop}/{repeats}", f"{one.seconds:.1f}")
            if one.graded
            else ("",) * 3
        )
        counts = (str(one.fail_to_pass), str(one.pass_to_pass)) if one.environment else ("", "")
        table.add_row(
            one.name, one.environment, *counts, *graded, "yes" if one.usable else f"no: {one.reason}"
        )
    print(
        "gold and nop: how often the reference solution, and no change, were resolved; seconds of one gold grading"
    )
    Console(width=None if sys.stdout.isatty() else 160, highlight=False).print(table)
