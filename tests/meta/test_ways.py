"""Edits and crossovers: how a reply becomes a source, how often each is asked for, and both parents on record."""

from __future__ import annotations

import random
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core import proposing
from core.gateway.offline.design.as_edits import edits_of
from core.gateway.offline.design.compose import compose
from core.gateway.offline.design.space import neighbours, sample
from core.memo_manager import Memo_Manager
from core.meta_agent_past import fenced
from core.meta_agent_reply import Edit, EditError, apply_edits, extract_edits
from core.selection import ORIGINAL, POLICIES, WAYS, Candidate, draw_way
from evals.utils import gateway_client

from .conftest import ReplayEvaluator, evolve, open_archive

PARENTS = 12
BEFORE = "import a\n\n\ndef f(x):\n    return x + 1\n\n\ndef g(x):\n    return x\n"
BLOCK = "<<<<<<< SEARCH\n{}=======\n{}>>>>>>> REPLACE"


def test_blocks_are_read_out_of_prose_and_applied_one_after_the_other():
    first = BLOCK.format("    return x + 1\n", "    return x + 2\n")
    second = "<<<<<<< search\n    return x + 2\n=======\n    y = x + 2\n    return y\n>>>>>>> replace"
    found = extract_edits(f"Hypothesis: less.\n\n```\n{first}\n```\nand then\n\n{second}\nDone.")
    assert [edit.old for edit in found] == ["    return x + 1\n", "    return x + 2\n"]
    assert apply_edits(BEFORE, found) == BEFORE.replace("return x + 1", "y = x + 2\n    return y")
    assert extract_edits("no blocks\n=======\n") == []


@pytest.mark.parametrize(
    ("old", "problem"),
    [
        ("    return x\n", None),
        ("def h(x):\n", "edit 1: its text does not occur in the design: def h(x):"),
        ("(x):\n    return x", "edit 1: its text occurs 2 times, not once: (x): return x"),
        ("  return x + 1 \n", "edit 1: its text does not occur in the design"),
        ("\n\n\n", "edit 1: the text to search for is empty"),
        ("", "edit 1: the text to search for is empty"),
    ],
)
def test_an_edit_must_match_exactly_once(old, problem):
    if problem is None:
        assert apply_edits(BEFORE, [Edit(old, "    pass\n")]).endswith("def g(x):\n    pass\n")
        return
    with pytest.raises(EditError) as raised:
        apply_edits(BEFORE, [Edit(old, "pass\n")])
    assert problem in str(raised.value)


def test_texts_that_overlap_themselves_are_two_places():
    with pytest.raises(EditError, match="occurs 2 times"):
        apply_edits("aba = ababa\n", [Edit("aba = ", "x"), Edit("aba", "y")])


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 3))
def test_the_offline_models_edits_lead_exactly_to_the_design_it_means(seed, moves):
    rng = random.Random(seed)
    point = sample(rng, {})
    other = point
    for _ in range(moves):
        other = rng.choice(neighbours(other))[2]
    before, after = compose(point), compose(other)
    edits = edits_of(before, after)
    assert edits is None or apply_edits(before, [Edit(*edit) for edit in edits]) == after


def test_edits_are_small_where_the_change_is():
    rng, blocks, sizes = random.Random(1), 0, []
    for _ in range(100):
        point = sample(rng, {})
        other = rng.choice(neighbours(point))[2]
        made = edits_of(compose(point), compose(other))
        blocks += made is not None
        sizes.append(sum(len(old) + len(new) for old, new in made or ()) / len(compose(other)))
    assert blocks > 85 and sorted(sizes)[50] < 0.5


CANDIDATES = [Candidate(f"d{i}", i / 10, 0) for i in range(4)]


def test_each_way_comes_up_as_often_as_is_said_and_two_parents_differ():
    drawn = Counter()
    rng = random.Random(3)
    for _ in range(4000):
        way, second = draw_way(POLICIES["rank"], CANDIDATES, 0.0, "d3", rng)
        drawn[way] += 1
        assert (second is None) == (way != "crossover") and second != "d3"
    assert {way: round(n / 4000, 1) for way, n in drawn.items()} == WAYS
    assert sum(WAYS.values()) == 1


def test_the_second_parent_is_chosen_by_the_policy():
    def seconds(policy: str) -> Counter[str]:
        rng = random.Random(5)
        return Counter(draw_way(POLICIES[policy], CANDIDATES, 0.0, "d3", rng)[1] for _ in range(600))

    assert seconds("greedy")["d2"] and not seconds("greedy")["d0"]
    assert seconds("rank")["d2"] > seconds("rank")["d0"] > 0


def test_without_another_design_a_parent_is_written_anew():
    rng = random.Random(1)
    drawn = {draw_way(POLICIES["rank"], CANDIDATES[:1], 0.0, "d0", rng) for _ in range(200)}
    assert drawn == {("rewrite", None), ("edit", None)}


@pytest.fixture(scope="module")
def evolved(tmp_path_factory: pytest.TempPathFactory) -> tuple[Memo_Manager, list[proposing.Prompt], str]:
    """A finished evolution, every prompt, and its checkpoint."""
    prompts = []
    ask = proposing.ask_model

    async def listen(model, prompt):
        prompts.append(prompt)
        return await ask(model, prompt)

    archive = open_archive(tmp_path_factory.mktemp("ways"), "run")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(proposing, "ask_model", listen)
        checkpoint = evolve(archive, ReplayEvaluator(), 1, PARENTS, selection="rank")
    return archive, prompts, checkpoint


def test_designs_come_by_edits_and_from_two_parents_and_the_archive_says_so(evolved):
    archive, prompts, _ = evolved
    made = [r for r in archive.records if r.parent]
    assert {r.way for r in made} == set(WAYS)
    for record in made:
        assert (record.second is None) == (record.way != "crossover") and record.second != record.parent
    for record in archive.records:
        assert record.visits == sum(record.sha in p.parents for p in archive.proposals)
    asked = [p for p in prompts if p.purpose == "generate"]
    assert sum("\n<<<<<<< SEARCH\n" in p.user for p in asked) == sum(
        p.way == "edit" for p in archive.proposals
    )
    for record in made:
        if record.way == "crossover" and len(record.attempts) == 1:
            assert record.second in record.hypothesis and record.parent in record.hypothesis
    for purpose in ("analyze", "generate"):
        crossed = [p for p in prompts if p.purpose == purpose and "\n# Second design " in p.user]
        assert len(crossed) == sum(p.way == "crossover" for p in archive.proposals) > 0
        assert any("Tasks on which it does better than the first:\n- t" in p.user for p in crossed)
    judged = [p.user for p in prompts if p.purpose == "analyze"]
    assert all(("is to combine this design" in text) == ("\n# Second design " in text) for text in judged)


def test_the_papers_policy_knows_rewrites_alone(tmp_path):
    archive = open_archive(tmp_path, "alma")
    evolve(archive, selection=ORIGINAL)
    assert {(p.way, p.second) for p in archive.proposals} == {("rewrite", None)}


def test_edits_that_do_not_fit_are_sent_back_with_the_design_they_were_meant_for(tmp_path, monkeypatch):
    usual, repairs = gateway_client.request, []

    async def careless(path, body, purpose):
        answer = await usual(path, body, purpose)
        user = body["messages"][1]["content"] if "messages" in body else ""
        if purpose == "generate" and "\n<<<<<<< SEARCH\n" in user:
            text = "Hypothesis: none.\n" + BLOCK.format("not in any design\n", "x\n")
            answer["choices"][0]["message"]["content"] = text
        if purpose == "repair":
            repairs.append(user)
        return answer

    monkeypatch.setattr(gateway_client, "request", careless)
    archive = open_archive(tmp_path, "careless")
    evolve(archive, ReplayEvaluator(), 2, PARENTS // 2, selection="greedy")
    edited = [r for r in archive.records if r.way == "edit"]
    assert edited
    for record in edited:
        assert record.attempts[0].error == "edit 1: its text does not occur in the design: not in any design"
        assert len(record.attempts) > 1
        assert any(
            f"# Design that was to be edited\n{fenced(archive.source(archive.find(record.parent)), 'python')}"
            in text
            and "not in any design\n=======" in text
            for text in repairs
        )
