"""The test of a rise along a stream: its figures against scipy, its error rate on streams in which nothing rises."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from core.experiments.trend import band, moving_mean, rises, trend


def test_rises_are_those_of_scipys_regression():
    d = np.random.default_rng(1).normal(0, 1, (4, 24))
    expected = [stats.linregress(np.arange(24), row).slope * 23 for row in d]
    assert rises(d) == pytest.approx(expected)
    found = trend(d, np.random.default_rng(0))
    against = stats.ttest_1samp(expected, 0)
    assert (found.t, found.p, found.df) == pytest.approx((against.statistic, against.pvalue, 3))
    assert found.interval == pytest.approx(tuple(against.confidence_interval(0.95)))


def test_the_permutation_p_is_that_of_scipy():
    d = np.random.default_rng(2).binomial(1, 0.4, 12).astype(float)
    x = np.arange(12.0)
    against = stats.permutation_test(
        (d,), lambda y: stats.linregress(x, y).slope, permutation_type="pairings", n_resamples=4000, rng=3
    )
    found = trend(d[None], np.random.default_rng(4))
    assert found.p_permutation == pytest.approx(against.pvalue, abs=0.03)
    assert math.isnan(found.p) and found.p_shown == 1  # one order tells nothing about another


@given(st.integers(1, 5), st.integers(3, 12), st.integers(0, 2**32), st.floats(-3, 3))
@settings(deadline=None, max_examples=50)
def test_a_constant_difference_is_no_rise_and_a_shift_changes_none(orders, positions, seed, shift):
    flat = trend(np.full((orders, positions), shift), np.random.default_rng(0), 200)
    assert flat.delta == 0 and flat.p_shown == 1
    d = np.random.default_rng(seed).normal(0, 1, (orders, positions))
    assert rises(d + shift) == pytest.approx(rises(d), abs=1e-9)
    assert rises(-d[:, ::-1]) == pytest.approx(rises(d), abs=1e-9)


def streams(rng, orders, rise=0.0, order_sd=0.0, tasks=24):
    """Differences of outcomes: each task reacts to memory in its own way wherever it stands, orders may rise or fall
    as a whole, and single runs come out by chance."""
    effect = rng.normal(0, 0.3, tasks)
    along = np.linspace(-0.5, 0.5, tasks)
    rows = []
    for _ in range(orders):
        chance = rng.permutation(effect) + (rise + rng.normal(0, order_sd)) * along
        rows.append(rng.binomial(1, np.clip(0.4 + chance, 0, 1)) - rng.binomial(1, np.full(tasks, 0.4)))
    return np.array(rows, float)


def share(orders, runs=300, seed=5, pick=lambda t: t.p_shown, **more):
    rng = np.random.default_rng(seed)
    return np.mean([pick(trend(streams(rng, orders, **more), rng, 300)) < 0.05 for _ in range(runs)])


FALSE = 0.05 + 3.3 * math.sqrt(0.05 * 0.95 / 300)


@pytest.mark.parametrize("orders", [1, 3, 6])
def test_no_more_than_5_percent_of_streams_without_a_rise_show_one(orders):
    assert share(orders) <= FALSE
    assert 0.1 - FALSE <= share(orders, pick=lambda t: t.p_permutation) <= FALSE


def test_orders_that_rise_or_fall_by_chance_show_no_rise():
    """Judged by single tasks half of such experiments would: one memory makes all differences of its order."""
    assert share(4, order_sd=1.0) <= FALSE
    assert share(4, order_sd=1.0, pick=lambda t: t.p_permutation) > 2 * FALSE


def test_a_large_rise_is_found():
    assert share(6, rise=0.9, runs=60) > 0.8


def test_a_trend_takes_three_positions_and_orders_as_rows():
    for d in (np.zeros(5), np.zeros((2, 2))):
        with pytest.raises(ValueError, match="a trend needs the shape"):
            trend(d, np.random.default_rng(0))


def test_moving_means_and_bands():
    values = np.array([[0.0, 0, 1, 1, 1], [0, 1, 1, 1, 1]])
    assert moving_mean(values, 3)[0] == pytest.approx([0, 1 / 3, 2 / 3, 1, 1])
    mean, low, high = band(values)
    assert mean.tolist() == [0, 0.5, 1, 1, 1]
    interval = stats.ttest_1samp(values[:, 1], 0).confidence_interval(0.95)
    assert (low[1], high[1]) == pytest.approx((interval.low, interval.high))
    assert np.isnan(band(values[:1])[1]).all()
