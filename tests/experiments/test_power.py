import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.experiments.power import (
    Layers,
    minimum_detectable,
    planned_error,
    power_of,
    tasks_needed,
    variance_layers,
)
from core.experiments.statistics import paired_t


def test_power_and_minimum_detectable_effect_agree_with_statsmodels():
    """TTestPower of statsmodels 0.15.0: power(.3, 54, .05) and solve_power for a power of .8."""
    assert power_of(0.3, 1.0, 54) == pytest.approx(0.5810438537907314)
    expected = {54: 0.3883305113876163, 6: 1.4345451395119289, 2: 11.549889754978167}
    for n, effect in expected.items():
        assert minimum_detectable(1.0, n) == pytest.approx(effect, rel=1e-5)
    assert tasks_needed(0.3, 1.0) == math.ceil(89.14936472045834)


def test_tasks_needed_follow_millers_formula_where_n_is_large():
    z = 1.959963984540054 + 0.8416212335729143
    se, df = planned_error(Layers(0.04, 0.0, 0.0, 0.32, math.nan, math.nan), 100, 1, 4)
    assert (se, df) == (pytest.approx(math.sqrt((0.04 + 0.32 / 4) / 100)), 99)
    sd = 10 * se
    assert tasks_needed(0.02, sd) == pytest.approx((z * sd / 0.02) ** 2, rel=0.005)
    with pytest.raises(ValueError, match="effect of 0"):
        tasks_needed(0.0, sd)


@given(st.integers(2, 300), st.floats(0.01, 5))
@settings(deadline=None, max_examples=40)
def test_the_minimum_detectable_effect_is_found_with_80_percent_power(n, sd):
    effect = minimum_detectable(sd, n)
    assert power_of(effect, sd, n) == pytest.approx(0.80, abs=1e-6)
    assert tasks_needed(effect * 1.0001, sd) <= n


def test_nothing_is_detectable_without_a_spread_to_judge_by():
    assert math.isnan(minimum_detectable(0.0, 54)) and math.isnan(minimum_detectable(1.0, 1))


def layered(rng, shape, task, build, both, repeat):
    n, b, k = shape
    parts = [(task, (n, 1, 1)), (build, (1, b, 1)), (both, (n, b, 1)), (repeat, (n, b, k))]
    return sum(rng.normal(0, math.sqrt(variance), size) for variance, size in parts)


def test_variance_layers_find_what_the_data_were_made_of():
    layers = variance_layers(layered(np.random.default_rng(1), (400, 300, 4), 0.5, 0.3, 0.2, 0.8))
    assert layers.task == pytest.approx(0.5, rel=0.2)
    assert layers.build == pytest.approx(0.3, rel=0.2)
    assert layers.task_by_build == pytest.approx(0.2, rel=0.05)
    assert layers.repeat == pytest.approx(0.8, rel=0.02)
    # A mean over tasks and builds: what repeats of the same cells cannot average away stays.
    assert layers.se == pytest.approx(math.sqrt(0.5 / 400 + 0.3 / 300), rel=0.15)


def test_one_build_is_the_paired_t_over_task_means():
    d = layered(np.random.default_rng(2), (20, 1, 3), 0.5, 0.0, 0.0, 0.5)
    layers = variance_layers(d)
    assert layers.se == pytest.approx(paired_t(d.mean(axis=(1, 2))).se)
    assert layers.df == 19 and math.isnan(layers.build)
    assert layers.repeat == pytest.approx(d.var(axis=2, ddof=1).mean())


def test_a_build_that_moves_all_tasks_widens_the_error_and_costs_degrees_of_freedom():
    rng = np.random.default_rng(3)
    moved = layered(rng, (50, 3, 2), 0.1, 0.0, 0.0, 0.1) + np.array([-0.5, 0.0, 0.6])[None, :, None]
    still = moved - np.array([-0.5, 0.0, 0.6])[None, :, None]
    assert variance_layers(moved).se > 4 * variance_layers(still).se
    assert variance_layers(moved).df < 3
    # The tasks alone do not see it: their means are shifted all alike.
    assert paired_t(moved.mean(axis=(1, 2))).se == pytest.approx(paired_t(still.mean(axis=(1, 2))).se)


@pytest.mark.parametrize("builds", [1, 3])
def test_a_planned_error_is_the_mean_of_those_that_experiments_find(builds):
    parts, rng = (0.5, 0.1, 0.2, 0.8), np.random.default_rng(4)
    shape = (40, builds, 2)
    found = [variance_layers(layered(rng, shape, *parts)) for _ in range(400)]
    se, df = planned_error(Layers(*parts, math.nan, math.nan), *shape)
    assert se**2 == pytest.approx(np.mean([layers.se**2 for layers in found]), rel=0.1)
    assert df == 39 if builds == 1 else 2 < df < 4
    # What a pilot could not tell counts for nothing.
    blind = Layers(0.5, math.nan, math.nan, 0.8, math.nan, math.nan)
    assert planned_error(blind, *shape) == planned_error(Layers(0.5, 0, 0, 0.8, 0, 0), *shape)


def test_variance_layers_need_three_axes_and_two_tasks():
    for shape in ((1, 2, 2), (4, 2)):
        with pytest.raises(ValueError, match="shape"):
            variance_layers(np.zeros(shape))
