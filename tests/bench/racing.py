"""Error rates of races against a parent, and the tasks they save, by how much the rewrite is really better.

    python -m tests.bench.racing [--tasks 14] [--repeats 3] [--races 20000] [--seed 1]

Rewards are shares of a task's tests that pass, of tasks that are solved with chances between 0.2 and 0.9; a gain raises
every task's chance. A gain of 0 is a design no better than its parent. Half-width of a share at 20,000 races: .006.
``chosen`` is the same for a parent that was chosen because it scored best of ten equals, as parents are: its own score
flatters it, and rewrites that are as good are stopped more often than the promised share.
"""

from __future__ import annotations

import argparse

import numpy as np

from core.experiments.racing import ACCEPT_ERROR, REJECT_ERROR, decide, looks

TESTS = 6


def means(rng: np.random.Generator, chances: np.ndarray, repeats: int) -> np.ndarray:
    return (rng.binomial(TESTS, chances, (repeats, len(chances))) / TESTS).mean(axis=0)


def race(rng: np.random.Generator, gain: float, tasks: int, repeats: int, rivals: int) -> tuple[str, int]:
    """(how it ended, tasks used)."""
    chances = rng.uniform(0.2, 0.9, tasks)
    parent = max((means(rng, chances, repeats) for _ in range(rivals)), key=np.mean)
    d = means(rng, np.clip(chances + gain, 0, 1), repeats) - parent
    planned = looks(tasks)
    for n in planned[:-1]:
        verdict = decide(d[:n], planned).verdict
        if verdict != "continue":
            return verdict, n
    return "undecided", tasks


def main() -> None:
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--tasks", type=int, default=14)
    p.add_argument("--repeats", type=int, default=3)
    p.add_argument("--races", type=int, default=20_000)
    p.add_argument("--seed", type=int, default=1)
    args = p.parse_args()
    rng = np.random.default_rng(args.seed)
    print(
        f"looks after {looks(args.tasks)} tasks; promised: reject {REJECT_ERROR}, accept {ACCEPT_ERROR} at gain 0"
    )
    print(f"{'gain':>12}{'reject':>9}{'accept':>9}{'undecided':>11}{'tasks used':>12}")
    cases = [(gain, 1) for gain in (-0.2, -0.1, -0.05, 0.0, 0.05, 0.1, 0.2)] + [(0.0, 10), (0.1, 10)]
    for gain, rivals in cases:
        ends = [race(rng, gain, args.tasks, args.repeats, rivals) for _ in range(args.races)]
        shares = [
            sum(end == name for end, _ in ends) / len(ends) for name in ("reject", "accept", "undecided")
        ]
        used = sum(n for _, n in ends) / len(ends) / args.tasks
        name = f"{gain:+.2f}" + (" chosen" if rivals > 1 else "")
        print(f"{name:>12}{shares[0]:>9.3f}{shares[1]:>9.3f}{shares[2]:>11.3f}{used:>12.0%}", flush=True)


if __name__ == "__main__":
    main()
