import csv
import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.experiments import grouped
from core.experiments.contrasts import contrasts, differences
from core.experiments.h1 import Outcome, blocks, folds, in_turn, write_pairs
from core.experiments.power import detectable, variance_layers
from core.experiments.statistics import paired_t
from core.report.verdict import conclusion, figures, ruled_out, sentences
from evals.contract import Episode

projects_of_tasks = st.lists(st.sampled_from("abcd"), min_size=2, max_size=30).map(
    lambda names: {f"{name}-{i}": name for i, name in enumerate(names)}
)


@given(projects_of_tasks, st.integers(0, 99), st.integers(1, 3), st.integers(2, 5))
def test_every_build_scores_each_task_once_with_a_memory_of_all_it_is_not_scored_on(
    projects, seed, builds, number
):
    number = min(number, len(projects))
    found = list(blocks(projects, seed, builds, number))
    assert [(b.build, b.fold) for b in found] == [
        (n, f) for n in range(1, builds + 1) for f in "abcde"[:number]
    ]
    for start in range(0, len(found), number):
        build = found[start : start + number]
        assert sorted(task for block in build for task in block.retrieve) == sorted(projects)
        assert len({block.seed for block in build}) == 1
        for block in build:
            assert block.retrieve and not set(block.update) & set(block.retrieve)
            assert sorted(block.update + block.retrieve) == sorted(projects)
    assert found == list(blocks(projects, seed, builds, number))


@given(projects_of_tasks, st.integers(0, 99), st.integers(2, 5))
def test_folds_cut_the_whole_and_every_project_evenly(projects, seed, number):
    cut = folds(list(projects), projects, number, random.Random(seed))
    for project in {None, *projects.values()}:
        sizes = [sum(project in (None, projects[task]) for task in fold) for fold in cut]
        assert max(sizes) - min(sizes) <= 1


def test_builds_differ_in_cut_order_and_seed_and_update_size_limits_what_is_learned():
    projects = {f"{p}-{i}": p for p in "abc" for i in range(8)}
    found = list(blocks(projects, 42, builds=3, update_size=5))
    assert len({block.seed for block in found}) == 3 and found[0].seed == 42
    assert len({frozenset(block.retrieve) for block in found[::2]}) == 3
    assert all(len(block.update) == 5 for block in found)


def outcome(arm, values, tasks, value="resolved"):
    """``values`` has the shape (tasks, builds, repeats)."""
    return Outcome(
        arm,
        builds=[
            [
                Episode(task, "retrieve", k + 1, **{value: float(values[i, b, k])})
                for i, task in enumerate(tasks)
                for k in range(values.shape[2])
            ]
            for b in range(values.shape[1])
        ],
    )


TASKS = [f"{p}-{i:02}" for p in "abcdef" for i in range(9)]
PROJECTS = {task: task[0] for task in TASKS}


def arms(seed, gains, builds=1, repeats=3):
    """A control and one arm per gain: chances to resolve a task that differ by the gain."""
    rng = np.random.default_rng(seed)
    chance = rng.beta(1, 1, 54)[:, None, None] * np.ones((1, builds, repeats))
    made = [outcome("no_mem", rng.binomial(1, chance), TASKS)]
    for number, gain in enumerate(gains):
        made.append(outcome(f"arm{number}", rng.binomial(1, np.clip(chance + gain, 0, 1)), TASKS))
    return made


def test_streams_that_learn_on_go_through_the_tasks_together():
    assert in_turn(["a", "b"], 2, "batched") == [("a", 1), ("b", 1), ("a", 2), ("b", 2)]
    assert in_turn(["a", "b"], 2, "sequential") == [("a", 1), ("a", 2), ("b", 1), ("b", 2)]


def test_contrasts_average_repeats_and_builds_first():
    made = arms(1, [0.1], builds=2)
    [found] = contrasts(made, "arm0", PROJECTS, seed=0)
    d = differences(made[1], made[0], "resolved")
    assert d.shape == (54, 2, 3)
    assert found.resolved.paired.n == 54
    assert found.resolved.paired.p == pytest.approx(paired_t(d.mean(axis=(1, 2))).p)
    assert found.resolved.by_build == pytest.approx(list(d.mean(axis=(0, 2))))
    assert found.resolved.layers == variance_layers(d)
    assert found.resolved.over_builds.se == variance_layers(d).se
    assert found.reward.paired.delta == 0


def test_the_primary_contrast_is_not_adjusted_and_the_others_are():
    found = contrasts(arms(2, [0.2, 0.0, 0.0]), "arm0", PROJECTS, seed=0)
    assert [(c.arm, c.against) for c in found] == [
        ("arm0", "no_mem"),
        ("arm1", "no_mem"),
        ("arm2", "no_mem"),
        ("arm0", "arm1"),
        ("arm0", "arm2"),
    ]
    first, second = found[0].resolved, found[1].resolved
    assert first.p_holm is None and first.p_shown == first.paired.p_shown < 0.05
    assert second.p_holm >= second.paired.p_permutation and second.p_max_t >= second.paired.p_permutation
    assert second.p_shown >= second.p_holm
    # Without its primary arm, which failed, all that is left is adjusted.
    rest = contrasts(arms(2, [0.2, 0.0]), "gone", PROJECTS, seed=0)
    assert all(c.resolved.p_holm is not None for c in rest) and len(rest) == 2


def said(gains, seed=3, **more):
    made = arms(seed, gains, **more)
    return sentences(contrasts(made, "arm0", PROJECTS, seed=0), "no_mem", "arm0", repeats=3)


def test_sentences_claim_a_gain_only_where_there_is_one():
    [gain, open_questions] = said([0.3])
    assert "Shown: on tasks like these arm0 resolves more." in gain
    assert "across projects too" in gain and "--builds 3" in open_questions
    [harm, _] = said([-0.3])
    assert "resolves fewer. It harms." in harm
    [nothing, _] = said([0.0])
    assert "Not shown: that arm0 helps, or that it harms." in nothing and "would be missed" in nothing
    assert "Shown: " not in nothing


def test_sentences_set_the_primary_arm_against_its_controls():
    [primary, placebo, _] = said([0.3, 0.3])
    assert primary.startswith("Primary contrast: arm0") and placebo.startswith("Further: arm1")
    assert "A difference to arm1 is not shown" in primary
    assert "(Holm)" in placebo and "(Holm)" not in primary
    [primary, _, _] = said([0.3, 0.0])
    assert "A difference to arm1 is shown" in primary


def test_sentences_say_when_few_projects_or_no_difference_allow_no_claim():
    made = arms(3, [0.4])
    two = {task: "ab"[i % 2] for i, task in enumerate(TASKS)}
    [gain, _] = sentences(contrasts(made, "arm0", two, seed=0), "no_mem", "arm0", 3)
    assert "With 2 projects nothing can be said about other projects." in gain
    made[1].builds = made[0].builds
    [same, _] = sentences(contrasts(made, "arm0", two, seed=0), "no_mem", "arm0", 3)
    assert "Only 0 of 54 tasks came out differently" in same and "nan" not in same
    assert "a gain above 6.6 and a loss beyond 6.6 points are ruled out" in same


def test_one_task_in_54_rules_out_less_than_its_t_interval_says():
    control = np.zeros((54, 1, 1), int)
    control[:15] = 1
    better = control.copy()
    better[20] = 1
    made = [outcome("no_mem", control, TASKS), outcome("arm0", better, TASKS)]
    [text, _] = sentences(contrasts(made, "arm0", PROJECTS, seed=0), "no_mem", "arm0", 1)
    assert "Only 1 of 54 tasks" in text
    assert "a gain above 9.9 and a loss beyond 6.6 points are ruled out" in text


def test_a_gain_of_one_lucky_build_is_not_shown():
    rng = np.random.default_rng(5)
    control = rng.binomial(1, 0.3, (54, 3, 2))
    lucky = control.copy()
    lucky[:, 0, :] = np.maximum(lucky[:, 0, :], rng.binomial(1, 0.6, (54, 2)))
    made = [outcome("no_mem", control, TASKS), outcome("arm0", lucky, TASKS)]
    [found] = contrasts(made, "arm0", PROJECTS, seed=0)
    assert found.resolved.paired.p_shown < 0.001 and found.resolved.p_shown > 0.05
    [verdict, builds] = sentences([found], "no_mem", "arm0", 2)
    assert "Not shown" in verdict and "The 3 builds of arm0" in builds
    # What is said to be ruled out holds for new builds too, and so does the interval.
    low, high = found.resolved.over_builds.interval
    assert low < found.resolved.paired.interval[0] < found.resolved.paired.interval[1] < high
    assert f"95 % {100 * low:+.1f} to {100 * high:+.1f}" in verdict
    assert f"a gain above {100 * high:.1f} and a loss beyond {-100 * low:.1f} points are ruled out" in verdict
    missed = detectable(found.resolved.over_builds.se, found.resolved.over_builds.df)
    assert f"difference below {100 * missed:.1f} points would be missed" in verdict


def few_differ(*arms):
    """A control that resolves 15 of 54 tasks, and arms that resolve so many more and lose so many of those."""
    control = np.zeros((54, 1, 1), int)
    control[:15] = 1
    made = [outcome("no_mem", control, TASKS)]
    for number, (gained, lost) in enumerate(arms):
        other = control.copy()
        other[15 : 15 + gained] = 1
        other[:lost] = 0
        made.append(outcome(f"arm{number}", other, TASKS))
    return contrasts(made, "arm0", PROJECTS, seed=0)


def test_bounds_that_hold_0_beside_a_finding_are_said_to_be_wide():
    [text, _] = sentences(few_differ((6, 0)), "no_mem", "arm0", 1)
    assert "95 % -6.6 to +22.6 by bounds that are too wide rather than too narrow, since few tasks" in text
    assert "Shown: on tasks like these arm0 resolves more." in text


def test_what_only_the_number_of_arms_makes_doubtful_is_not_ruled_out():
    """t interval above 0, p .01, but ten arms: the loss stays open, whatever this arm's own interval says."""
    found = few_differ(*[(1, 1)] * 9, (12, 2))[9]
    m = found.resolved
    assert m.paired.p_shown < 0.05 < m.p_holm and m.range_shown[0] > 0
    said = figures(found) + conclusion(found)
    assert "not adjusted for the number of comparisons" in said and "Not shown" in said
    assert (
        f"a gain above {100 * m.range_shown[1]:.1f} points is ruled out" in said
        and "a loss beyond" not in said
    )
    assert ruled_out((-0.2, -0.1)) == "a loss beyond 20.0 points is ruled out at 95 %"


def test_pairs_csv_has_every_run_beside_its_control(tmp_path):
    made = arms(6, [0.2, 0.1], builds=2)
    write_pairs(tmp_path / "pairs.csv", made[0], made[1:], PROJECTS)
    with open(tmp_path / "pairs.csv", newline="") as handle:
        rows = list(csv.DictReader(handle))
    assert len(rows) == 2 * 2 * 54 * 3
    keys = {(r["arm"], r["build"], r["task"], r["repeat"]) for r in rows}
    assert len(keys) == len(rows)
    base = {(b, e.task, e.repeat): e.resolved for b, build in enumerate(made[0].builds, 1) for e in build}
    assert all(int(r["control_resolved"]) == base[int(r["build"]), r["task"], int(r["repeat"])] for r in rows)


def test_the_grouped_comparison_is_welch_on_group_means_and_says_what_it_is_worth():
    """Three groups of 14 tasks with these means: the first analysis of this benchmark called it p < .05."""

    def episodes(means):
        return [Episode(f"t{i}", "retrieve", k, reward=m) for k, m in enumerate(means, 1) for i in range(14)]

    def means(mean, se):
        return [mean - se * 3**0.5, mean, mean + se * 3**0.5]

    found = grouped.compare(episodes(means(0.881, 0.024)), episodes(means(0.786, 0.041)))
    assert (found.t, found.df, found.p) == pytest.approx((1.9997, 3.227, 0.1329), abs=1e-3)
    text = grouped.sentence("claude_md", "no_mem", found, 3)
    assert text.startswith("UNDERPOWERED") and "p 0.133" in text and "it takes 3.06" in text
    same = grouped.compare(episodes([0.5] * 3), episodes([0.5] * 3))
    assert "nothing to test" in grouped.sentence("a", "b", same, 3)
