"""What is believed of designs after they were scored: less of the best of many than its score says.

A score is what a design is worth, plus what its tasks happen to be, plus chance. The tasks are common to all designs
of an archive, so their part is estimated and taken out; that also makes designs comparable that ran on different
numbers of tasks. The rest is judged by how designs differ: where they hardly differ, a high score is mostly luck. And
by kin: a design is likely to be about as good as what it was made of and what was made of it, as far as the scores
show that worth is inherited at all.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from core.experiments.statistics import exact

Runs = Mapping[str, Sequence[float]]
"""Outcomes of a design's runs, by task."""
SPREADS = np.linspace(0.025, 3, 60)
"""Of what designs are worth, as multiples of how their levels differ."""
KIN = (0.0, 0.2, 0.4, 0.6, 0.8, 0.9, 0.95)
"""How alike parent and child may be: correlations, closer where a little more or less changes what is inherited over
generations."""


@dataclass(frozen=True)
class Belief:
    """Of the mean over all tasks of the archive.

    Attributes:
        mean, sd: posterior mean and standard deviation.
        level: the estimate from the design's own runs alone.
    """

    mean: float
    sd: float
    level: float


def beliefs(designs: Mapping[str, Runs], parents: Mapping[str, Sequence[str]] = {}) -> dict[str, Belief]:
    """Beliefs about designs that were run on the same tasks, or on some of them.

    Args:
        designs: runs by name, in the order in which they were made.
        parents: of designs that were made of others.

    Design and task are additive effects (least squares). A design's level has the variance of what is left over, by
    task, of its own tasks, of which the part that repeats can lower is known from the repeats. Levels are normal around
    a common mean, alike by descent as in breeding (Henderson 1975, Biometrics 31, 423-447); their spread and how alike
    parent and child are is integrated over, all of ``SPREADS`` and ``KIN`` equally likely at first (Gelman et al.,
    Bayesian Data Analysis, section 5.4). Parents without runs, or that come later, are left out. Shifting and scaling
    all outcomes shifts and scales the beliefs.
    """
    names = [name for name, runs in designs.items() if runs]
    if not names:
        return {}
    level, variance = _levels([designs[name] for name in names])
    place = {name: at for at, name in enumerate(names)}
    of_each = [
        [place[p] for p in parents.get(name, ()) if place.get(p, at) < at] for name, at in place.items()
    ]
    mean, sd = _shrunk(level, variance, of_each)
    # Rounding errors would tell equals apart.
    mean, sd, level = (exact(values) for values in (mean, sd, level))
    return {
        name: Belief(float(m), float(s), float(a))
        for name, m, s, a in zip(names, mean, sd, level, strict=True)
    }


def _levels(designs: Sequence[Runs]) -> tuple[np.ndarray, np.ndarray]:
    """Each design's mean over all tasks, and the variance of it that is chance."""
    tasks = sorted({task for runs in designs for task in runs})
    cells = [(d, tasks.index(t), v) for d, runs in enumerate(designs) for t, v in sorted(runs.items())]
    repeats = np.array([len(v) for *_, v in cells], float)
    y = np.array([np.mean(v) for *_, v in cells])
    x = np.zeros((len(cells), len(designs) + len(tasks)))
    for row, (d, t, _) in enumerate(cells):
        x[row, d] = x[row, len(designs) + t] = 1.0
    effects = np.linalg.lstsq(x, y, rcond=None)[0]
    level = effects[: len(designs)] + effects[len(designs) :].mean()
    spare = float((repeats - 1).sum())
    within = sum(float(np.var(v) * len(v)) for *_, v in cells) / spare if spare else 0.0
    free = len(cells) - np.linalg.matrix_rank(x)
    left = float(((y - x @ effects) ** 2).sum() / free) if free else 0.0
    between = max(0.0, left - within * float((1 / repeats).mean()))
    of_cell = between + within / repeats
    owner = np.array([d for d, *_ in cells])
    n = np.bincount(owner)
    return level, np.bincount(owner, of_cell) / n**2


def _kinship(parents: Sequence[Sequence[int]], rho: float) -> np.ndarray:
    """Correlation of what designs are worth: ``rho`` between parent and child, once more for each further generation;
    between a crossover and each of its parents the mean of ``rho`` and ``rho`` times that of the parents.

    Args:
        parents: positions of each design's parents, which come before it.
    """
    k = np.eye(len(parents))
    for child, of_child in enumerate(parents):
        if of_child:
            k[child, :child] = k[:child, child] = rho * k[list(of_child), :child].mean(axis=0)
    return k


def _shrunk(
    level: np.ndarray, variance: np.ndarray, parents: Sequence[Sequence[int]]
) -> tuple[np.ndarray, np.ndarray]:
    """Posterior means and standard deviations of related normal values with an unknown common mean, spread and
    correlation of kin."""
    scale = float(level.std() + np.sqrt(variance.mean()))
    if scale <= 0 or not variance.any():
        return level, np.sqrt(variance)
    spread = (scale * SPREADS)[:, None]
    unit = np.sqrt(variance)
    log, means, variances = [], [], []
    for rho in KIN if any(parents) else (0.0,):
        # In units of its own chance and along the axes of kinship every value is a shrunken observation of its own.
        size, axes = np.linalg.eigh(_kinship(parents, rho) / np.outer(unit, unit))
        seen, ones = axes.T @ (level / unit), axes.T @ (1 / unit)
        total = 1 + spread**2 * np.maximum(size, 0.0)
        share = 1 - 1 / total
        centre_variance = 1 / (ones**2 / total).sum(axis=1, keepdims=True)
        centre = (ones * seen / total).sum(axis=1, keepdims=True) * centre_variance
        off = seen - centre * ones
        log.append(
            0.5 * (np.log(centre_variance[:, 0]) - np.log(total).sum(axis=1) - (off**2 / total).sum(axis=1))
        )
        means.append(centre + unit * ((share * off) @ axes.T))
        unsure_centre = 1 - unit * ((share * ones) @ axes.T)
        variances.append(variance * (share @ (axes**2).T) + unsure_centre**2 * centre_variance)
    p = np.exp(np.concatenate(log) - np.max(log))[:, None]
    p /= p.sum()
    each = np.concatenate(means)
    mean = (p * each).sum(axis=0)
    return mean, np.sqrt((p * (np.concatenate(variances) + (each - mean) ** 2)).sum(axis=0))
