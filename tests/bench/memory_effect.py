"""Does memory act, and only where it should? Four arms on all tasks of a file, paired by task:

none     no memory
own      a design whose memory the agent built itself from the other tasks of the same projects
other    the same design, its memory built from another project's tasks
oracle   a note made from the task's own gold patch, for this check alone

Cross-fitted in ten parts: the memory that a task meets was built from nine of ten of the other tasks (--folds).

    python -m tests.bench.memory_effect [--design claude_md] [--tasks FILE] [--repeats 3] [--seed 42]
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from pathlib import Path

from core.commands import MEMO_ARCHIVE
from core.design_file import Design, resolve_design
from core.experiments import h1
from core.options import log_dir
from core.progress import Progress
from core.report import h1 as h1_report
from core.run import open_run, tasks_of
from envs_archive.coding.tasks import Task
from evals.utils.sandbox import probe
from run_main import options_from, parser

ORACLE = '''"""Notes made from the gold patches: an upper bound, for measuring only."""

from agents.memo_structure import MemoStructure

NOTES = {notes!r}


class Oracle(MemoStructure):
    async def general_retrieve(self, recorder):
        return {{"notes": NOTES.get(recorder.init["problem_statement"].strip(), "")}}

    async def general_update(self, recorder):
        pass
'''


def write_oracle(tasks: dict[str, Task], folder: Path) -> Path:
    """A design file that hands out each task's own gold diff."""
    path = folder / "memo_structure_oracle.py"
    path.write_text(
        ORACLE.format(notes={task.problem_statement.strip(): task.patch for task in tasks.values()}),
        encoding="utf-8",
    )
    return path


async def measure(design: str, arguments: list[str]) -> None:
    options = options_from(
        parser().parse_args(["--experiment", "h1", "--memo_SHA", design, "--folds", "10", *arguments])
    )
    tasks = tasks_of(options)
    with Progress() as progress:
        async with open_run(
            options, log_dir() / options.name, tasks, probe(options.sandbox), progress
        ) as run:
            arms = [
                h1.Arm("none", resolve_design("no_mem", MEMO_ARCHIVE)),
                h1.Arm("own", resolve_design(design, MEMO_ARCHIVE)),
                h1.Arm("other", resolve_design(f"other_project:{design}", MEMO_ARCHIVE)),
                h1.Arm("oracle", Design("oracle", write_oracle(tasks, run.folder))),
            ]
            h1_report.finish(run, await h1.run_arms(run, arms))


def main() -> None:
    own = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    own.add_argument("--design", default="claude_md")
    chosen, rest = own.parse_known_args(sys.argv[1:])
    asyncio.run(measure(chosen.design, rest))


if __name__ == "__main__":
    main()
