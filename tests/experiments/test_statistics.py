import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from core.experiments.statistics import (
    clustered_se,
    paired,
    score,
    sign_flip_p,
    task_means,
    welch,
    welch_from_summary,
)
from evals.contract import Episode


def test_the_seed_logs_underpowered_comparison_is_reproduced():
    """Three group means each: .881 (SE .024) against .786 (SE .041). The z-test's p < .05 was the mistake."""
    w = welch_from_summary(0.881, 0.024, 3, 0.786, 0.041, 3)
    assert w.t == pytest.approx(1.9997, abs=1e-4)
    assert w.df == pytest.approx(3.227, abs=1e-3)
    assert w.p == pytest.approx(0.1329, abs=1e-4)
    assert w.critical_t == pytest.approx(3.060, abs=1e-3)
    assert w.interval == pytest.approx((-0.050, 0.240), abs=1e-3)
    assert pytest.approx(0.121, abs=1e-3) == 37 / 33 - 1


def test_welch_agrees_with_scipy():
    rng = np.random.default_rng(1)
    a, b = rng.normal(1, 2, 9), rng.normal(0, 1, 14)
    ours, theirs = welch(a, b), stats.ttest_ind(a, b, equal_var=False)
    assert (ours.t, ours.p) == pytest.approx((theirs.statistic, theirs.pvalue))
    assert ours.interval == pytest.approx(tuple(theirs.confidence_interval()))


def test_paired_agrees_with_scipy_on_the_tasks_both_arms_have():
    rng = np.random.default_rng(2)
    names = [f"t{i}" for i in range(20)]
    a = dict(zip(names, rng.random(20), strict=True))
    b = dict(zip(names, rng.random(20), strict=True)) | {"only-in-b": 5.0}
    result = paired(a, b, {n: n[-1] for n in b}, rng)
    theirs = stats.ttest_rel([a[n] for n in names], [b[n] for n in names])
    assert result.n == 20
    assert (result.t, result.p) == pytest.approx((theirs.statistic, theirs.pvalue))
    assert result.interval == pytest.approx(tuple(theirs.confidence_interval()))
    assert result.p_permutation == pytest.approx(result.p, abs=0.05)
    assert result.worse == sum(a[n] < b[n] for n in names)


def test_paired_needs_two_tasks():
    with pytest.raises(ValueError, match="two tasks"):
        paired({"a": 1.0}, {"a": 0.0}, {"a": "p"}, np.random.default_rng(0))


def test_equal_arms_are_no_effect_and_a_constant_gain_is_certain():
    rng, tasks = np.random.default_rng(0), [f"t{i}" for i in range(6)]
    same = dict.fromkeys(tasks, 0.5)
    clusters = dict.fromkeys(tasks, "p")
    assert paired(same, same, clusters, rng).p == 1.0
    gain = paired(dict.fromkeys(tasks, 0.75), same, clusters, rng)
    assert (gain.p, gain.p_permutation) == (0.0, pytest.approx(2 / 2**6))


def test_sign_flip_enumerates_all_arrangements_of_a_small_sample():
    # 1, 2, 3 reach |sum| >= 6 in 2 of 8 sign patterns.
    assert sign_flip_p([1, 2, 3], np.random.default_rng(0)) == pytest.approx(0.25)
    assert sign_flip_p([0, 0], np.random.default_rng(0)) == 1.0


@given(st.lists(st.floats(-1, 1), min_size=1, max_size=40), st.integers(0, 5))
@settings(deadline=None, max_examples=60)
def test_sign_flip_p_is_a_probability_and_blind_to_the_sign(values, seed):
    p = sign_flip_p(values, np.random.default_rng(seed))
    assert 0 < p <= 1
    assert p == sign_flip_p([-v for v in values], np.random.default_rng(seed))


def test_clustered_se_by_hand_and_equal_to_the_plain_one_for_singletons():
    d, clusters = [0.1, 0.3, -0.2, 0.4], ["a", "a", "b", "b"]
    mean = sum(d) / 4
    sums = [d[0] + d[1] - 2 * mean, d[2] + d[3] - 2 * mean]
    assert clustered_se(d, clusters) == pytest.approx(math.sqrt(2 * sum(s * s for s in sums)) / 4)
    plain = np.std(d, ddof=1) / 2
    assert clustered_se(d, ["a", "b", "c", "d"]) == pytest.approx(plain)
    assert math.isnan(clustered_se(d, ["a"] * 4))


def test_type_one_error_of_the_paired_tests_on_null_data():
    rng, names, runs = np.random.default_rng(3), [f"t{i}" for i in range(27)], 1000
    clusters = {name: name for name in names}
    found = []
    for _ in range(runs):
        a, b = (dict(zip(names, rng.normal(0, 1, 27), strict=True)) for _ in range(2))
        found.append(paired(a, b, clusters, rng, permutations=400))
    for p in ([r.p for r in found], [r.p_permutation for r in found]):
        assert 0.035 <= np.mean(np.array(p) < 0.05) <= 0.065
    covered = np.mean([r.interval[0] <= 0 <= r.interval[1] for r in found])
    assert 0.93 <= covered <= 0.97


def episode(task, repeat, reward, resolved=False, phase="retrieve"):
    return Episode(task=task, phase=phase, repeat=repeat, reward=reward, resolved=resolved)


def test_score_averages_repeats_first_so_that_n_is_the_number_of_tasks():
    episodes = [episode("a", r, 1.0, True) for r in (1, 2, 3)] + [episode("b", r, 0.0) for r in (1, 2, 3)]
    episodes.append(episode("c", 0, 0.3, phase="update"))
    result = score(episodes)
    assert (result.n_tasks, result.n_episodes) == (2, 6)
    assert (result.reward, result.resolved) == (0.5, 0.5)
    assert result.reward_se == pytest.approx(0.5)  # sd of (1, 0) over sqrt(2); six "samples" would give .22
    assert task_means(episodes)["a"] == 1.0
    with pytest.raises(ValueError, match="no retrieve"):
        score(episodes[-1:])
