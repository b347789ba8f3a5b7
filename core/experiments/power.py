"""How much an experiment can see: layers of variance, power of the paired t-test, minimum detectable effect.

All of it uses the t distribution: with n tasks the normal one promises effects that n tasks cannot show.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy import optimize, special, stats

ALPHA, POWER = 0.05, 0.80
MOST_TASKS = 100_000
"""No benchmark has more tasks."""


@dataclass(frozen=True)
class Layers:
    """Where the variance of paired differences comes from (method of moments, never below 0).

    Attributes:
        task: between tasks.
        build: between builds of the memory, common to all tasks; nan with one build.
        task_by_build: what a build does to single tasks; nan with one build.
        repeat: between repeats of the same task and build; nan with one repeat, when it is part of the layer above.
        se: standard error of the grand mean for new tasks *and* new builds, rather too large than too small: the
            variance that tasks and builds have in common counts in both.
        df: its degrees of freedom.
    """

    task: float
    build: float
    task_by_build: float
    repeat: float
    se: float
    df: float


def variance_layers(differences: np.ndarray) -> Layers:
    """Two-way random-effects analysis of variance, tasks crossed with builds, repeats within.

    Args:
        differences: treatment - control, shape (tasks, builds, repeats), complete.

    Raises:
        ValueError: fewer than two tasks, or not three axes.
    """
    d = np.asarray(differences, float)
    if d.ndim != 3 or d.shape[0] < 2:
        raise ValueError(f"differences need the shape (tasks >= 2, builds, repeats), not {d.shape}")
    n, b, k = d.shape
    cells = d.mean(axis=2)
    tasks, builds, grand = cells.mean(axis=1), cells.mean(axis=0), cells.mean()
    ms_task = b * k * float(tasks.var(ddof=1))
    ms_repeat = float(d.var(axis=2, ddof=1).mean()) if k > 1 else math.nan
    if b == 1:
        noise = 0.0 if k == 1 else ms_repeat
        task = max(0.0, (ms_task - noise) / k)
        return Layers(task, math.nan, math.nan, ms_repeat, math.sqrt(ms_task / (n * k)), n - 1)
    ms_build = n * k * float(builds.var(ddof=1))
    residuals = cells - tasks[:, None] - builds[None, :] + grand
    ms_both = k * float((residuals**2).sum()) / ((n - 1) * (b - 1))
    noise = 0.0 if k == 1 else ms_repeat
    layers = {
        "task": max(0.0, (ms_task - ms_both) / (b * k)),
        "build": max(0.0, (ms_build - ms_both) / (n * k)),
        "task_by_build": max(0.0, (ms_both - noise) / k),
        "repeat": ms_repeat,
    }
    se = math.sqrt((ms_task + ms_build) / d.size)
    return Layers(**layers, se=se, df=_joint_df(ms_task, n - 1, ms_build, b - 1))


def planned_error(layers: Layers, n: int, builds: int, repeats: int) -> tuple[float, float]:
    """Standard error and degrees of freedom that ``variance_layers`` can be expected to find in another experiment.

    Args:
        layers: of a pilot. A layer that it could not tell (nan) counts as 0.
        n: tasks; builds, repeats: of the experiment that is planned. With one build its effect on all tasks alike is
            no error, since nothing is claimed for another build.
    """
    build, both, repeat = (
        0.0 if math.isnan(layer) else layer for layer in (layers.build, layers.task_by_build, layers.repeat)
    )
    cell = repeats * both + repeat
    ms_task = builds * repeats * layers.task + cell
    if builds == 1:
        return math.sqrt(ms_task / (n * repeats)), n - 1
    ms_build = n * repeats * build + cell
    se = math.sqrt((ms_task + ms_build) / (n * builds * repeats))
    return se, _joint_df(ms_task, n - 1, ms_build, builds - 1)


def _joint_df(ms_a: float, df_a: int, ms_b: float, df_b: int) -> float:
    """Degrees of freedom of a sum of two mean squares, of which one may have very few.

    Those whose critical t at 5 % is the mean of both parts' critical t, weighted by their mean squares (Cochran 1964).
    Satterthwaite's finds p < .05 in 8 to 12 % of null experiments with two or three builds.
    """
    if ms_a + ms_b == 0:
        return float(max(df_a, df_b))
    t_a, t_b = (float(stats.t.isf(ALPHA / 2, df)) for df in (df_a, df_b))
    aim = (ms_a * t_a + ms_b * t_b) / (ms_a + ms_b)
    low, high = sorted((df_a, df_b))
    if not stats.t.isf(ALPHA / 2, high) < aim < stats.t.isf(ALPHA / 2, low):
        return float(high if aim <= stats.t.isf(ALPHA / 2, high) else low)
    return float(optimize.brentq(lambda df: stats.t.isf(ALPHA / 2, df) - aim, low, high))


def power_of(effect: float, sd: float, n: int, alpha: float = ALPHA) -> float:
    """Power of the two-sided paired t-test. t^2 is noncentral F, which scipy has without gaps in its far tail.

    Args:
        effect: true mean difference.
        sd: standard deviation of the differences between tasks.
        n: number of tasks.
    """
    return _power(effect * math.sqrt(n) / sd, n - 1, alpha)


def _power(effect: float, df: float, alpha: float) -> float:
    """Power of a two-sided t-test; the effect in standard errors."""
    return float(1 - special.ncfdtr(1, df, effect**2, stats.t.isf(alpha / 2, df) ** 2))


def minimum_detectable(sd: float, n: int, alpha: float = ALPHA, power: float = POWER) -> float:
    """The smallest true mean difference that n tasks find with the given power; nan below two tasks and
    for sd 0, which tells nothing."""
    return detectable(sd / math.sqrt(n), n - 1, alpha, power) if n > 1 else math.nan


def detectable(se: float, df: float, alpha: float = ALPHA, power: float = POWER) -> float:
    """The smallest true effect that a t-test with this standard error finds with the given power; nan for se 0."""
    if not se > 0:
        return math.nan
    # In standard errors the answer lies between 0 and a few critical values.
    limit = 2 * float(stats.t.isf(alpha / 2, df)) + 4
    return se * float(optimize.brentq(lambda x: _power(x, df, alpha) - power, 0.0, limit))


def tasks_needed(effect: float, sd: float, alpha: float = ALPHA, power: float = POWER) -> int:
    """Tasks that find a true mean difference ``effect`` with the given power.

    Miller 2024: n = (z_{a/2} + z_b)^2 sd^2 / effect^2, then raised until the t-test reaches the power.

    Args:
        sd: of the task means' differences, repeats averaged: sqrt(w^2 + s_A^2/K_A + s_B^2/K_B), with w^2 the variance
            of the true differences, s^2 that between repeats of one task in an arm and K the number of repeats.

    Raises:
        ValueError: no effect to find.
    """
    if effect == 0:
        raise ValueError("no number of tasks finds an effect of 0")
    z = stats.norm.isf(alpha / 2) + stats.norm.ppf(power)
    n = max(2, math.ceil(float(z * sd / effect) ** 2))
    while power_of(abs(effect), sd, n, alpha) < power:
        n += 1
    return n


def tasks_needed_over_builds(effect: float, layers: Layers, builds: int, repeats: int) -> int | None:
    """Tasks that find a true mean difference ``effect`` for new builds too with 80 % power, as ``detectable`` reckons;
    None where ``MOST_TASKS`` do not: what builds differ by, more tasks do not average away."""

    def found(n: int) -> bool:
        return not detectable(*planned_error(layers, n, builds, repeats)) > effect

    # More tasks may find less for a while, since the builds' few degrees of freedom weigh more: hence no bisection
    # of the whole range.
    low, high = 1, 2
    while not found(high):
        low, high = high, max(high + 1, round(1.2 * high))
        if high > MOST_TASKS:
            return None
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if found(middle) else (middle, high)
    return high
