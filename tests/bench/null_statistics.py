"""Do the tests and intervals of ``core.experiments`` keep their promises? Simulated experiments without any effect.

For every test: how often p < .05 (it should be .05), and how often each 95 % interval holds the true 0. The data are
what memory experiments give: rewards of tasks (skewed, tied, averaged over repeats), tasks resolved or not, projects
that differ, memories that were built anew.

    python -m tests.bench.null_statistics [--runs 4000] [--seed 1]
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator

import numpy as np

from core.experiments.power import variance_layers
from core.experiments.statistics import (
    bootstrap_interval,
    clustered_t,
    exact_bounds,
    holm,
    max_t_p,
    mcnemar_p,
    paired,
    paired_t,
    sign_flip_p,
    t_test,
    welch,
    wilcoxon_p,
)

TASKS, PERMUTATIONS, RESAMPLES = 54, 1000, 1000
Finding = tuple[str, bool | None, bool | None]
"""What was tested, whether p < .05 (None for an interval alone), whether the interval held 0 (None without one)."""


def rewards(rng: np.random.Generator, tasks: int = TASKS, repeats: int = 3) -> np.ndarray:
    """Differences of task means: each run passes one of a few shares of the tests, more of them on easier tasks."""
    ease = rng.beta(1.5, 1, tasks)[:, None]
    arms = [rng.binomial(7, np.broadcast_to(ease, (tasks, repeats))).mean(axis=1) / 7 for _ in range(2)]
    return np.round(arms[0] - arms[1], 12)


def resolved(rng: np.random.Generator, tasks: int) -> np.ndarray:
    """Differences of one run each, resolved or not."""
    chance = rng.beta(0.7, 0.7, tasks)
    return rng.binomial(1, chance).astype(float) - rng.binomial(1, chance)


def clustered(rng: np.random.Generator, clusters: int, size: int = 9) -> tuple[np.ndarray, list[str]]:
    """Differences that share half of their variance within a project."""
    shared = np.repeat(rng.normal(0, 1, clusters), size)
    return shared + rng.normal(0, 1, clusters * size), [str(i // size) for i in range(clusters * size)]


def built(rng: np.random.Generator, builds: int, build_sd: float, repeats: int = 2) -> np.ndarray:
    """Differences (tasks, builds, repeats): a build of the memory is good or bad for all tasks at once."""
    parts = [rng.normal(0, sd, shape) for sd, shape in ((1, (TASKS, 1, 1)), (build_sd, (1, builds, 1)))]
    parts += [rng.normal(0, 0.5, (TASKS, builds, 1)), rng.normal(0, 1, (TASKS, builds, repeats))]
    return sum(parts)


def judged(name: str, p: float, interval: tuple[float, float] | None = None) -> Finding:
    return name, p < 0.05, None if interval is None else interval[0] <= 0 <= interval[1]


def paired_rewards(rng: np.random.Generator) -> Iterator[Finding]:
    d = rewards(rng)
    t = paired_t(d)
    yield judged("paired t", t.p, t.interval)
    yield judged("Wilcoxon", wilcoxon_p(d))
    yield judged("sign flip of tasks", sign_flip_p(d, rng, PERMUTATIONS))
    low, high = bootstrap_interval(d, rng, resamples=RESAMPLES)
    yield "bootstrap (BCa)", None, low <= 0 <= high


def few_groups(rng: np.random.Generator) -> Iterator[Finding]:
    a, b = rng.normal(0, 1, 3), rng.normal(0, 2, 3)
    t = welch(a, b)
    yield judged("Welch, 3 against 3", t.p, t.interval)


def binary(rng: np.random.Generator) -> Iterator[Finding]:
    for tasks in (TASKS, 1000):
        d = resolved(rng, tasks)
        yield judged(f"McNemar exact, {tasks} tasks", mcnemar_p(int((d > 0).sum()), int((d < 0).sum())))
    t = paired_t(d)
    yield judged("paired t on resolved, 1000 tasks", t.p, t.interval)


def few_differ(rng: np.random.Generator) -> Iterator[Finding]:
    """Memory that changes next to nothing: one task in 20 comes out differently."""
    [rng] = rng.spawn(1)  # what the other scenarios draw does not depend on how much is drawn here
    d = rng.choice((-1.0, 0.0, 1.0), TASKS, p=(0.025, 0.95, 0.025))
    low, high = exact_bounds(int((d > 0).sum()), int((d < 0).sum()), TASKS)
    yield "exact bounds, few of 54 differ", None, low <= 0 <= high
    outcome = {f"t{i}": x for i, x in enumerate(rewards(rng) if rng.random() < 0.5 else d)}
    found = paired(
        outcome, dict.fromkeys(outcome, 0.0), {t: t[-1] for t in outcome}, rng, permutations=PERMUTATIONS // 4
    )
    yield judged("all that a claim has to pass", found.p_shown, found.range)


def projects(rng: np.random.Generator) -> Iterator[Finding]:
    for clusters in (6, 12, 30):
        d, labels = clustered(rng, clusters)
        t = clustered_t(d, labels)
        yield judged(f"clustered t, {clusters} projects", t.p, t.interval)
        sums = [sum(d[np.array(labels) == label]) for label in sorted(set(labels))]
        yield judged(f"sign flip of {clusters} projects", sign_flip_p(sums, rng, PERMUTATIONS))


def memories(rng: np.random.Generator) -> Iterator[Finding]:
    for builds, build_sd in ((3, 0.5), (3, 0.0), (5, 0.5)):
        d = built(rng, builds, build_sd)
        layers = variance_layers(d)
        t = t_test(float(d.mean()), layers.se, layers.df)
        yield judged(f"t over {builds} builds, their sd {build_sd}", t.p, t.interval)


def families(rng: np.random.Generator) -> Iterator[Finding]:
    """Five arms against one control: is any of them found?"""
    control, arms = rng.normal(0, 1, TASKS), rng.normal(0, 1, (5, TASKS))
    d = (arms - control).T
    yield judged("any of 5 arms, max-T", min(max_t_p(d, rng, PERMUTATIONS)))
    yield judged("any of 5 arms, Holm", min(holm([paired_t(column).p for column in d.T])))


SCENARIOS: list[Callable[[np.random.Generator], Iterator[Finding]]] = [
    paired_rewards,
    few_groups,
    binary,
    few_differ,
    projects,
    memories,
    families,
]


CAUTIOUS = frozenset(
    {
        "McNemar exact, 54 tasks",
        "sign flip of 6 projects",
        "t over 3 builds, their sd 0.0",
        "exact bounds, few of 54 differ",
        "all that a claim has to pass",
    }
)
"""Find less than 5 % by construction: few discrete outcomes, builds that might differ and do not, bounds that know
counts alone, or several tests at once."""


def simulate(runs: int, seed: int) -> dict[str, tuple[float | None, float | None]]:
    """Share of false findings and of intervals that hold the truth, per test; None where a test has no such thing."""
    rng = np.random.default_rng(seed)
    found: dict[str, list[Finding]] = {}
    for _ in range(runs):
        for scenario in SCENARIOS:
            for finding in scenario(rng):
                found.setdefault(finding[0], []).append(finding)

    def share(findings: list[Finding], which: int) -> float | None:
        values = [finding[which] for finding in findings]
        return None if None in values else float(np.mean(values))

    return {name: (share(findings, 1), share(findings, 2)) for name, findings in found.items()}


def main() -> None:
    own = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    own.add_argument("--runs", type=int, default=4000)
    own.add_argument("--seed", type=int, default=1)
    args = own.parse_args()
    print(
        f"{args.runs} simulated experiments, seed {args.seed}; half-width of a share's 95 % interval at .05: "
        f"{1.96 * np.sqrt(0.05 * 0.95 / args.runs):.4f}"
    )
    print(f"{'':36}{'p < .05':>9}{'coverage':>10}")
    for name, shares in simulate(args.runs, args.seed).items():
        print(
            f"{name:36}"
            + "".join(
                f"{'-' if s is None else f'{s:.4f}':>{w}}" for s, w in zip(shares, (9, 10), strict=True)
            )
        )


if __name__ == "__main__":
    main()
