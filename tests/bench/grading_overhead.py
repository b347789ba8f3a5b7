"""What grading costs over a bare pytest run on a small repository: ``python -m tests.bench.grading_overhead [--n 20]``.

Both run the same five tests of ``tests/env/env_project.py``; grading in warm rooms, as in a run. The target for the
difference of the medians is 0.4 s.
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
from envs_archive.coding.workspace import apply_patch, make_workspace, prepare_base
from evals.utils.sandbox import Limits, probe
from tests.env.env_project import TASK


def run_bare(tree: Path) -> None:
    subprocess.run([sys.executable, "-m", "pytest", "-q"], cwd=tree, check=True, capture_output=True)


async def measure(n: int, folder: Path) -> tuple[list[float], list[float]]:
    """Seconds of n bare runs and of n gradings, taken in turn."""
    base = await prepare_base(TASK, folder / "base")
    changes = await changes_from_patch(base, TASK.patch)
    tree = make_workspace(base, folder / "tree", with_git=False)
    await apply_patch(tree, TASK.test_patch)
    await apply_patch(tree, TASK.patch)
    bare, graded = [], []
    rooms = GradingRooms(probe("auto"), Limits(wall_s=60))
    try:
        for number in range(-2, n):
            started = time.perf_counter()
            await asyncio.to_thread(run_bare, tree)
            between = time.perf_counter()
            task = dataclasses.replace(TASK, instance_id=str(number))
            verdict = await grade(task, base, changes, rooms)
            ended = time.perf_counter()
            assert verdict.resolved, verdict
            if number >= 0:  # the first ones warm up
                bare.append(between - started)
                graded.append(ended - between)
    finally:
        await rooms.close()
    return bare, graded


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--n", type=int, default=20)
    with tempfile.TemporaryDirectory() as folder:
        bare, graded = asyncio.run(measure(parser.parse_args().n, Path(folder)))
    for name, taken in (("bare pytest", bare), ("grading", graded)):
        p95 = sorted(taken)[int(0.95 * (len(taken) - 1))]
        print(f"{name:<12} n={len(taken)}  median {statistics.median(taken):.3f} s  p95 {p95:.3f} s")
    over = statistics.median(graded) - statistics.median(bare)
    print(f"overhead {over:+.3f} s  target 0.4 s: {'ok' if over <= 0.4 else 'MISSED'}")
    sys.exit(over > 0.4)


if __name__ == "__main__":
    main()
