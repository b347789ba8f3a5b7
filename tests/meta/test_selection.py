from __future__ import annotations

import math
import random
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.selection import (
    Candidate,
    alma,
    alma_probabilities,
    alma_score,
    get_policy,
    sample_without_replacement,
)


def test_score_is_the_closed_form():
    assert alma_score(0.5, 0.5, 0) == pytest.approx(0.5)
    assert alma_score(0.9, 0.4, 3) == pytest.approx(1 / (1 + math.exp(-0.5)) - 0.5 * math.log(4))


def test_probabilities_are_a_softmax_at_half_temperature():
    candidates = [Candidate("a", 0.9, 0), Candidate("b", 0.7, 2), Candidate("c", 0.1, 0)]
    raw = [
        math.exp(2 * (1 / (1 + math.exp(0.6 - c.reward)) - 0.5 * math.log(1 + c.visits))) for c in candidates
    ]
    assert alma_probabilities(candidates, 0.6) == pytest.approx([r / sum(raw) for r in raw])


def test_first_draws_follow_the_probabilities():
    candidates = [Candidate("a", 1.0, 0), Candidate("b", 0.0, 0), Candidate("c", 1.0, 4)]
    rng = random.Random(3)
    drawn = Counter(alma(candidates, 0.5, 1, rng)[0] for _ in range(20_000))
    expected = alma_probabilities(candidates, 0.5)
    for candidate, p in zip(candidates, expected, strict=True):
        assert drawn[candidate.sha] / 20_000 == pytest.approx(p, abs=0.012)


def test_later_draws_are_renormalized_over_what_is_left():
    rng = random.Random(5)
    seconds = Counter(
        second
        for _ in range(20_000)
        for first, second in [sample_without_replacement([2, 1, 1], 2, rng)]
        if first == 0
    )
    assert seconds[1] / sum(seconds.values()) == pytest.approx(0.5, abs=0.02)


@settings(max_examples=30, deadline=None)
@given(
    st.lists(st.tuples(st.floats(0, 1), st.integers(0, 50)), max_size=12),
    st.floats(0, 1),
    st.integers(0, 15),
    st.integers(),
)
def test_up_to_k_distinct_designs_and_the_same_for_the_same_seed(designs, baseline, k, seed):
    candidates = [Candidate(str(i), reward, visits) for i, (reward, visits) in enumerate(designs)]
    chosen = alma(candidates, baseline, k, random.Random(seed))
    assert len(chosen) == len(set(chosen)) == min(k, len(designs))
    assert chosen == alma(candidates, baseline, k, random.Random(seed))


@settings(max_examples=30, deadline=None)
@given(st.floats(0, 1), st.floats(0, 1), st.integers(0, 30))
def test_a_visit_always_lowers_and_a_reward_always_raises_the_score(reward, baseline, visits):
    assert alma_score(reward, baseline, visits + 1) < alma_score(reward, baseline, visits)
    assert alma_score(reward + 0.1, baseline, visits) > alma_score(reward, baseline, visits)


def test_many_visits_do_not_underflow():
    assert alma_probabilities([Candidate("a", 0.0, 10**9)], 1.0) == [1.0]
    assert alma_probabilities([], 0.5) == []


def test_policies_are_found_by_name():
    assert get_policy("alma") is alma
    with pytest.raises(ValueError, match=r"unknown selection policy 'greedy' \(available: alma\)"):
        get_policy("greedy")
