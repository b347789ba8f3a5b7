"""Statistics of paired memory experiments: pure functions over numbers, typed results.

The unit is the task: repeats of a task are averaged first and n is the number of tasks, never tasks x repeats
(Miller 2024, arXiv 2411.00640). Means are tested with t or by permutation; there is no z-test here, since with
a handful of means it finds what is not there.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from core.experiments.power import minimum_detectable
from evals.contract import Episode

PERMUTATIONS = 10_000
DECIMALS = 12
"""Outcomes are at most about 1: what stands behind so many decimals is rounding and no evidence."""
FEW = 10
"""Fewer tasks that came out differently leave too little to estimate a spread, and with it a t interval, from."""


@dataclass(frozen=True)
class Score:
    """Mean test pass rate of one design. ``reward_se`` is the standard error over tasks (nan below two tasks)."""

    reward: float
    reward_se: float
    resolved: float
    n_tasks: int
    n_episodes: int


@dataclass(frozen=True)
class TTest:
    """A mean tested against 0. All of it but ``delta`` is nan where equal values leave nothing to judge by, except
    that p is 1 when they are all 0."""

    delta: float
    se: float
    df: float
    t: float
    p: float
    interval: tuple[float, float]


@dataclass(frozen=True)
class Welch(TTest):
    """Two independent groups of unequal variance (Welch 1947); ``critical_t`` is what |t| has to pass."""

    critical_t: float


@dataclass(frozen=True)
class Paired:
    """Per-task differences treatment - control.

    Attributes:
        n: tasks.
        delta, se, df, t, p, interval: paired t-test and 95 % interval.
        clusters: number of projects; the next three take whole projects as the units (t with clusters - 1 df).
        p_permutation: sign flips of tasks; p_cluster: sign flips of whole projects.
        p_wilcoxon: signed ranks; p_sign: exact sign test, on one binary outcome per task McNemar's exact test.
        bootstrap: 95 % BCa interval over tasks.
        bounds: 95 % bounds of the mean from the two counts alone, for when few tasks differ.
        d_z: Cohen's effect size of paired data, mean over standard deviation of the differences.
        mde: smallest true difference these tasks would find with 80 % power.
        better, worse: tasks whose mean rose or fell.
    """

    n: int
    delta: float
    se: float
    df: float
    t: float
    p: float
    interval: tuple[float, float]
    clusters: int
    clustered_se: float
    clustered_interval: tuple[float, float]
    p_clustered: float
    p_permutation: float
    p_cluster: float
    p_wilcoxon: float
    p_sign: float
    bootstrap: tuple[float, float]
    bounds: tuple[float, float]
    d_z: float
    mde: float
    better: int
    worse: int

    @property
    def p_shown(self) -> float:
        """The larger of the two p that a claim has to pass: permutation, and t where it exists."""
        return max(self.p_permutation, 0.0 if math.isnan(self.p) else self.p)

    @property
    def few(self) -> bool:
        """Whether too few tasks came out differently for the t interval."""
        return self.better + self.worse < FEW or not self.se > 0

    @property
    def range(self) -> tuple[float, float]:
        """The 95 % interval to go by: the t interval, or the bounds from counts where few tasks differ."""
        return self.bounds if self.few else self.interval


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


def exact(values: Sequence[float] | np.ndarray) -> np.ndarray:
    """The values without their rounding errors: means over repeats tie only up to these, and 1e-17 is no gain."""
    return np.round(np.asarray(values, float), DECIMALS)


def welch(treatment: Sequence[float], control: Sequence[float], level: float = 0.95) -> Welch:
    """Welch's t-test of two independent samples of at least two values each."""
    a, b = exact(treatment), exact(control)
    se_a, se_b = (x.std(ddof=1) / math.sqrt(len(x)) for x in (a, b))
    return welch_from_summary(a.mean(), se_a, len(a), b.mean(), se_b, len(b), level)


def welch_from_summary(
    mean_a: float, se_a: float, n_a: int, mean_b: float, se_b: float, n_b: int, level: float = 0.95
) -> Welch:
    """Welch's t-test from means and standard errors, df by Welch-Satterthwaite."""
    variance = float(se_a**2 + se_b**2)
    df = variance**2 / (se_a**4 / (n_a - 1) + se_b**4 / (n_b - 1)) if variance > 0 else math.nan
    found = t_test(float(mean_a - mean_b), math.sqrt(variance), float(df), level)
    return Welch(**dataclasses.asdict(found), critical_t=float(stats.t.ppf(0.5 + level / 2, df)))


def t_test(delta: float, se: float, df: float, level: float = 0.95) -> TTest:
    """A mean with its standard error against 0, on the t distribution. Of both, rounding errors count as 0."""
    nan = math.nan
    delta, se = (0.0 if abs(x) < 10**-DECIMALS else x for x in (delta, se))
    if not se > 0:
        return TTest(delta, se, df, nan, 1.0 if delta == 0 and se == 0 else nan, (nan, nan))
    t = delta / se
    half = float(stats.t.ppf(0.5 + level / 2, df)) * se
    return TTest(delta, se, df, t, float(2 * stats.t.sf(abs(t), df)), (delta - half, delta + half))


def paired_t(differences: Sequence[float], level: float = 0.95) -> TTest:
    """Paired t-test of at least two differences: se = sqrt(sum (D - mean D)^2 / (n (n-1))), n - 1 df."""
    d = exact(differences)
    return t_test(float(d.mean()), float(d.std(ddof=1)) / math.sqrt(len(d)), len(d) - 1, level)


def clustered_t(differences: Sequence[float], clusters: Sequence[str], level: float = 0.95) -> TTest:
    """t-test with whole clusters as sampling units, C - 1 df; nan for fewer than two clusters.

    se = (1/n) sqrt(C/(C-1) sum_c (sum_{i in c} (D_i - mean D))^2), Miller 2024 with the small-sample factor. For
    clusters of equal size it is exactly the t-test of their means; below about 30 of them prefer ``sign_flip_p`` of
    the clusters' sums where they differ much in size.
    """
    d = exact(differences)
    sums = np.array([part.sum() for part in _by_cluster(d - d.mean(), clusters)])
    c = len(sums)
    se = math.sqrt(c / (c - 1) * (sums**2).sum()) / len(d) if c > 1 else math.nan
    return t_test(float(d.mean()), se, c - 1, level)


def _by_cluster(values: np.ndarray, clusters: Sequence[str]) -> list[np.ndarray]:
    labels = np.asarray(clusters)
    return [values[labels == name] for name in np.unique(labels)]


def wilcoxon_p(differences: Sequence[float]) -> float:
    """Two-sided Wilcoxon signed-rank test; zeros are left out, so that all zeros give 1."""
    d = exact(differences)
    d = d[d != 0]
    if len(d) == 0:
        return 1.0
    return float(stats.wilcoxon(d).pvalue)


def mcnemar_p(gained: int, lost: int) -> float:
    """Exact two-sided McNemar test (a binomial test of the discordant pairs); 1 when there are none."""
    if gained + lost == 0:
        return 1.0
    return float(stats.binomtest(gained, gained + lost, 0.5).pvalue)


def sign_flip_p(values: Sequence[float], rng: np.random.Generator, permutations: int = PERMUTATIONS) -> float:
    """Two-sided permutation p of a zero mean under random sign flips.

    All 2^n flips when there are no more than ``permutations`` of them, else a Monte Carlo sample that counts the
    observed arrangement (Phipson & Smyth 2010), so that p is never 0.
    """
    [p] = max_t_p(np.asarray(values, float)[:, None], rng, permutations)
    return p


def max_t_p(
    differences: np.ndarray, rng: np.random.Generator, permutations: int = PERMUTATIONS
) -> list[float]:
    """Step-down max-T p-values of several arms against one control, adjusted for their number (Westfall & Young 1993).

    One flip of a task's sign is common to all arms, so that what the arms share through the control is kept.

    Args:
        differences: shape (tasks, arms).
    """
    d = exact(differences)
    d = d[np.any(d != 0, axis=1)]
    if len(d) == 0:
        return [1.0] * differences.shape[1]
    every = 2 ** len(d) <= permutations
    if every:
        flips = 1.0 - 2.0 * ((np.arange(2 ** len(d))[:, None] >> np.arange(len(d))) & 1)
    else:
        flips = rng.choice((-1.0, 1.0), size=(permutations, len(d)))
    # Flips leave the sum of squares as it is: each arm's t is a monotone function of this.
    scale = np.sqrt((d**2).sum(axis=0))
    scaled = d / np.where(scale > 0, scale, 1.0)
    observed = np.abs(scaled.sum(axis=0))
    order = np.argsort(-observed, kind="stable")
    reached = np.abs(flips @ scaled[:, order])
    # Step-down: an arm competes with itself and the arms that look weaker.
    reached = np.maximum.accumulate(reached[:, ::-1], axis=1)[:, ::-1]
    hits = (reached >= observed[order] - 1e-9).sum(axis=0)
    p = hits / len(flips) if every else (hits + 1) / (permutations + 1)
    adjusted = np.empty(len(order))
    adjusted[order] = np.maximum.accumulate(p)
    return [float(x) for x in adjusted]


def holm(p_values: Sequence[float]) -> list[float]:
    """p-values adjusted for their number by Holm's step-down method (1979)."""
    p = np.asarray(p_values, float)
    order = np.argsort(p, kind="stable")
    stepped = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1))
    adjusted = np.empty(len(p))
    adjusted[order] = np.minimum(1.0, stepped)
    return [float(x) for x in adjusted]


def bootstrap_interval(
    differences: Sequence[float],
    rng: np.random.Generator,
    level: float = 0.95,
    resamples: int = PERMUTATIONS,
) -> tuple[float, float]:
    """BCa bootstrap interval of the mean over tasks (Efron 1987); nan when all differences are equal."""
    d = exact(differences)
    if np.ptp(d) == 0:
        return math.nan, math.nan
    found = stats.bootstrap((d,), np.mean, confidence_level=level, n_resamples=resamples, rng=rng)
    return float(found.confidence_interval.low), float(found.confidence_interval.high)


def exact_bounds(better: int, worse: int, n: int, level: float = 0.95) -> tuple[float, float]:
    """Bounds of the mean of n differences in [-1, 1] of which ``better`` are above 0 and ``worse`` below.

    The mean cannot exceed the chance of a positive difference, nor fall below minus that of a negative one; each has
    its upper bound by Clopper & Pearson (1934). Wide where many differ; where one task in 54 does, the t interval is
    far too narrow and this is right.
    """
    tail = (1 - level) / 2

    def most(k: int) -> float:
        return 1.0 if k == n else float(stats.beta.isf(tail, k + 1, n - k))

    return -most(worse), most(better)


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
        treatment, control: mean outcome per task (see ``task_means``); only tasks in both count.
        clusters: project of each task.

    Raises:
        ValueError: fewer than two tasks in common.
    """
    tasks = sorted(set(treatment) & set(control))
    if len(tasks) < 2:
        raise ValueError(f"a paired comparison needs two tasks in both arms, not {len(tasks)}")
    d = exact([treatment[task] - control[task] for task in tasks])
    labels = [clusters[task] for task in tasks]
    by_task, by_cluster = paired_t(d, level), clustered_t(d, labels, level)
    sd = by_task.se * math.sqrt(len(d))
    better, worse = int((d > 0).sum()), int((d < 0).sum())
    return Paired(
        n=len(d),
        **dataclasses.asdict(by_task),
        clusters=len(set(labels)),
        clustered_se=by_cluster.se,
        clustered_interval=by_cluster.interval,
        p_clustered=by_cluster.p,
        p_permutation=sign_flip_p(d, rng, permutations),
        p_cluster=sign_flip_p([part.sum() for part in _by_cluster(d, labels)], rng, permutations),
        p_wilcoxon=wilcoxon_p(d),
        p_sign=mcnemar_p(better, worse),
        bootstrap=bootstrap_interval(d, rng, level, permutations),
        bounds=exact_bounds(better, worse, len(d)),
        d_z=by_task.delta / sd if sd > 0 else math.nan,
        mde=minimum_detectable(sd, len(d)),
        better=better,
        worse=worse,
    )
