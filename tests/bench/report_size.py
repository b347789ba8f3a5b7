"""How large a run's report is, how long it takes to make, and how long a browser needs to open it.

    python -m tests.bench.report_size logs/RUN --episodes 5000

The episodes of a finished run are multiplied until there are so many: with other task names, and every text of a copy
that is no file of the repository gets a number of its own, so that deduplication finds no more than it would in a real
run of that size. A headless Chromium opens the page: seconds until the first rows of the list stand, and until an
episode from the middle is open.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import resource
import shutil
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

from core.report.html.page import load_report, write_page
from tests.report.browser import PROGRAM, browser


def multiply(source: Path, target: Path, wanted: int) -> int:
    """Write a run with ``wanted`` episodes into ``target``; returns how many bytes they have."""
    target.mkdir()
    for name in ("options.json", "summary.json", "archive.json", "ledger.sqlite"):
        if (source / name).exists():
            shutil.copy(source / name, target / name)
    (target / "inputs").mkdir()
    folders = sorted(
        path for path in (source / "evaluations").iterdir() if (path / "episodes.jsonl").exists()
    )
    episodes = [
        (folder.name, json.loads(line)) for folder in folders for line in (folder / "episodes.jsonl").open()
    ]
    tasks = {
        row["instance_id"]: row
        for row in map(json.loads, (source / "inputs" / "tasks.jsonl").read_text().splitlines())
    }
    verdicts = {}
    for line in (source / "verdicts.jsonl").open():
        evaluation, phase, task, repeat, verdict = json.loads(line)
        verdicts[evaluation, phase, task, repeat] = verdict
    size = 0
    rows: dict[str, Any] = {}
    with (target / "verdicts.jsonl").open("w") as graded:
        for number in range(wanted):
            folder, episode = episodes[number % len(episodes)]
            copy, task = number // len(episodes), episode["task"]
            verdict = verdicts[folder, episode["phase"], task, episode["repeat"]]
            if copy:
                episode = _another(episode, copy)
            rows[episode["task"]] = {**tasks[task], "instance_id": episode["task"]}
            home = target / "evaluations" / folder
            if not home.exists():
                home.mkdir(parents=True)
                for name in ("spec.json", "result.json"):
                    shutil.copy(source / "evaluations" / folder / name, home / name)
            line = json.dumps(episode, ensure_ascii=False) + "\n"
            size += len(line.encode())
            with (home / "episodes.jsonl").open("a") as handle:
                handle.write(line)
            key = [folder, episode["phase"], episode["task"], episode["repeat"]]
            graded.write(json.dumps([*key, verdict]) + "\n")
    (target / "inputs" / "tasks.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows.values()))
    return size


def _another(episode: dict[str, Any], copy: int) -> dict[str, Any]:
    """The same work on another task: what was read is equal, what came of commands is not."""
    steps = [
        step
        if step["action"].get("action") == "read_file"
        else {
            **step,
            "observation": step["observation"].replace(" passed", f" passed #{copy}") + f"\n#{copy}",
        }
        for step in episode["trajectory"]
    ]
    return {**episode, "task": f"{episode['task']}-{copy}", "trajectory": steps}


async def opening(page: Path) -> tuple[float, float]:
    """Seconds until the list stands, and until an episode is open."""
    async with browser() as tab:
        started = time.perf_counter()
        await tab.open(page)
        await tab.until("document.querySelectorAll('#list tbody tr').length")
        listed = time.perf_counter() - started
        started = time.perf_counter()
        await tab.run("[...document.querySelectorAll('#list tbody button')].at(-1).click()")
        await tab.until("document.querySelector('#episode .steplist details')")
        return listed, time.perf_counter() - started


def main() -> None:
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("run", type=Path)
    p.add_argument("--episodes", type=int, nargs="+", default=[1, 100, 1000, 5000])
    p.add_argument("--times", type=int, default=3, help="how often the page is opened")
    args = p.parse_args()
    print("episodes    raw MB   page MB   made in s   peak MB   opened in s (median)   an episode in s")
    for wanted in args.episodes:
        with tempfile.TemporaryDirectory() as scratch:
            folder = Path(scratch) / "run"
            size = multiply(args.run, folder, wanted)
            started = time.perf_counter()
            page = write_page(load_report(folder), folder)
            made = time.perf_counter() - started
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
            line = f"{wanted:8} {size / 1e6:9.1f} {page.stat().st_size / 1e6:9.2f} {made:11.2f} {peak:9.0f}"
            if PROGRAM is not None:
                times = [asyncio.run(opening(page)) for _ in range(args.times)]
                opened, clicked = (statistics.median(column) for column in zip(*times, strict=True))
                line += f"   {opened:20.2f}   {clicked:15.2f}"
            print(line, flush=True)


if __name__ == "__main__":
    main()
