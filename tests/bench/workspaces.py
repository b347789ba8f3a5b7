"""How long the trees of an episode take, by the size of the repository, against plain copies.

    python -m tests.bench.workspaces [--files 100 1000 10000] [--n 7] [--folder FOLDER]

Prepares a base for each of two tasks of one generated repository (files of about 3 kB) and then, n times in turn:
makes an episode's workspace as a copy and as what an evaluation takes (an overlay from 300 files on, where one can be
made); changes three files; collects the changes; removes it. The same for the clean tree of grading: a copy into an
emptied folder, and a folder that was equal to the other task's base with three files changed. Medians in milliseconds
(smallest to largest).
"""

from __future__ import annotations

import argparse
import asyncio
import random
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from envs_archive.coding import kept_tree
from envs_archive.coding.episode_tree import EpisodeTree, allow_overlays, base_files
from envs_archive.coding.kept_tree import KeptTree
from envs_archive.coding.tasks import Task
from envs_archive.coding.workspace import changed_files, make_workspace, prepare_base
from evals.utils.removal import remove_tree
from evals.utils.sandbox import probe

FILE_BYTES = 3000


def generated(count: int, bug: int) -> Task:
    """A task in a repository of so many modules; tasks with other bugs differ in one file."""
    chance = random.Random(count)
    files = {}
    for number in range(count):
        functions = []
        while sum(map(len, functions)) < FILE_BYTES:
            name, factor = f"f{len(functions)}_{number}", chance.randrange(10**9)
            functions.append(f"def {name}(value):\n    return value * {factor} + {len(functions)}\n\n\n")
        files[f"package/part{number // 50:03}/module{number}.py"] = "".join(functions)
    files[f"package/part000/module{bug}.py"] += f"BUG = {bug}\n"
    return Task(f"bug{bug}", "x", ("t",), (), files=files)


class Clock:
    """Collects seconds by what was done."""

    def __init__(self) -> None:
        self.seconds: dict[str, list[float]] = {}

    def time(self, what: str, do: Callable, *given, **named):
        started = time.perf_counter()
        result = do(*given, **named)
        self.seconds.setdefault(what, []).append(time.perf_counter() - started)
        return result

    def cell(self, what: str) -> str:
        values = [1000 * value for value in self.seconds[what]]
        return f"{statistics.median(values):,.1f} ({min(values):,.1f} to {max(values):,.1f})"

    def ratio(self, what: str, other: str) -> str:
        return f"{statistics.median(self.seconds[what]) / statistics.median(self.seconds[other]):.1f}"


def change(tree: Path, base: Path) -> None:
    for name in base_files(base)[:3]:
        with open(tree / name, "a") as file:
            file.write("CHANGED = 1\n")


def measure(bases: list[Path], folder: Path, rounds: int) -> Clock:
    clock = Clock()
    graded = folder / "graded"
    graded.mkdir()
    kept = KeptTree(graded)
    clock.time("first clean tree", kept.become, bases[1])
    kept_tree.listing(bases[0])
    for turn in range(rounds):
        base = bases[turn % 2]
        place = folder / "copy"
        clock.time("copy", make_workspace, base, place)
        change(place, base)
        copied = clock.time("collect of copy", changed_files, place, base)
        clock.time("removal of copy", remove_tree, place)
        tree = clock.time("workspace", EpisodeTree, base, folder)
        change(tree.workspace, base)
        assert clock.time("collect", tree.changes) == copied
        clock.time("removal", tree.remove)
        clock.time("clean copy", make_workspace, base, place, with_git=False)
        remove_tree(place)
        change(graded, base)
        clock.time("clean tree", kept.become, base)
    remove_tree(graded)
    return clock


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--files", type=int, nargs="+", default=[100, 1000, 10_000])
    parser.add_argument("--n", type=int, default=7)
    parser.add_argument("--folder", type=Path, help="on the file system to be measured")
    options = parser.parse_args()
    clocks = []
    with tempfile.TemporaryDirectory(dir=options.folder) as name:
        folder = Path(name)
        made: dict[int, list[Path]] = {}
        prepared: dict[int, Clock] = {}
        for count in options.files:
            prepared[count] = Clock()
            made[count] = [
                prepared[count].time("base", prepare, task, folder / f"{count}-{task.instance_id}")
                for task in (generated(count, 1), generated(count, 2))
            ]
        overlays = allow_overlays([base for bases in made.values() for base in bases], probe("bwrap"), folder)
        for count in options.files:
            clock = measure(made[count], folder, options.n)
            clock.seconds |= prepared[count].seconds
            clocks.append(clock)
    print(
        f"overlays can be made: {overlays}; n = {options.n}; ms, median (smallest to largest); base: n = 2\n"
    )
    print(f"{'':18}" + "".join(f"{count:>30,} files" for count in options.files))
    for what in clocks[0].seconds:
        print(f"{what:18}" + "".join(f"{clock.cell(what):>36}" for clock in clocks))
    for what, other in (("copy", "workspace"), ("collect of copy", "collect"), ("clean copy", "clean tree")):
        ratios = "".join(f"{clock.ratio(what, other):>36}" for clock in clocks)
        print(f"{what + ' / ' + other:18}{ratios}")


def prepare(task: Task, folder: Path) -> Path:
    return asyncio.run(prepare_base(task, folder))


if __name__ == "__main__":
    main()
