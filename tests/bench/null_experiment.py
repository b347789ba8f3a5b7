"""Does the whole H1 experiment find differences where there are none? An A/A check.

no_mem against no_mem under other agent seeds, with real agents, sandboxes and grading: per seed one complete
experiment. At .05 about one of twenty may come out significant.

    python -m tests.bench.null_experiment [--runs 20] [--first_seed 1] [--tasks FILE] [--repeats 1] ...
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys

from core.commands import MEMO_ARCHIVE
from core.design_file import resolve_design
from core.experiments import h1
from core.options import Options, log_dir
from core.progress import Progress
from core.report import h1 as h1_report
from core.run import open_run, tasks_of
from evals.utils.sandbox import probe
from run_main import options_from, parser

SHIFT = 1_000_003
"""Between the seeds of the two arms; larger than any range of first seeds."""
P_VALUES = ("p", "p_permutation", "p_wilcoxon", "p_sign", "p_cluster")


async def experiment(options: Options) -> dict[str, dict[str, float | None]]:
    """One A/A experiment; its tests by outcome."""
    tasks = tasks_of(options)
    design = resolve_design("no_mem", MEMO_ARCHIVE)
    arms = [h1.Arm("no_mem", design), h1.Arm("no_mem again", design, SHIFT)]
    with Progress() as progress:
        folder = log_dir() / options.name
        begun = (folder / "options.json").exists()
        async with open_run(options, folder, tasks, probe(options.sandbox), progress, reopen=begun) as run:
            h1_report.finish(run, await h1.run_arms(run, arms))
    summary = json.loads((log_dir() / options.name / "summary.json").read_text(encoding="utf-8"))
    pair = summary["paired"]["no_mem again"]
    return {"resolved": pair["resolved"], "reward": pair}


def main() -> None:
    own = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    own.add_argument("--runs", type=int, default=20)
    own.add_argument("--first_seed", type=int, default=1)
    own.add_argument("--result_dir", default="null")
    chosen, rest = own.parse_known_args(sys.argv[1:])
    found = []
    for seed in range(chosen.first_seed, chosen.first_seed + chosen.runs):
        name = f"{chosen.result_dir}-{seed}"
        if (log_dir() / name / "options.json").exists():
            arguments = ["--resume", name]
        else:
            arguments = [
                "--experiment",
                "h1",
                "--memo_SHA",
                "no_mem",
                "--seed",
                str(seed),
                "--result_dir",
                name,
            ]
            arguments += rest
        found.append(asyncio.run(experiment(options_from(parser().parse_args(arguments)))))
    for outcome in ("resolved", "reward"):
        print(f"{outcome}: significant at .05 in so many of {len(found)} experiments without an effect")
        for p in P_VALUES:
            values = [f[outcome][p] for f in found]
            print(f"  {p:14} {sum(v is not None and v < 0.05 for v in values)}")
        held = [f[outcome]["interval"] for f in found]
        print(f"  the t interval holds 0 in {sum(i[0] is None or i[0] <= 0 <= i[1] for i in held)}")


if __name__ == "__main__":
    main()
