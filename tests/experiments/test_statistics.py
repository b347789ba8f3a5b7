import dataclasses
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from core.experiments import grouped
from core.experiments.power import minimum_detectable
from core.experiments.statistics import (
    bootstrap_interval,
    clustered_t,
    exact_bounds,
    holm,
    max_t_p,
    mcnemar_p,
    paired,
    paired_t,
    score,
    sign_flip_p,
    t_test,
    task_means,
    welch,
    welch_from_summary,
    wilcoxon_p,
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


def test_the_seed_logs_groups_are_those_of_14_tasks_and_three_passes():
    """33 and 37 of 42 runs resolved: the means, standard errors and +12.1 % that the log gives, from single runs."""

    def passes(*resolved):
        return [
            episode(f"t{task}", repeat, float(task < count))
            for repeat, count in enumerate(resolved, 1)
            for task in range(14)
        ]

    without, with_memory = passes(10, 11, 12), passes(12, 12, 13)
    base = np.mean(grouped.group_means(without))
    found = grouped.compare(with_memory, without)
    assert found.delta / base == pytest.approx(0.121, abs=5e-4)
    assert (base, base + found.delta) == pytest.approx((0.786, 0.881), abs=5e-4)
    assert (found.t, found.df, found.p) == pytest.approx((2.0, 3.2, 0.134), abs=5e-4)


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


def test_equal_arms_are_no_effect_and_a_constant_gain_is_no_certainty():
    rng, tasks = np.random.default_rng(0), [f"t{i}" for i in range(6)]
    same = dict.fromkeys(tasks, 0.5)
    clusters = dict.fromkeys(tasks, "p")
    none = paired(same, same, clusters, rng)
    assert (none.p, none.p_permutation, none.p_sign, none.better, none.worse) == (1.0, 1.0, 1.0, 0, 0)
    assert math.isnan(none.interval[0]) and math.isnan(none.mde) and math.isnan(none.d_z)
    # Six tasks that all gain .1: t would be infinite. What they show is one outcome of 2^6, twice.
    gain = paired(dict.fromkeys(tasks, 0.1 + 0.2), dict.fromkeys(tasks, 0.2), clusters, rng)
    assert math.isnan(gain.t) and math.isnan(gain.p)
    assert gain.p_permutation == gain.p_sign == gain.p_shown == pytest.approx(2 / 2**6)


def test_rounding_errors_are_no_evidence():
    """Every project gains one task of nine, and groups that are alike but for the order of summing."""
    d, projects = [1.0, *[0.0] * 8] * 6, [f"p{i // 9}" for i in range(54)]
    by_project = clustered_t(d, projects)
    assert by_project.delta == pytest.approx(1 / 9) and by_project.se == 0
    assert math.isnan(by_project.t) and math.isnan(by_project.p)
    noise = 1e-16 * np.array([0, 1, 2, 3, 5, 8, 13])
    constant = welch(0.6 + noise, 0.5 + noise[::-1])
    assert constant.se == 0 and math.isnan(constant.t) and math.isnan(constant.p)
    assert "nothing to test" in grouped.sentence("a", "b", constant, 7)
    same = welch(0.5 + noise, np.full(7, 0.5))
    assert (same.delta, same.p) == (0.0, 1.0)
    for test in (paired_t(noise), clustered_t(noise, list("aabbccd")), t_test(3e-17, 1e-18, 5)):
        assert (test.delta, test.p) == (0.0, 1.0)
    assert sign_flip_p(noise, np.random.default_rng(0)) == wilcoxon_p(noise) == 1.0
    assert max_t_p(np.column_stack([noise, noise + 1]), np.random.default_rng(0))[0] == 1.0
    assert math.isnan(bootstrap_interval(0.1 + noise, np.random.default_rng(0))[0])


@given(st.integers(2, 9), st.integers(2, 12), st.integers(1, 97))
def test_projects_that_all_gain_alike_leave_nothing_to_judge_by(clusters, size, gain):
    """Whatever the sizes: the shares 1/size, gain/97 and their sums are rarely exact."""
    d = [gain / 97, *[-1 / size] * (size - 1)] * clusters
    found = clustered_t(d, [str(i // size) for i in range(len(d))])
    assert found.se == 0 and (math.isnan(found.p) or found.delta == 0)


def test_paired_reports_size_counts_and_every_test_of_the_same_differences():
    rng = np.random.default_rng(9)
    tasks = [f"p{i % 4}-{i}" for i in range(40)]
    b = dict(zip(tasks, rng.random(40), strict=True))
    a = {task: value + rng.normal(0.05, 0.2) for task, value in b.items()} | {tasks[0]: b[tasks[0]]}
    d = np.array([a[task] - b[task] for task in sorted(tasks)])
    labels = [task[:2] for task in sorted(tasks)]
    r = paired(a, b, {task: task[:2] for task in tasks}, np.random.default_rng(0))
    assert r.d_z == pytest.approx(d.mean() / d.std(ddof=1))
    assert (r.better, r.worse) == ((d > 0).sum(), (d < 0).sum()) and r.better + r.worse == 39
    assert (r.df, r.clusters) == (39, 4)
    by_project = clustered_t(d, labels)
    assert r.clustered_se == pytest.approx(by_project.se)
    assert r.clustered_interval == pytest.approx(by_project.interval)
    assert r.p_wilcoxon == pytest.approx(wilcoxon_p(d), abs=1e-6)
    assert r.p_sign == mcnemar_p(r.better, r.worse)
    assert r.mde == pytest.approx(minimum_detectable(d.std(ddof=1), 40))
    assert 2 / 2**4 <= r.p_cluster <= 1
    assert r.p_shown == max(r.p, r.p_permutation)


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


def test_clustered_t_by_hand_and_equal_to_the_plain_one_for_singletons():
    d, clusters = [0.1, 0.3, -0.2, 0.4], ["a", "a", "b", "b"]
    mean = sum(d) / 4
    sums = [d[0] + d[1] - 2 * mean, d[2] + d[3] - 2 * mean]
    assert clustered_t(d, clusters).se == pytest.approx(math.sqrt(2 * sum(s * s for s in sums)) / 4)
    plain, single = paired_t(d), clustered_t(d, ["a", "b", "c", "d"])
    assert dataclasses.astuple(single)[:5] == pytest.approx(dataclasses.astuple(plain)[:5])
    assert math.isnan(clustered_t(d, ["a"] * 4).se)


def test_clustered_t_agrees_with_statsmodels():
    """OLS on a constant, cov_type="cluster", t distribution, statsmodels 0.15.0; its standard error has the further
    factor sqrt((n - 1) / (n - k)) = 1 for a constant."""
    d = [-0.7, -1.22, -0.15, 0.52, 1.24, 0.21, -0.45, -0.68, 0.85, 1.73, 0.37, -1.13]
    t = clustered_t(d, [str(i // 3) for i in range(12)])
    assert (t.se, t.p, t.df) == pytest.approx((0.29024375, 0.87626206, 3))
    assert t.interval == pytest.approx((-0.87451849, 0.97285182))


def test_wilcoxon_agrees_with_scipy_and_leaves_zeros_out():
    d = np.random.default_rng(4).normal(0.3, 1, 25)
    assert wilcoxon_p(d) == pytest.approx(stats.wilcoxon(d).pvalue)
    assert wilcoxon_p([0.0, *d, 0.0]) == wilcoxon_p(d)
    assert wilcoxon_p([0.0, 0.0]) == 1.0


def test_mcnemar_is_the_exact_binomial_test_of_the_discordant_tasks():
    assert mcnemar_p(9, 2) == pytest.approx(
        0.0654296875
    )  # statsmodels mcnemar([[10, 9], [2, 30]], exact=True)
    assert mcnemar_p(2, 9) == mcnemar_p(9, 2)
    assert mcnemar_p(0, 0) == 1.0
    assert mcnemar_p(5, 0) == pytest.approx(2 / 2**5)


def test_holm_agrees_with_statsmodels():
    """multipletests(..., method="holm"), statsmodels 0.15.0."""
    assert holm([0.01, 0.04, 0.03, 0.005, 0.6]) == pytest.approx([0.04, 0.09, 0.09, 0.025, 0.6])
    assert holm([0.7, 0.9]) == pytest.approx([1.0, 1.0])


@given(st.lists(st.floats(1e-6, 1), min_size=1, max_size=8))
def test_holm_never_lowers_a_p_and_keeps_their_order(p):
    adjusted = holm(p)
    assert all(a >= q for a, q in zip(adjusted, p, strict=True)) and max(adjusted) <= 1
    assert adjusted[p.index(min(p))] == pytest.approx(min(1.0, min(p) * len(p)))
    ranked = [a for _, a in sorted(zip(p, adjusted, strict=True))]
    assert ranked == sorted(ranked)


def test_max_t_of_one_arm_is_the_sign_flip_and_of_equal_arms_costs_nothing():
    rng = np.random.default_rng
    d = rng(6).normal(0.4, 1, 10)
    [alone] = max_t_p(d[:, None], rng(0))
    assert alone == sign_flip_p(d, rng(0))
    assert max_t_p(np.column_stack([d, d, d]), rng(0)) == pytest.approx([alone] * 3)


def test_max_t_pays_for_further_arms_and_less_than_bonferroni():
    d = np.random.default_rng(7).normal(0, 1, (12, 4))
    d[:, 0] += 0.9
    single = [sign_flip_p(column, np.random.default_rng(0)) for column in d.T]
    adjusted = max_t_p(d, np.random.default_rng(0))
    assert single[0] < adjusted[0] <= 4 * single[0] + 1e-9
    assert all(a >= p - 1e-9 for a, p in zip(adjusted, single, strict=True))
    weakest = int(np.argmax(single))
    assert adjusted[weakest] == pytest.approx(max(adjusted))


def test_exact_bounds_by_hand_and_by_simulation_where_few_tasks_differ():
    assert exact_bounds(0, 0, 54) == pytest.approx((-(1 - 0.025 ** (1 / 54)), 1 - 0.025 ** (1 / 54)))
    assert exact_bounds(54, 0, 54)[1] == 1.0
    rng = np.random.default_rng(10)
    held = t_held = 0
    for _ in range(400):
        gained, lost, _ = counts = rng.multinomial(54, (0.01, 0.05, 0.94))
        low, high = exact_bounds(gained, lost, 54)
        held += low <= -0.04 <= high
        t = paired_t(np.repeat([1.0, -1.0, 0.0], counts))
        t_held += t.interval[0] <= -0.04 <= t.interval[1]
    assert held / 400 >= 0.95 > t_held / 400


def test_bootstrap_interval_is_near_the_t_interval_and_follows_its_seed():
    d = np.random.default_rng(8).normal(0.2, 1, 54)
    low, high = bootstrap_interval(d, np.random.default_rng(0))
    assert (low, high) == pytest.approx(paired_t(d).interval, abs=0.03)
    assert (low, high) == bootstrap_interval(d, np.random.default_rng(0))
    assert math.isnan(bootstrap_interval([0.5] * 5, np.random.default_rng(0))[0])


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
