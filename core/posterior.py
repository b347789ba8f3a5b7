"""What is believed of designs after they were scored: less of the best of many than its score says.

A score is what a design is worth, plus what its tasks happen to be, plus chance. The tasks are common to all designs
of an archive, so their part is estimated and taken out; that also makes designs comparable that ran on different
numbers of tasks. The rest is judged by how designs differ: where they hardly differ, a high score is mostly luck.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from core.experiments.statistics import exact

Runs = Mapping[str, Sequence[float]]
"""Outcomes of a design's runs, by task."""
GRID = 200


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


def beliefs(designs: Mapping[str, Runs]) -> dict[str, Belief]:
    """Beliefs about designs that were run on the same tasks, or on some of them.

    Design and task are additive effects (least squares). A design's level has the variance of what is left over, by
    task, of its own tasks, of which the part that repeats can lower is known from the repeats. Levels are normal
    around a common mean with a spread that is integrated over (Gelman et al., Bayesian Data Analysis, section 5.4; flat
    prior). Shifting and scaling all outcomes shifts and scales the beliefs.
    """
    names = [name for name, runs in designs.items() if runs]
    if not names:
        return {}
    level, variance = _levels([designs[name] for name in names])
    mean, sd = _shrunk(level, variance)
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


def _shrunk(level: np.ndarray, variance: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Posterior means and standard deviations of normal means with an unknown common mean and spread."""
    scale = float(level.std() + np.sqrt(variance.mean()))
    if scale <= 0 or not variance.any():
        return level, np.sqrt(variance)
    spread = scale * np.linspace(1 / GRID, 3, GRID)[:, None]
    total = variance + spread**2
    weight = 1 / total
    centre_variance = 1 / weight.sum(axis=1, keepdims=True)
    centre = (weight * level).sum(axis=1, keepdims=True) * centre_variance
    log = 0.5 * (
        np.log(centre_variance[:, 0])
        - np.log(total).sum(axis=1)
        - (weight * (level - centre) ** 2).sum(axis=1)
    )
    p = np.exp(log - log.max())[:, None]
    p /= p.sum()
    share = spread**2 / total
    means = centre + share * (level - centre)
    variances = share * variance + (1 - share) ** 2 * centre_variance
    mean = (p * means).sum(axis=0)
    return mean, np.sqrt((p * (variances + (means - mean) ** 2)).sum(axis=0))
