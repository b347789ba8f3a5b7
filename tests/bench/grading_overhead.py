"""What grading costs over a bare pytest run on a small repository: ``python -m tests.bench.grading_overhead [--n 20]``.

Both run the same five tests of ``tests/env/env_project.py``; grading in warm rooms, as in a run. The target for the
difference of the medians is 0.4 s. Then what the watch does to hot loops: a million calls by code under test, and a
million calls by a test, each as the time that they add to a bare run and to a grading. The target for the first is 1.5
times; what stands in a test is looked at whenever it is used, and costs more.
"""

from __future__ import annotations

import argparse
import asyncio
import dataclasses
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from envs_archive.coding.grading import changes_from_patch, grade
from envs_archive.coding.grading_rooms import GradingRooms
from envs_archive.coding.tasks import Task
from envs_archive.coding.workspace import apply_patch, make_workspace, prepare_base
from evals.utils.sandbox import Limits, probe
from tests.env.env_project import FILES, TASK


def run_bare(tree: Path) -> None:
    subprocess.run([sys.executable, "-m", "pytest", "-q"], cwd=tree, check=True, capture_output=True)


LOOP = "    for n in range(1_000_000):\n        area(n, 2)\n"
MANY = "from .area import area\n\n\ndef many():\n" + LOOP
HOT = {"code under test": "    many()\n", "a test": LOOP}


def hot_task(loop: str) -> Task:
    """A task with one test that runs a loop."""
    head = "from shapes import area\nfrom shapes.many import many\n\n\ndef test_hot():\n"
    test = f"{head}{loop}    assert area(3, 4) == 12\n"
    files = {**FILES, "shapes/many.py": MANY, "tests/test_shapes.py": test}
    ids = ("tests/test_shapes.py::test_hot",)
    return dataclasses.replace(TASK, files=files, test_patch="", fail_to_pass=ids, pass_to_pass=())


async def measure(task: Task, n: int, folder: Path) -> tuple[list[float], list[float]]:
    """Seconds of n bare runs and of n gradings, taken in turn."""
    base = await prepare_base(task, folder / "base")
    changes = await changes_from_patch(base, task.patch)
    tree = make_workspace(base, folder / "tree", with_git=False)
    await apply_patch(tree, task.test_patch)
    await apply_patch(tree, task.patch)
    bare, graded = [], []
    rooms = GradingRooms(probe("auto"), Limits(wall_s=60))
    try:
        for number in range(-2, n):
            started = time.perf_counter()
            await asyncio.to_thread(run_bare, tree)
            between = time.perf_counter()
            numbered = dataclasses.replace(task, instance_id=str(number))
            verdict = await grade(numbered, base, changes, rooms)
            ended = time.perf_counter()
            assert verdict.resolved, verdict
            if number >= 0:  # the first ones warm up
                bare.append(between - started)
                graded.append(ended - between)
    finally:
        await rooms.close()
    return bare, graded


def medians(task: Task, n: int) -> tuple[float, float]:
    """Of bare runs and of gradings; printed too."""
    with tempfile.TemporaryDirectory() as folder:
        both = asyncio.run(measure(task, n, Path(folder)))
    for name, taken in zip(("bare pytest", "grading"), both, strict=True):
        p95 = sorted(taken)[int(0.95 * (len(taken) - 1))]
        print(f"{name:<12} n={len(taken)}  median {statistics.median(taken):.3f} s  p95 {p95:.3f} s")
    bare, graded = map(statistics.median, both)
    return bare, graded


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--n", type=int, default=20)
    options = parser.parse_args()
    bare, graded = medians(TASK, options.n)
    met = graded - bare <= 0.4
    print(f"overhead {graded - bare:+.3f} s  target 0.4 s: {'ok' if met else 'MISSED'}")
    empty_bare, empty_graded = medians(hot_task(""), max(3, options.n // 4))
    for where, loop in HOT.items():
        print(f"a million calls by {where}:")
        hot_bare, hot_graded = medians(hot_task(loop), max(3, options.n // 4))
        alone, watched = hot_bare - empty_bare, hot_graded - empty_graded
        times = watched / alone
        target = "" if where == "a test" else f"  target 1.5: {'ok' if times <= 1.5 else 'MISSED'}"
        met &= where == "a test" or times <= 1.5
        print(
            f"{hot_bare - empty_bare:.3f} s bare, {hot_graded - empty_graded:.3f} s graded: {times:.1f} times{target}"
        )
    sys.exit(not met)


if __name__ == "__main__":
    main()
