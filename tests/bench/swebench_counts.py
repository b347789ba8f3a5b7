"""Do our counts of SWE-bench tests agree with the harness's own? Compares with the package `swebench` on real logs.

    pip install swebench
    python tests/bench/swebench_counts.py --tasks swebench:FILE --repo_cache DIR [--environments FILE]

For every instance, with its solution and with no change, the test command runs twice: under our launcher, and plainly,
with its terminal output kept as the log of the harness. Compared are
    parser    our parser and the package's, on that log: the whole maps
    counts    what the package counts on that log, and what we count over the private channel: both lists, resolved
    statuses  tests of which the log and the channel tell different things (durations and so on can make some flaky)
One line an instance and stage; exit code 1 when a parser or a count differs.
"""

from __future__ import annotations

import argparse
import asyncio
import dataclasses
import sys
import tempfile
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from swebench.harness.grading import get_eval_report, get_logs_eval
from swebench.harness.log_parsers import PARSER_REGISTRY
from swebench.types import TestSpec

from envs_archive.coding.clean_tree import lay_out
from envs_archive.coding.grading import changes_from_patch
from envs_archive.coding.grading_rooms import GradingRooms
from envs_archive.coding.swebench.counting import PARSERS
from envs_archive.coding.swebench.grading import Graded, grading_limits, run_tests
from envs_archive.coding.swebench.sites import install, mounted, provide
from envs_archive.coding.swebench.source import load_source
from envs_archive.coding.tasks import Task
from envs_archive.coding.workspace import prepare_base
from evals.utils.sandbox import Limits, probe

LOG_BYTES = 64 << 20


async def plain_log(task: Task, base: Path, changes: dict[str, bytes | None], rooms: GradingRooms) -> str:
    """The log that the harness's evaluation script would leave."""
    environment = mounted(task, base, rooms.kind)
    limits = dataclasses.replace(grading_limits(task), output_bytes=LOG_BYTES)
    async with rooms.room_with(environment, (Path(__file__), "/run/unused"), limits, base) as session:
        await lay_out(task, changes, session.workspace)
        done = await session.run(task.official.command)
    return (
        f"+ : '>>>>> Start Test Output'\n{done.output}\n+ : '>>>>> End Test Output'\n"
        f">>>>> Test Exit Code: {done.exit_code}\n"
    )


def package_counts(task: Task, row: dict, log: str) -> tuple[dict[str, str], bool, list[str], list[str]]:
    """(its map, resolved, FAIL_TO_PASS and PASS_TO_PASS tests it counts) of the package."""
    spec = TestSpec(
        task.instance_id,
        "",
        [],
        task.repo,
        task.version,
        list(task.fail_to_pass),
        list(task.pass_to_pass),
        row["log_parser"],
        row["eval_type"],
    )
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as file:
        file.write(log)
        file.flush()
        prediction = {"instance_id": task.instance_id, "model_name_or_path": "x", "model_patch": "x"}
        report = get_eval_report(spec, prediction, file.name, include_tests_status=True)[task.instance_id]
        statuses, _ = get_logs_eval(spec, file.name)
    passed = report.get("tests_status", {})
    kept = [passed.get(name, {}).get("success", []) for name in ("FAIL_TO_PASS", "PASS_TO_PASS")]
    return statuses, report["resolved"], *kept


def compare(task: Task, row: dict, log: str, ours: Graded) -> tuple[str, bool]:
    """(a line, whether parser and counts agree)."""
    theirs, resolved, f2p, p2p = package_counts(task, row, log)
    sliced = log.partition(">>>>> Start Test Output")[2].partition(">>>>> End Test Output")[0]
    spec = TestSpec(task.instance_id, "", [], task.repo, task.version, [], [])
    parsed = PARSERS[task.official.parser](sliced.split("\n"))
    same_parser = parsed == PARSER_REGISTRY[row["log_parser"]](sliced, spec)
    mine = ours.counts == (list(task.fail_to_pass), list(task.pass_to_pass))
    same_counts = (ours.counts.fail_to_pass, ours.counts.pass_to_pass, mine) == (f2p, p2p, resolved)
    differ = [t for t in theirs.keys() | ours.statuses.keys() if theirs.get(t) != ours.statuses.get(t)]
    text = (
        f"parser {'same' if same_parser else 'DIFFERS'}, counts {'same' if same_counts else 'DIFFER'} "
        f"({len(f2p)}/{len(task.fail_to_pass)} {len(p2p)}/{len(task.pass_to_pass)} "
        f"{'resolved' if resolved else 'not resolved'}), {len(theirs)} statuses, {len(differ)} differ"
        + "".join(f"; {t}: {theirs.get(t)}, ours {ours.statuses.get(t)}" for t in differ[:2])
    )
    return text, same_parser and same_counts


async def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--tasks", required=True)
    parser.add_argument("--repo_cache")
    parser.add_argument("--environments")
    options = parser.parse_args()
    source = load_source(options.tasks, options.repo_cache, options.environments)
    kind, agree = probe("auto"), True
    rooms = GradingRooms(kind, Limits())
    with tempfile.TemporaryDirectory() as scratch:
        for task in source.tasks:
            base = Path(scratch) / task.instance_id
            await prepare_base(task, base, partial(install, task, kind=kind, say=print))
            await provide(task, base, kind, print)
            for stage in ("gold", "nop"):
                changes = await changes_from_patch(base, task.patch) if stage == "gold" else {}
                ours = await run_tests(task, base, changes, rooms)
                log = await plain_log(task, base, changes, rooms)
                line, same = compare(task, source.rows[task.instance_id], log, ours)
                agree &= same
                print(f"{task.instance_id} {stage}: {line}", flush=True)
    print("all agree" if agree else "NOT all agree")
    return 0 if agree else 1


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
