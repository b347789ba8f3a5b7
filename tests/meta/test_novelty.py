"""Nothing is tried twice: not the same program under other names, and not without a word what behaves the same."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from core.design_file import content_sha
from core.gateway.offline.design.compose import compose
from core.gateway.offline.design.space import Params
from core.novelty import as_read
from evals.utils import gateway_client

from .conftest import ReplayEvaluator, agent_for, evolve
from .test_program_key import renamed

IDEA = compose(Params(layers=("fixes", "cases"), k=16))
DISGUISED = renamed(IDEA)


class Model:
    """The offline model, with other answers to ``generate`` (for a design that has a parent) and ``repair``."""

    def __init__(
        self, monkeypatch: pytest.MonkeyPatch, answer: Callable[[str, int, str], str | None]
    ) -> None:
        self.prompts: list[tuple[str, str]] = []
        usual = gateway_client.request

        async def request(path, body, purpose):
            reply = await usual(path, body, purpose)
            if purpose in ("generate", "repair", "analyze"):
                text = body["messages"][1]["content"]
                self.prompts.append((purpose, text))
                if purpose == "repair" or "# Design " in text:
                    number = sum(p == purpose for p, _ in self.prompts)
                    source = answer(purpose, number, text)
                    if source is not None:
                        reply["choices"][0]["message"]["content"] = f"```python\n{source}```"
            return reply

        monkeypatch.setattr(gateway_client, "request", request)


def test_the_same_program_under_other_names_is_turned_down_and_not_proposed_again(new_archive, monkeypatch):
    def answer(purpose: str, number: int, text: str) -> str | None:
        if purpose != "generate":
            return None
        return IDEA if content_sha(IDEA) not in text else DISGUISED

    model, evaluator, archive = Model(monkeypatch, answer), ReplayEvaluator(), new_archive("disguise")
    evolve(archive, evaluator, concurrent=1, parents=1)
    sent_back = [a for r in archive.records if r.step == 2 for a in r.attempts]
    assert sent_back[0].content == content_sha(DISGUISED)
    assert sent_back[0].error.startswith(f"This is the program of {content_sha(IDEA)} under other names")
    assert content_sha(DISGUISED) not in {sha for sha, _ in evaluator.calls}
    assert "under other names, comments or formatting" in next(t for p, t in model.prompts if p == "repair")
    model.prompts.clear()
    evolve(archive, evaluator, history_ckpt_path=None, parents=1)  # finished: nothing more is asked
    assert not model.prompts


def test_what_was_turned_down_is_shown_with_its_reason_to_all_later_proposals(new_archive, monkeypatch):
    def answer(purpose: str, number: int, text: str) -> str | None:
        if purpose != "generate":
            return None
        return IDEA if content_sha(IDEA) not in text else DISGUISED

    model, archive = Model(monkeypatch, answer), new_archive("shown")
    asyncio.run(agent_for(archive, ReplayEvaluator()).forward(4, 1, 1))
    line = f"- {content_sha(DISGUISED)}: "
    shown = [line in text for purpose, text in model.prompts if purpose == "analyze"]
    assert shown == [False, False, True, True]
    last = model.prompts[-1][1].partition(line)[2].splitlines()[0]
    assert f"This is the program of {content_sha(IDEA)} under other names" in last
    again = [a.error for r in archive.records for a in r.attempts if a.content == content_sha(DISGUISED)]
    assert len(again) == 3


def test_two_proposals_under_way_with_one_program_are_one_design(new_archive, monkeypatch):
    """Neither knows of the other; the earlier one in the order of proposals is entered, whichever is finished first."""
    checkpoints = []
    for name, concurrent in (("one", 1), ("two", 2)):
        with monkeypatch.context() as patch:

            def answer(purpose: str, number: int, text: str) -> str | None:
                if purpose != "generate":
                    return None
                return IDEA if "# Design claude_md" in text else DISGUISED

            Model(patch, answer)
            archive = new_archive(name)
            checkpoints.append(evolve(archive, concurrent=concurrent, parents=2))
        step = [p for p in archive.proposals if p.step == 1]
        assert sorted(p.end for p in step) == ["duplicate", "ok"]
        assert step[0].end == "ok" and step[1].reason == f"the same program as {step[0].child}"
        assert [a.content for a in step[1].attempts] == [step[1].child]
    assert checkpoints[0] == checkpoints[1]


@pytest.mark.parametrize("insists", [False, True])
def test_what_hands_out_the_same_texts_is_sent_back_once(new_archive, monkeypatch, insists):
    """Sixteen notes or thirty-two are the same where there are two; the model may know better and insist."""
    alike = compose(Params(layers=("fixes", "cases"), k=32))

    def answer(purpose: str, number: int, text: str) -> str | None:
        if purpose == "repair":
            return alike if insists else None
        return None if purpose == "analyze" else alike if content_sha(IDEA) in text else IDEA

    model, evaluator, archive = Model(monkeypatch, answer), ReplayEvaluator(), new_archive("alike")
    evolve(archive, evaluator, concurrent=1, parents=1)
    child = next(r for r in archive.records if r.step == 2)
    assert child.attempts[0].content == content_sha(alike)
    assert f"very same texts as {content_sha(IDEA)}" in child.attempts[0].error
    assert any("very same texts" in t for p, t in model.prompts if p == "repair")
    scored = (content_sha(alike), "eval") in evaluator.calls
    assert scored == insists and (child.sha == content_sha(alike)) == insists
    assert child.status == "ok"


@pytest.mark.parametrize("deep", ["x = " + "a + " * 5000 + "a\n", IDEA + "\ny = " + "-" * 1500 + "1\n"])
def test_a_reply_nested_too_deeply_is_a_failed_design_and_no_end_of_the_search(
    new_archive, monkeypatch, deep
):
    """The first one Python cannot parse, the second one it can."""

    def answer(purpose: str, number: int, text: str) -> str | None:
        return None if purpose == "analyze" else deep

    Model(monkeypatch, answer)
    archive = new_archive("deep")
    evolve(archive, concurrent=1, parents=1)
    steps = [p for p in archive.proposals if p.step]
    assert len(steps) == 2 and all(p.end is not None for p in steps)
    if deep.startswith("x"):
        assert "too deeply nested" in steps[0].reason


def test_what_was_sent_back_for_its_behaviour_may_be_proposed_again(new_archive, monkeypatch):
    """Its first proposal drops it; a later one insists, and is scored. It stays in the list meanwhile."""
    alike = compose(Params(layers=("fixes", "cases"), k=32))
    sha = content_sha(alike)

    def answer(purpose: str, number: int, text: str) -> str | None:
        if purpose == "repair":
            return alike if number > 1 else None
        return None if purpose == "analyze" else alike if content_sha(IDEA) in text else IDEA

    model, evaluator, archive = Model(monkeypatch, answer), ReplayEvaluator(), new_archive("again")
    asyncio.run(agent_for(archive, evaluator).forward(3, 1, 1))
    first, second = (next(r for r in archive.records if r.step == step) for step in (2, 3))
    assert first.sha != sha and first.attempts[0].alike
    assert any(f"- {sha}: " in text for purpose, text in model.prompts if purpose == "generate")
    assert second.sha == sha and second.status == "ok" and (sha, "eval") in evaluator.calls


def test_texts_are_compared_as_they_are_read():
    text = "# Notes\n- **Fix:** use `clip(low, high + 1)`.\n"
    assert as_read(text) == as_read("## Lessons learned\n\n* fix: use clip(low,  high + 1)")
    assert as_read(text) != as_read(text.replace("+ 1", "- 1"))
