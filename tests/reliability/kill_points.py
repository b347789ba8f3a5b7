"""Kills an evolution at seeded random points and resumes it: its archive, its scores and its trajectories must equal
those of the run that nobody disturbed, and no call that was answered may be made again.

    python -m tests.reliability.kill_points [--points 20] [--seed 1] [flags of an evolution: --selection rank ...]

The parent, a process of an evaluation, everything, or everything with the damage of a power cut, in turn; a third of
the resumed runs are killed once more. Offline model, two smoke tasks, one step of evolution.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import time
from pathlib import Path

from core.replay_check import differences
from tests.reliability.runs import KILLS, SAMPLES, calls, damage, finish, results, start, wait_for_calls

EVOLVE = ["--status", "train", "--train_size", "2", "--steps", "1", "--repeats", "1", "--tasks", str(SAMPLES)]


def disturbed(
    logs: Path, name: str, kind: str, at: list[int], rng: random.Random, evolve: list[str]
) -> list[str]:
    """Run with a kill at each of these numbers of calls, then to the end; returns what is wrong.

    A child's death is the running parent's to repair; after the others the run is resumed.
    """
    folder, wrong, finished = logs / name, [], {}
    process = start(logs, *evolve, "--result_dir", name)
    for number in at:
        if not wait_for_calls(folder, number, process):
            break
        time.sleep(rng.uniform(0, 0.3))
        KILLS[kind](process, rng)
        if kind == "child":
            continue
        process.communicate()
        finished, made = results(folder), set(calls(folder))
        note = damage(folder, rng) if kind == "power cut" else []
        print(
            f"    killed ({kind}) with {len(made)} calls, {len(finished)} evaluations finished",
            *note,
            sep="\n      ",
        )
        process = start(logs, "--resume", name)
    output = finish(process)
    again = sorted(name for name, at in results(folder).items() if name in finished and finished[name] != at)
    if again and kind != "power cut":
        wrong.append(f"finished evaluations were repeated: {again}")
    keys = calls(folder)
    if len(set(keys)) < len(keys):
        wrong.append(f"{len(keys) - len(set(keys))} calls were made twice")
    if "Traceback" in output:
        wrong.append("a traceback was printed")
    return wrong


def main() -> int:
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--points", type=int, default=20)
    p.add_argument("--seed", type=int, default=1)
    args, flags = p.parse_known_args()
    evolve = [*EVOLVE, *flags]
    rng = random.Random(args.seed)
    failed = 0
    with tempfile.TemporaryDirectory() as folder:
        logs = Path(folder) / "logs"
        started = time.monotonic()
        finish(start(logs, *evolve, "--result_dir", "undisturbed"))
        total = len(calls(logs / "undisturbed"))
        print(f"undisturbed: {total} calls, {time.monotonic() - started:.0f} s", flush=True)
        for point in range(args.points):
            kind = list(KILLS)[point % len(KILLS)]
            at = sorted(rng.randrange(1, total) for _ in range(1 if rng.random() < 2 / 3 else 2))
            started, name = time.monotonic(), f"point-{point + 1}"
            print(f"  {name}: {kind} at {', '.join(map(str, at))} of {total} calls", flush=True)
            wrong = disturbed(logs, name, kind, at, rng, evolve)
            wrong += differences(logs / "undisturbed", logs / name)
            if len(calls(logs / name)) != total:
                wrong.append(
                    f"{len(calls(logs / name))} calls in the ledger, {total} in the undisturbed run's"
                )
            failed += bool(wrong)
            print(
                f"    {'DIFFERS' if wrong else 'equal'}, {time.monotonic() - started:.0f} s",
                *wrong[:5],
                sep="\n      ",
            )
            sys.stdout.flush()
    print(
        f"{args.points - failed} of {args.points} kill points: archive, scores, trajectories and calls equal"
    )
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
