"""Grades each task's reference solution and doing nothing: ``python -m tests.bench.gold_and_nop FILE... [--n 25]``.

Each FILE is a tasks file. The first must resolve the task, the second must not, however often they are graded. Beside a
file that `generate_dataset.py --repo` has made stands a report: what did not become a task because its solution was
graded otherwise than its tests had been measured is counted too.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import sys
import tempfile
from pathlib import Path

from envs_archive.coding.grading import changes_from_patch, grade, grading_limits
from envs_archive.coding.grading_rooms import GradingRooms
from envs_archive.coding.tasks import Task, load_tasks
from envs_archive.coding.workspace import prepare_base
from envs_archive.coding_envs import load_config
from evals.contract import Verdict
from evals.utils.sandbox import probe

AT_ONCE = 2
LOST = ("its own solution is not graded as solved", "other tests pass in a grading than were measured")


async def graded(tasks: list[Task], times: int, folder: Path) -> list[tuple[Task, Verdict, Verdict]]:
    """(task, verdict on its solution, verdict on nothing), ``times`` times for each."""
    rooms, slots = GradingRooms(probe("auto"), grading_limits(load_config())), asyncio.Semaphore(AT_ONCE)

    async def one(task: Task) -> list[tuple[Task, Verdict, Verdict]]:
        async with slots:
            base = await prepare_base(task, folder / task.instance_id)
            changes = await changes_from_patch(base, task.patch)
            return [
                (task, await grade(task, base, changes, rooms), await grade(task, base, {}, rooms))
                for _ in range(times)
            ]

    try:
        return [each for found in await asyncio.gather(*map(one, tasks)) for each in found]
    finally:
        await rooms.close()


def lost(file: Path) -> str:
    """What the report beside a tasks file says of gradings that went otherwise."""
    report = file.with_name(f"{file.stem}_report.json")
    if not report.exists():
        return "-"
    said = json.loads(report.read_text(encoding="utf-8"))
    unsure = sum(len(tests) for why, tests in said["left_out"].items() if "in a grading" in why)
    return f"{sum(said['rejected'].get(why, 0) for why in LOST)} of {said['tried']} bugs, {unsure} tests"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE")
    parser.add_argument("--n", type=int, help="the first so many tasks of each file")
    parser.add_argument("--times", type=int, default=1)
    options = parser.parse_args()
    good = True
    print(f"{'tasks':<20} {'n':>4} {'gold solved':>12} {'nop unsolved':>13} {'median s':>9}  lost when made")
    for file in options.files:
        tasks = load_tasks(file)[: options.n]
        with tempfile.TemporaryDirectory() as folder:
            found = asyncio.run(graded(tasks, options.times, Path(folder)))
        solved = sum(gold.resolved for _, gold, _ in found)
        unsolved = sum(not nop.resolved and nop.error is None for _, _, nop in found)
        seconds = statistics.median(verdict.seconds for _, *both in found for verdict in both)
        print(
            f"{file.stem:<20} {len(found):>4} {solved:>12} {unsolved:>13} {seconds:>9.2f}  {lost(file)}",
            flush=True,
        )
        for task, gold, nop in found:
            if not gold.resolved or nop.resolved or nop.error or gold.flags:
                print(f"  {task.instance_id}: gold {gold}; nop {nop}")
        good &= solved == unsolved == len(found)
    sys.exit(not good)


if __name__ == "__main__":
    main()
