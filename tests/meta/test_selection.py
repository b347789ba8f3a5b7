from __future__ import annotations

import math
import random
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.selection import (
    POLICIES,
    Candidate,
    alma,
    alma_probabilities,
    alma_score,
    clade_beliefs,
    get_policy,
    rank_weights,
    sample_without_replacement,
)
from run_main import parser


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


OURS = ("greedy", "rank", "thompson")
FIELD = [Candidate(str(i), 0.7 + i / 100, 0, parent=str(i - 3) if i >= 3 else None) for i in range(9)]


def shares(name: str, candidates: list[Candidate], draws: int = 4000) -> dict[str, float]:
    rng = random.Random(11)
    drawn = Counter(get_policy(name)(candidates, 0.7, 1, rng)[0] for _ in range(draws))
    return {c.sha: drawn[c.sha] / draws for c in candidates}


@pytest.mark.parametrize("name", OURS)
def test_the_best_of_nine_near_equals_is_drawn_more_often_than_the_worst(name):
    """They lie a point apart: ``alma`` hardly tells them apart, these do."""
    of = shares(name, FIELD)
    assert of["8"] > 2 * max(of["0"], 1 / 9)
    assert sum(of[str(i)] for i in (6, 7, 8)) > 2 * sum(of[str(i)] for i in (0, 1, 2))
    alma_probability = alma_probabilities(FIELD, 0.7)
    assert alma_probability[8] < 1.05 * alma_probability[0]


def test_random_has_no_preference():
    assert all(share == pytest.approx(1 / 9, abs=0.02) for share in shares("random", FIELD).values())


def test_rank_gives_way_to_the_next_when_the_best_has_been_rewritten_often():
    visited = [Candidate("a", 0.9, 9), Candidate("b", 0.8, 0), Candidate("c", 0.7, 0)]
    of = shares("rank", visited)
    assert of["b"] > of["c"] > of["a"]
    assert rank_weights([Candidate("a", 1, 0), Candidate("b", 1, 1), Candidate("c", 0, 0)]) == pytest.approx(
        [1 / 1.5, 1 / 3, 1 / 3]
    )


def test_thompson_judges_a_design_by_what_came_of_it():
    """``a`` scores best, but its rewrites are poor; ``b`` is a point behind and its line gets better and better."""
    line = [Candidate("a", 0.80, 5), *(Candidate(f"a{i}", 0.5, 0, "a") for i in range(5))]
    line += [Candidate("b", 0.79, 3), *(Candidate(f"b{i}", 0.8, 0, "b") for i in range(3))]
    of = shares("thompson", line)
    assert of["b"] > 3 * of["a"]
    means = dict(zip([c.sha for c in line], clade_beliefs(line), strict=True))
    overall = sum(c.reward for c in line) / len(line)
    assert means["a"][0] == pytest.approx((0.80 + 5 * 0.5 + overall) / 7)
    assert means["a"][1] < means["b"][1] < means["b0"][1]
    grandchild = [Candidate("a", 0.5, 1), Candidate("b", 0.5, 1, "a"), Candidate("c", 0.9, 0, "b")]
    assert clade_beliefs(grandchild)[0][0] > 0.5
    assert clade_beliefs([]) == []


def test_a_clade_knows_how_sure_its_scores_are_and_what_came_to_nothing():
    sure, unsure = (Candidate("a", 0.9, 0, None, sd) for sd in (0.0, 0.5))
    other = Candidate("b", 0.5, 0)
    (kept, narrow), _ = clade_beliefs([sure, other])
    (shrunk, wide), _ = clade_beliefs([unsure, other])
    assert kept > shrunk > 0.7 and wide > narrow
    tried, _ = clade_beliefs([Candidate("a", 0.9, 6), other])  # six rewrites failed, or are under way
    assert tried[0] < kept and tried[1] < narrow
    scored = [Candidate(f"a{i}", 0.9, 0, "a") for i in range(6)]
    assert clade_beliefs([Candidate("a", 0.9, 6), other, *scored])[0][0] > tried[0]


def test_among_equals_chance_decides_for_every_policy():
    alike = [Candidate(str(i), 0.5, 0) for i in range(4)]
    for name in [*OURS, "random"]:
        chosen = {get_policy(name)(alike, 0.5, 1, random.Random(seed))[0] for seed in range(60)}
        assert chosen == {"0", "1", "2", "3"}, name


FIELDS = st.lists(st.tuples(st.integers(0, 64), st.integers(0, 5)), min_size=1, max_size=12)


@settings(max_examples=60, deadline=None)
@given(FIELDS, st.sampled_from([2.0**-7, 0.25, 8.0, 1024.0]), st.integers(-3, 3), st.integers(0, 99))
@pytest.mark.parametrize("name", [*OURS, "random"])
def test_scale_and_shift_of_the_scores_change_nothing(name, field, scale, shift, seed):
    """Rewards in 64ths and scales that are powers of two: nothing is rounded, so that ties stay ties."""

    def candidates(of):
        return [
            Candidate(str(i), of(x / 64), visits, str(i // 2) if i else None)
            for i, (x, visits) in enumerate(field)
        ]

    plain, moved = candidates(lambda x: x), candidates(lambda x: scale * (x + shift))
    policy = get_policy(name)
    chosen = policy(plain, 0.5, 3, random.Random(seed))
    assert policy(moved, scale * (0.5 + shift), 3, random.Random(seed)) == chosen
    assert len(set(chosen)) == len(chosen) == min(3, len(field))


def test_policies_are_found_by_name():
    assert get_policy("alma") is alma
    with pytest.raises(
        ValueError, match=r"unknown selection policy 'best' \(available: alma, greedy, random, "
    ):
        get_policy("best")
    assert set(POLICIES) == set(parser()._option_string_actions["--selection"].choices)
