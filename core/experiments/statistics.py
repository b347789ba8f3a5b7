"""Statistics of paired memory experiments: pure functions over numbers, typed results.

The unit is the task: repeats of a task are averaged first and n is the number of tasks, never tasks x repeats
(Miller 2024, arXiv 2411.00640).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from evals.contract import Episode

PERMUTATIONS = 10_000


@dataclass(frozen=True)
class Score:
    """Mean test pass rate of one design. ``reward_se`` is the standard error over tasks (nan below two tasks)."""

    reward: float
    reward_se: float
    resolved: float
    n_tasks: int
    n_episodes: int


@dataclass(frozen=True)
class Welch:
    """Two independent groups of unequal variance (Welch 1947)."""

    delta: float
    t: float
    df: float
    p: float
    critical_t: float
    interval: tuple[float, float]


@dataclass(frozen=True)
class Paired:
    """Per-task differences treatment - control.

    Attributes:
        se: sd(D)/sqrt(n).
        clustered_se: with projects as clusters (nan for fewer than two).
        p: two-sided paired t; p_permutation: sign flips of tasks; p_cluster: sign flips of whole clusters.
        interval: 95 % t interval of the mean difference.
        worse: tasks whose mean got worse.
    """

    n: int
    delta: float
    se: float
    clustered_se: float
    t: float
    p: float
    p_permutation: float
    p_cluster: float
    interval: tuple[float, float]
    worse: int


def task_means(episodes: Iterable[Episode], value: str = "reward") -> dict[str, float]:
    """Mean over repeats of each task; ``value`` is a numeric field of ``Episode``."""
    values: dict[str, list[float]] = {}
    for episode in episodes:
        values.setdefault(episode.task, []).append(float(getattr(episode, value)))
    return {task: sum(v) / len(v) for task, v in sorted(values.items())}


def score(episodes: Sequence[Episode]) -> Score:
    """Score the retrieve episodes of one design.

    Raises:
        ValueError: there are none.
    """
    scored = [e for e in episodes if e.phase == "retrieve"]
    if not scored:
        raise ValueError("no retrieve episodes to score")
    rewards = np.array(list(task_means(scored).values()))
    resolved = np.array(list(task_means(scored, "resolved").values()))
    se = float(rewards.std(ddof=1) / math.sqrt(len(rewards))) if len(rewards) > 1 else math.nan
    return Score(float(rewards.mean()), se, float(resolved.mean()), len(rewards), len(scored))


def welch(treatment: Sequence[float], control: Sequence[float], level: float = 0.95) -> Welch:
    """Welch's t-test of two independent samples of at least two values each."""
    a, b = np.asarray(treatment, float), np.asarray(control, float)
    return welch_from_summary(
        a.mean(),
        a.std(ddof=1) / math.sqrt(len(a)),
        len(a),
        b.mean(),
        b.std(ddof=1) / math.sqrt(len(b)),
        len(b),
        level,
    )


def welch_from_summary(
    mean_a: float, se_a: float, n_a: int, mean_b: float, se_b: float, n_b: int, level: float = 0.95
) -> Welch:
    """Welch's t-test from means and standard errors, df by Welch-Satterthwaite."""
    delta = float(mean_a - mean_b)
    variance = se_a**2 + se_b**2
    if variance == 0:
        p = 1.0 if delta == 0 else 0.0
        return Welch(
            delta,
            0.0 if delta == 0 else math.copysign(math.inf, delta),
            math.nan,
            p,
            math.nan,
            (delta, delta),
        )
    df = variance**2 / (se_a**4 / (n_a - 1) + se_b**4 / (n_b - 1))
    t = delta / math.sqrt(variance)
    critical = float(stats.t.ppf(0.5 + level / 2, df))
    half = critical * math.sqrt(variance)
    return Welch(
        delta, t, float(df), float(2 * stats.t.sf(abs(t), df)), critical, (delta - half, delta + half)
    )


def clustered_se(differences: Sequence[float], clusters: Sequence[str]) -> float:
    """Standard error of a mean with whole clusters as sampling units; nan for fewer than two clusters.

    (1/n) sqrt(C/(C-1) sum_c (sum_{i in c} (D_i - mean D))^2), Miller 2024 with the small-sample factor.
    """
    d = np.asarray(differences, float)
    labels = np.asarray(clusters)
    names = np.unique(labels)
    if len(names) < 2:
        return math.nan
    sums = np.array([(d[labels == name] - d.mean()).sum() for name in names])
    return float(math.sqrt(len(names) / (len(names) - 1) * (sums**2).sum()) / len(d))


def sign_flip_p(values: Sequence[float], rng: np.random.Generator, permutations: int = PERMUTATIONS) -> float:
    """Two-sided permutation p of a zero mean under random sign flips.

    All 2^n flips when there are no more than ``permutations`` of them, else a Monte Carlo sample that counts the
    observed arrangement (Phipson & Smyth 2010), so that p is never 0.
    """
    v = np.asarray([x for x in values if x != 0], float)
    if len(v) == 0:
        return 1.0
    observed = abs(v.sum())
    tolerance = 1e-9 * np.abs(v).sum()
    if 2 ** len(v) <= permutations:
        flips = 1 - 2 * ((np.arange(2 ** len(v))[:, None] >> np.arange(len(v))) & 1)
        return float((np.abs(flips @ v) >= observed - tolerance).mean())
    flips = rng.choice((-1.0, 1.0), size=(permutations, len(v)))
    hits = int((np.abs(flips @ v) >= observed - tolerance).sum())
    return (hits + 1) / (permutations + 1)


def paired(
    treatment: dict[str, float],
    control: dict[str, float],
    clusters: dict[str, str],
    rng: np.random.Generator,
    level: float = 0.95,
    permutations: int = PERMUTATIONS,
) -> Paired:
    """Compare two arms task by task.

    Args:
        treatment, control: mean outcome per task; only tasks in both count.
        clusters: project of each task.

    Raises:
        ValueError: fewer than two tasks in common.
    """
    tasks = sorted(set(treatment) & set(control))
    if len(tasks) < 2:
        raise ValueError(f"a paired comparison needs two tasks in both arms, not {len(tasks)}")
    d = np.array([treatment[task] - control[task] for task in tasks])
    n, delta = len(d), float(d.mean())
    se = float(d.std(ddof=1) / math.sqrt(n))
    labels = [clusters[task] for task in tasks]
    by_cluster = [float(d[np.array(labels) == name].sum()) for name in sorted(set(labels))]
    if se == 0:
        t, p = (0.0, 1.0) if delta == 0 else (math.copysign(math.inf, delta), 0.0)
    else:
        t = delta / se
        p = float(2 * stats.t.sf(abs(t), n - 1))
    half = float(stats.t.ppf(0.5 + level / 2, n - 1)) * se
    return Paired(
        n=n,
        delta=delta,
        se=se,
        clustered_se=clustered_se(d, labels),
        t=t,
        p=p,
        p_permutation=sign_flip_p(d, rng, permutations),
        p_cluster=sign_flip_p(by_cluster, rng, permutations),
        interval=(delta - half, delta + half),
        worse=int((d < 0).sum()),
    )
