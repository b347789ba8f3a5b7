"""Does a gain grow along a stream of tasks? Pure functions over paired differences, one row per order of the tasks.

The unit is the order: within one order all differences come from one memory. Orders are drawn at random, so that the
position of a task says nothing about the task.
"""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass

import numpy as np
from scipy import stats

from core.experiments.statistics import PERMUTATIONS, TTest, exact, paired_t


@dataclass(frozen=True)
class Trend(TTest):
    """Rise of the differences from the first position to the last, by least squares, tested over orders.

    Attributes:
        delta, se, df, t, p, interval: mean rise over orders and its t-test with orders - 1 df; all but ``delta`` are
            nan for one order.
        p_permutation: of the mean rise when the differences of each order change places at random: exact where a
            memory makes no difference that depends on the position.
        positions: length of an order.
        by_order: the rise of each.
        p_holm: the larger p of both, adjusted for the number of arms; None for the primary arm.
    """

    p_permutation: float
    positions: int
    by_order: list[float]
    p_holm: float | None = None

    @property
    def p_shown(self) -> float:
        """What a claim has to pass: the largest of all p there are."""
        return max(self.p_both, self.p_holm or 0.0)

    @property
    def p_both(self) -> float:
        """The larger of the two p, unadjusted; 1 where orders cannot be compared, since then nothing holds for another
        order."""
        return max(self.p_permutation, 1.0 if math.isnan(self.p) else self.p)


def rises(differences: np.ndarray) -> np.ndarray:
    """Rise from the first position to the last by least squares.

    Args:
        differences: shape (..., positions), at least 2 of them.

    Returns:
        shape (...).
    """
    n = differences.shape[-1]
    x = np.arange(n) - (n - 1) / 2
    return differences @ (x / (x @ x)) * (n - 1)


def trend(differences: np.ndarray, rng: np.random.Generator, permutations: int = PERMUTATIONS) -> Trend:
    """Test whether differences rise along their orders.

    Args:
        differences: treatment - control, shape (orders, positions).

    Raises:
        ValueError: fewer than three positions, or not two axes.
    """
    d = exact(differences)
    if d.ndim != 2 or d.shape[1] < 3:
        raise ValueError(f"a trend needs the shape (orders, positions >= 3), not {d.shape}")
    own = exact(rises(d))
    found = paired_t(own) if len(own) > 1 else TTest(float(own[0]), *[math.nan] * 4, (math.nan, math.nan))
    return Trend(
        **dataclasses.asdict(found),
        p_permutation=_permuted(d, rng, permutations),
        positions=d.shape[1],
        by_order=[float(x) for x in own],
    )


def _permuted(d: np.ndarray, rng: np.random.Generator, permutations: int) -> float:
    """Monte Carlo p that counts the observed arrangement (Phipson & Smyth 2010)."""
    observed = abs(float(rises(d).mean()))
    shuffled = rng.permuted(np.broadcast_to(d, (permutations, *d.shape)), axis=2)
    hits = int((np.abs(rises(shuffled).mean(axis=1)) >= observed - 1e-9).sum())
    return (hits + 1) / (permutations + 1)


def moving_mean(values: np.ndarray, width: int) -> np.ndarray:
    """Means over ``width`` neighbouring positions (odd), fewer at the ends; shape (..., positions) as given."""
    n, half = values.shape[-1], width // 2
    spans = [slice(max(0, i - half), i + half + 1) for i in range(n)]
    return np.stack([values[..., span].mean(axis=-1) for span in spans], axis=-1)


def band(values: np.ndarray, level: float = 0.95) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Mean over orders at each position with its t interval; nan bounds for one order.

    Args:
        values: shape (orders, positions).

    Returns:
        (mean, low, high), each of shape (positions).
    """
    k = len(values)
    mean = values.mean(axis=0)
    if k < 2:
        return mean, np.full_like(mean, np.nan), np.full_like(mean, np.nan)
    half = stats.t.ppf(0.5 + level / 2, k - 1) * values.std(axis=0, ddof=1) / math.sqrt(k)
    return mean, mean - half, mean + half
