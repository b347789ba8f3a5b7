from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.experiments.racing import ACCEPT_ERROR, REJECT_ERROR, decide, flip_p, looks


def race(differences: np.ndarray) -> tuple[str, int]:
    """(how it ended: rejected or accepted early, or undecided; tasks used)."""
    planned = looks(len(differences))
    for n in planned[:-1]:
        decision = decide(differences[:n], planned)
        if decision.verdict != "continue":
            return decision.verdict, n
    return "undecided", planned[-1]


def ends(draw, tasks: int, races: int = 800) -> dict[str, float]:
    rng = np.random.default_rng(4)
    outcomes = [race(draw(rng, tasks)) for _ in range(races)]
    shares = {name: sum(o == name for o, _ in outcomes) / races for name in ("reject", "accept", "undecided")}
    return shares | {"used": sum(n for _, n in outcomes) / races / tasks}


def scores(rng: np.random.Generator, tasks: int, gain: float = 0.0) -> np.ndarray:
    """Shares of tests that pass, in thirds, many of them equal: what rewards of these tasks look like."""
    ability = rng.uniform(0.2, 0.9, tasks)
    child, parent = (rng.binomial(3, np.clip(ability + g, 0, 1)) / 3 for g in (gain, 0.0))
    return child - parent


@pytest.mark.parametrize("tasks", [14, 40])
def test_equals_are_stopped_no_more_often_than_promised(tasks):
    """Half-width of the shares: .035 and .015; the first is far from its bound."""
    of = ends(scores, tasks)
    assert of["reject"] < REJECT_ERROR + 0.03
    assert of["accept"] < ACCEPT_ERROR + 0.015


def test_a_large_loss_is_seen_early_and_a_gain_is_hardly_ever_taken_for_one():
    worse = ends(lambda rng, n: scores(rng, n, -0.4), 27)
    assert worse["reject"] > 0.9 and worse["used"] < 0.5
    slightly = ends(lambda rng, n: scores(rng, n, -0.1), 27)
    assert slightly["reject"] > 0.5 and slightly["used"] < 0.7
    better = [ends(lambda rng, n, gain=gain: scores(rng, n, gain), 14)["reject"] for gain in (0.1, 0.2)]
    assert better[0] < 0.1 and better[1] < 0.03
    assert ends(lambda rng, n: scores(rng, n, 0.2), 27)["reject"] < 0.02


def test_p_is_that_of_all_flips():
    assert flip_p([-1, -1, -1, -1, -1], below=True) == 1 / 32
    assert flip_p([-1, -1, -1, -1, -1], below=False) == 1.0
    assert flip_p([0.2, -0.1, 0.0], below=False) == 0.5
    assert flip_p([0.0, 0.0], below=True) == 1.0
    many = np.random.default_rng(2).normal(0.3, 1, 40)
    flips = np.random.default_rng(3).choice((-1, 1), (40_000, 40))
    assert flip_p(many, below=False) == pytest.approx((flips @ np.abs(many) >= many.sum()).mean(), abs=0.01)


def test_no_race_is_stopped_by_one_task_that_fell():
    for tasks in (6, 8, 10, 14, 27):
        planned = looks(tasks)
        fell = [-0.2] + [0.0] * (planned[0] - 1)
        assert decide(fell, planned).verdict == "continue"
        assert decide([-0.2, *fell[:-1]], planned).verdict == "reject"


@settings(max_examples=80, deadline=None)
@given(st.lists(st.floats(-1, 1), min_size=5, max_size=5), st.sampled_from([0.25, 4.0]))
def test_a_decision_does_not_depend_on_the_scale_and_turns_with_the_signs(differences, scale):
    rounded = [round(d, 3) for d in differences]
    planned = [5, 10, 14]
    one = decide(rounded, planned)
    assert decide([scale * d for d in rounded], planned).verdict == one.verdict
    mirrored = decide([-d for d in rounded], planned)
    assert not (one.verdict == mirrored.verdict == "reject")
    assert one.n == 5 and "of 14 tasks" in one.reason


def test_looks_end_with_all_tasks_and_decisions_come_at_looks_alone():
    assert [looks(n) for n in (1, 5, 7, 14, 27)] == [[1], [5], [5, 7], [5, 10, 14], [9, 18, 27]]
    with pytest.raises(ValueError, match="after 6 tasks was not planned"):
        decide([0.0] * 6, [5, 10, 14])
    assert decide([0.1] * 14, [5, 10, 14]).verdict == "accept"
    assert decide([0.0] * 14, [5, 10, 14]).verdict == "reject"
