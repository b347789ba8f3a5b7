"""Seeded simulations without any effect: a z-test for a t-test, or repeats taken for samples, fail here.

So few runs tell a broken test from a sound one, and no more: the bands here are wide. That false findings lie in
[.035, .065] and coverage in [.93, .97] is measured with 4000 runs by ``python -m tests.bench.null_statistics``, whose
simulations these are.
"""

import inspect
import math
import sys

import numpy as np
import pytest

from core.experiments import statistics
from core.experiments.contrasts import contrasts
from core.experiments.h1 import Outcome
from core.experiments.statistics import paired_t
from evals.contract import Episode
from tests.bench.null_statistics import CAUTIOUS, few_groups, simulate

RUNS = 500
FALSE = 0.05 + 3.3 * math.sqrt(0.05 * 0.95 / RUNS)
"""3.3 standard errors of a share: one of 20 tests goes astray by chance in 50 seeds."""


def test_no_test_finds_more_than_its_5_percent_and_intervals_hold_the_truth():
    for name, (p, coverage) in simulate(RUNS, seed=11).items():
        if p is not None:
            assert (0.0 if name in CAUTIOUS else 0.1 - FALSE) <= p <= FALSE, name
        if coverage is not None:
            assert 1 - FALSE <= coverage <= (1.0 if name in CAUTIOUS else 0.9 + FALSE), name


def test_every_test_and_interval_there_is_is_simulated():
    """By the functions that the simulations call."""
    offered = {
        name
        for name, function in inspect.getmembers(statistics, inspect.isfunction)
        if function.__module__ == statistics.__name__ and not name.startswith("_")
    }
    called = set()
    sys.setprofile(
        lambda frame, event, _: called.add((frame.f_globals.get("__name__"), frame.f_code.co_name))
    )
    try:
        simulate(1, seed=1)
    finally:
        sys.setprofile(None)
    # What is never called is neither.
    assert {n for n in offered if (statistics.__name__, n) not in called} == {"score", "task_means"}


def test_small_samples_are_judged_by_t_and_not_by_z():
    rng = np.random.default_rng(12)
    found = [paired_t(rng.normal(0, 1, 5)) for _ in range(1500)]
    assert 0.035 <= np.mean([t.p < 0.05 for t in found]) <= 0.065
    groups = [finding for _ in range(1000) for finding in few_groups(rng)]
    assert np.mean([wrong for _, wrong, _ in groups]) <= 0.07


def experiment(rng, builds, build_sd):
    """Two arms, 12 tasks x 4 repeats per build: tasks react to memory, to the good and to the bad, on average not."""
    tasks = [f"p{i % 3}-{i}" for i in range(12)]
    effect = rng.normal(0, 0.3, 12)
    arms = {"no_mem": [], "memory": []}
    for _ in range(builds):
        shift = rng.normal(0, build_sd)
        for arm, episodes in arms.items():
            gain = effect + shift if arm == "memory" else 0 * effect
            episodes.append(
                [
                    Episode(task, "retrieve", repeat, reward=float(0.5 + gain[i] + rng.normal(0, 0.1)))
                    for i, task in enumerate(tasks)
                    for repeat in (1, 2, 3, 4)
                ]
            )
    outcomes = [Outcome(arm, builds=episodes) for arm, episodes in arms.items()]
    [found] = contrasts(outcomes, "memory", {task: task[:2] for task in tasks}, seed=0)
    return found.reward


@pytest.mark.parametrize(("builds", "build_sd"), [(1, 0.0), (3, 0.3)])
def test_whole_experiments_take_neither_repeats_nor_builds_for_samples(builds, build_sd):
    """With repeats as samples 12 tasks would count as 48 and p < .05 come in a third of the runs; with three builds
    that are good or bad as a whole, tasks alone find something in most of them."""
    rng = np.random.default_rng(13)
    found = [experiment(rng, builds, build_sd) for _ in range(100)]
    assert np.mean([m.p_shown < 0.05 for m in found]) <= 0.11
    if builds == 1:
        assert np.mean([m.paired.p < 0.05 for m in found]) <= 0.11
        assert all(m.paired.n == 12 for m in found)
    else:
        assert np.mean([m.paired.p < 0.05 for m in found]) > 0.3
        assert np.mean([m.over_builds.interval[0] <= 0 <= m.over_builds.interval[1] for m in found]) >= 0.9
