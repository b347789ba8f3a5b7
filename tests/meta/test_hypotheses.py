"""What a change was meant to improve: read out of replies, tested beside the parent, told to the meta agent."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.hypotheses import ERROR, Compared, compare
from core.memo_manager import Memo_Manager
from core.meta_agent_reply import HYPOTHESIS_CHARS, extract_code, extract_hypothesis

from .conftest import ReplayEvaluator, evolve, open_archive

CODE = "```python\nx = 1\n```"


@pytest.mark.parametrize(
    "reply",
    [
        "Hypothesis: fewer notes, fewer wrong edits\n\n" + CODE,
        "**Hypothesis:** fewer notes, fewer wrong edits\n" + CODE,
        "Here it is.\n\n## Hypothesis\n\nfewer notes, fewer wrong edits\n\n" + CODE,
        "HYPOTHESIS - fewer notes,\nfewer wrong edits\n" + CODE,
        CODE + "\n> _Hypothesis_: fewer notes, fewer wrong edits",
        '{"hypothesis": "fewer notes, fewer wrong edits"}\n' + CODE,
        '```json\n{\n "hypothesis": "fewer notes, fewer wrong edits",\n}\n```\n' + CODE,
        '```python\n"""Keeps notes.\n\nHypothesis: fewer notes, fewer wrong edits\n"""\nx = 1\n```',
    ],
)
def test_it_is_found_however_it_is_marked(reply):
    assert extract_hypothesis(reply) == "fewer notes, fewer wrong edits"
    assert "x = 1" in extract_code(reply)


@pytest.mark.parametrize("reply", ["", CODE, "My hypothesis is a secret.\n" + CODE, "Hypothesis:\n\n" + CODE])
def test_none_is_made_up(reply):
    assert extract_hypothesis(reply) is None


def test_what_stands_outside_the_code_counts_and_a_long_one_is_cut():
    assert extract_hypothesis("```python\n# Hypothesis: old\n```\nHypothesis: new") == "new"
    cut = extract_hypothesis("Hypothesis: " + "word " * 500)
    assert len(cut) <= HYPOTHESIS_CHARS and cut.endswith("...")


@settings(max_examples=200, deadline=None)
@given(st.text(alphabet='hypotesiHY:\n`#*"{} -xa', max_size=80))
def test_any_reply_can_be_read(reply):
    found = extract_hypothesis(reply)
    assert found is None or ("\n" not in found and len(found) <= HYPOTHESIS_CHARS)


def runs(*values: float) -> dict[str, list[float]]:
    return {f"t{at:02}": [value] for at, value in enumerate(values)}


def test_a_verdict_needs_more_than_a_few_tasks_that_agree():
    five, six = compare(runs(*[0.6] * 5), runs(*[0.5] * 5)), compare(runs(*[0.6] * 6), runs(*[0.5] * 6))
    assert (five.verdict, five.p) == ("not decided", 2 / 2**5)
    assert (six.verdict, six.p, six.tasks) == ("better", 2 / 2**6, 6)
    assert six.difference == pytest.approx(0.1)
    assert compare(runs(*[0.4] * 6), runs(*[0.5] * 6)).verdict == "worse"
    assert str(six) == "better: +0.1000 on 6 tasks, p 0.031"


def test_repeats_are_one_task_and_only_shared_tasks_count():
    parent = {"a": [0.0, 1.0], "b": [0.5]}
    assert compare({"a": [1.0, 1.0, 1.0], "c": [0.0]}, parent) == Compared("not decided", 0.5, 1, 1.0)
    assert compare({"c": [1.0]}, parent) is None


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from([-0.3, -0.1, 0.0, 0.1, 0.3]), min_size=1, max_size=18))
def test_a_verdict_turns_around_with_its_sides(differences):
    design, parent = runs(*[0.5 + d for d in differences]), runs(*[0.5] * len(differences))
    there, back = compare(design, parent), compare(parent, design)
    turned = {"better": "worse", "worse": "better", "not decided": "not decided"}
    assert (back.verdict, back.p) == (turned[there.verdict], there.p)
    assert (there.verdict == "not decided") == (there.p > ERROR)


@pytest.fixture(scope="module")
def evolved(tmp_path_factory: pytest.TempPathFactory) -> tuple[Memo_Manager, list[tuple[str, str]]]:
    """A finished evolution, and the (purpose, user message) of every question to the meta model."""
    from core import proposing

    asked: list[tuple[str, str]] = []
    ask = proposing.ask_model

    async def listen(model, prompt):
        asked.append((prompt.purpose, prompt.user))
        return await ask(model, prompt)

    archive = open_archive(tmp_path_factory.mktemp("hypotheses"), "run")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(proposing, "ask_model", listen)
        evolve(archive, ReplayEvaluator(), 1, 6)
    return archive, asked


def test_every_design_of_the_offline_model_states_what_it_tries_and_has_it_compared(evolved):
    archive, _ = evolved
    made = [r for r in archive.records if r.sha == r.content]
    assert len(made) > 5 and len({r.hypothesis for r in made}) > 5
    for record in made:
        assert record.hypothesis.endswith(".") or record.hypothesis.endswith("...")
        parent = archive.find(record.parent) if record.parent else None
        if parent is not None and record.status == "ok":
            assert record.compared == compare(record.runs["reward"], parent.runs["reward"])
            assert record.compared.difference == pytest.approx(record.improve_score, abs=1e-6)
    assert archive.find("claude_md").hypothesis is None
    again = Memo_Manager.load(archive.run_dir, archive.designs_dir)
    assert [(r.hypothesis, r.compared) for r in again.records] == [
        (r.hypothesis, r.compared) for r in archive.records
    ]


def test_an_archive_from_before_hypotheses_can_be_read(evolved, tmp_path: Path):
    archive, _ = evolved
    old = json.loads((archive.run_dir / "archive.json").read_text())
    for record in old["records"]:
        del record["hypothesis"], record["compared"], record["examples"]
    (tmp_path / "archive.json").write_text(json.dumps(old))
    assert all(r.compared is None for r in Memo_Manager.load(tmp_path, archive.designs_dir).records)


def test_the_meta_agent_is_told_what_became_of_earlier_hypotheses(evolved):
    archive, asked = evolved
    last = [user for purpose, user in asked if purpose == "analyze" and "\n## Rewrite " in user][-1]
    parent = last.split("# Design ", 1)[1].split("\n", 1)[0]
    children = last.split("# What became of its rewrites\n", 1)[1].split("\n# ", 1)[0]
    known = [r for r in archive.records if r.parent == parent and f"## Rewrite {r.sha}" in children]
    assert known
    for record in known:
        assert f"Hypothesis: {record.hypothesis}\n" in children
        assert f"Against its parent, mean difference paired by task: {record.compared}\n" in children
        assert (
            f"{record.hypothesis} Against its parent {record.compared}." in last
        )  # in the list of what was tried
    changes = [record.compared.difference for record in known]
    assert f"{max(changes):+.4f} against {parent}" in children
