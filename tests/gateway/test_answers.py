"""What was answered before is answered from the ledger; equal calls are made once; and a budget is kept."""

from __future__ import annotations

import asyncio
import itertools
import json
import time
from pathlib import Path

import pytest

from core.gateway.ledger import totals
from evals.utils.gateway_client import ContextOverflow, InfraError, RequestRejected, call_scope
from evals.utils.hire_agent import Agent, Embedding

from .stub import Answer, chat, embedding, error, run

MINI = "gpt-4o-mini"
USAGE = {"prompt_tokens": 1000, "completion_tokens": 100, "total_tokens": 1100}
USD = (1000 * 0.15 + 100 * 0.60) / 1e6


def moods(provider) -> None:
    """Another answer to every request."""
    number = itertools.count()
    provider.default = lambda seen: Answer(body=chat(f"answer {next(number)}", USAGE), delay=0.02)


async def ask(times: int, text: str = "y", model: str = MINI) -> list[str]:
    return await asyncio.gather(*(Agent("x", model=model).ask(text) for _ in range(times)))


def test_a_second_session_gets_every_answer_of_the_first_and_each_equal_call_its_own(start_gateway, provider):
    moods(provider)
    first = start_gateway()
    answers = run(ask(5))
    assert sorted(answers) == [f"answer {n}" for n in range(5)]
    first.stop()
    second = start_gateway()
    assert run(ask(5)) == answers
    assert len(provider.seen) == 5 and second.gateway.answers.from_ledger == 5
    assert run(ask(1)) == ["answer 5"]  # the sixth of its kind
    [spent] = totals(second.gateway.ledger_path)
    assert (spent.calls, spent.usd) == (6, pytest.approx(6 * USD))


def test_a_new_process_of_the_same_evaluation_gets_them_too_and_another_does_not(gateway, provider):
    moods(provider)
    answers = run(ask(2))
    gateway.connect(design="abc", evaluation="abc_eval_1")
    assert run(ask(2)) == answers
    before = len(provider.seen)
    gateway.connect(design="abc", evaluation="abc_eval_2")
    run(ask(1))
    assert len(provider.seen) == before + 1


def test_a_call_whose_caller_is_gone_is_kept_for_the_next(gateway, provider):
    moods(provider)
    provider.script = [Answer(body=chat("late", USAGE), delay=0.5)]

    async def leave() -> None:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(ask(1), 0.2)

    run(leave())
    gateway.connect(design="abc", evaluation="abc_eval_1")
    assert run(ask(1)) == ["late"]  # it was still under way: joined, not made again
    assert len(provider.seen) == 1


def test_at_the_end_what_was_sent_is_waited_for_and_what_waits_for_its_turn_is_given_up(
    start_gateway, provider
):
    running = start_gateway(rpm=2)
    provider.default = lambda seen: Answer(body=chat("late", USAGE), delay=0.7)
    ended = {}

    async def leave() -> None:
        asked = [asyncio.ensure_future(ask(1, str(n))) for n in range(5)]
        await asyncio.sleep(0.3)
        started = time.monotonic()
        assert running.gateway.answers.paid_calls == 2
        await asyncio.to_thread(running.call, running.gateway.answers.finish_paid_calls())
        ended["after"] = time.monotonic() - started
        ended["outcomes"] = await asyncio.gather(*asked, return_exceptions=True)

    run(leave())
    assert ended["after"] < 5  # the third would have had its turn after a minute
    assert ended["outcomes"].count(["late"]) == 2
    assert sum(isinstance(outcome, InfraError) for outcome in ended["outcomes"]) == 3
    [spent] = totals(running.gateway.ledger_path)
    assert (spent.calls, len(provider.seen)) == (2, 2)


def test_an_outage_is_not_an_answer_and_takes_no_number(start_gateway, provider):
    start_gateway(tries=1)
    moods(provider)
    provider.script = [Answer(500, error("down"))]
    with pytest.raises(InfraError):
        run(ask(1))
    assert run(ask(1)) == ["answer 0"]
    start_gateway(tries=1)
    assert run(ask(1)) == ["answer 0"]
    assert len(provider.seen) == 2


def test_of_refusals_only_those_of_the_content_are_remembered(start_gateway, provider):
    start_gateway()
    long = error("maximum context length exceeded", "context_length_exceeded")
    provider.script = [Answer(400, long), Answer(404, error("no such model", "model_not_found"))]
    with pytest.raises(ContextOverflow):
        run(ask(1, "long"))
    with pytest.raises(RequestRejected):
        run(ask(1, "other"))
    start_gateway()
    with pytest.raises(ContextOverflow, match="maximum context"):
        run(ask(1, "long"))
    assert run(ask(1, "other")) == ["hello"]
    assert len(provider.seen) == 3


def test_a_budget_is_used_up_and_not_overdrawn(start_gateway, provider):
    moods(provider)
    running = start_gateway(max_cost_usd=10.5 * USD)

    async def many() -> list:
        asked = (Agent("x" * 3200, model=MINI).ask(str(n)) for n in range(40))  # about 1000 tokens
        return await asyncio.gather(*asked, return_exceptions=True)

    outcomes = run(many())
    assert len(provider.seen) == sum(isinstance(outcome, str) for outcome in outcomes) == 10
    assert provider.most_at_once > 1
    refused = [outcome for outcome in outcomes if not isinstance(outcome, str)]
    assert all(isinstance(outcome, InfraError) and "budget" in str(outcome) for outcome in refused)
    assert "USD is used up" in running.gateway.answers.stopped
    running.stop()
    start_gateway(max_cost_usd=12.5 * USD)  # what was spent counts on
    run(many())
    assert len(provider.seen) == 12


def test_what_is_under_way_counts(start_gateway, provider):
    """There is room for two: the third waits for them, and finds none left."""
    provider.default = lambda seen: Answer(body=chat("hello", USAGE), delay=0.3)
    start_gateway(max_tokens=2 * 1100 + 500)

    async def three() -> list:
        asked = (Agent("x", model=MINI).ask(str(n)) for n in range(3))
        return await asyncio.gather(*asked, return_exceptions=True)

    assert sum(outcome == "hello" for outcome in run(three())) == len(provider.seen) == 2


def test_what_cannot_be_counted_is_refused_as_the_callers_fault(start_gateway, provider):
    start_gateway(max_cost_usd=1.0)
    with pytest.raises(RequestRejected, match="house-model"):
        run(ask(1, model="house-model"))
    assert not provider.seen
    start_gateway(max_cost_usd=1.0, max_tokens=100_000)
    assert run(ask(1, model="house-model")) == ["hello"]


def test_calls_under_way_are_entered_before_the_gateway_closes(gateway, provider):
    provider.script = [Answer(body=chat("late", USAGE), delay=0.6)]

    async def leave() -> None:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(ask(1), 0.2)

    run(leave())
    started = time.monotonic()
    gateway.stop()
    assert time.monotonic() - started < 10
    assert totals(gateway.gateway.ledger_path)[0].calls == 1


def test_the_ledger_keeps_whole_requests_without_keeping_the_conversation_again_and_again(gateway, provider):
    from core.gateway.ledger import calls_in

    agent = Agent("x" * 5000, model=MINI)

    async def talk() -> None:
        call_scope.set({"phase": "retrieve", "task": "t", "repeat": 1})
        for n in range(20):
            await agent.ask(f"{n}" * 5000, with_history=True)

    run(talk())
    path = Path(gateway.gateway.ledger_path)
    assert [call.request for call in calls_in(path)] == [seen.json for seen in provider.seen]
    gateway.stop()
    sent = sum(len(seen.body) for seen in provider.seen)
    assert path.stat().st_size < sent / 5


def test_embeddings_are_answered_from_the_ledger_too(start_gateway, provider):
    provider.default = lambda seen: Answer(body=embedding([0.5]))
    start_gateway()
    run(Embedding().get_embedding("a"))
    start_gateway()
    assert Embedding()(["a"]) == [[0.5]]
    assert len(provider.seen) == 1 and json.loads(provider.seen[0].body)["input"] == ["a"]
