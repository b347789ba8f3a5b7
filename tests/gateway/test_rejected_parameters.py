"""A parameter that a model does not take is left out, after one refusal, for good."""

from __future__ import annotations

import asyncio

import pytest

from evals.utils.gateway_client import RequestRejected
from evals.utils.hire_agent import Agent

from .stub import Answer, chat, error, run

REFUSALS = {
    "openai": (400, {"error": {"message": "Unsupported value: 'temperature' does not support 0.2 with this model.",
                               "type": "invalid_request_error", "param": "temperature", "code": "unsupported_value"}}),
    "openai-old": (400, error("Unrecognized request argument supplied: temperature")),
    "fastapi": (422, {"detail": [{"type": "extra_forbidden", "loc": ["body", "temperature"],
                                  "msg": "Extra inputs are not permitted"}]}),
    "litellm": (400, error("litellm.UnsupportedParamsError: stub does not support parameters: ['temperature']")),
    "plain": (400, {"error": "unknown field `temperature`"}),
}  # fmt: skip


@pytest.mark.parametrize("kind", REFUSALS)
def test_it_is_left_out_at_once_and_from_then_on(gateway, provider, kind):
    status, body = REFUSALS[kind]
    provider.default = lambda seen: (
        Answer(status, body) if "temperature" in seen.json else Answer(body=chat("hello"))
    )
    for _ in range(3):
        assert run(Agent("x", model="a").ask("y", temperature=0.2)) == "hello"
    assert ["temperature" in seen.json for seen in provider.seen] == [True, False, False, False]
    assert run(Agent("x", model="b").ask("y", temperature=0.2)) == "hello"
    assert "temperature" in provider.seen[4].json  # another model is another matter


def test_several_are_found_one_after_the_other(gateway, provider):
    def refuse(seen) -> Answer:
        for name in ("temperature", "reasoning_effort", "response_format"):
            if name in seen.json:
                return Answer(400, error(f"unknown parameter '{name}'"))
        return Answer(body=chat('{"a": 1}'))

    provider.default = refuse
    schema = {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]}

    async def many() -> list[dict]:
        agents = [Agent("x", schema, model="m/low") for _ in range(8)]
        return await asyncio.gather(*(agent.ask(str(n), temperature=1.0) for n, agent in enumerate(agents)))

    assert run(many()) == [{"a": 1}] * 8
    before = len(provider.seen)
    run(Agent("x", schema, model="m/low").ask("again", temperature=1.0))
    assert len(provider.seen) == before + 1


def test_a_refusal_for_another_reason_is_handed_on(gateway, provider):
    for body in (
        error("temperature must be at most 2"),
        error("unknown role 'x'"),
        error("unsupported model"),
    ):
        provider.script = [Answer(400, body)]
        with pytest.raises(RequestRejected):
            run(Agent("x").ask("y", temperature=3.0))
    assert all("temperature" in seen.json for seen in provider.seen)
    assert len(provider.seen) == 3


def test_a_server_that_refuses_whatever_is_sent_does_not_keep_us(gateway, provider):
    provider.default = lambda seen: Answer(400, error("unsupported parameter: 'temperature'"))
    with pytest.raises(RequestRejected):
        run(Agent("x").ask("y", temperature=1.0))
    assert len(provider.seen) == 2


def test_the_user_is_told_once(start_gateway, provider):
    running = start_gateway()
    told: list[str] = []
    running.gateway._openai._on_notice = told.append
    provider.default = lambda seen: (
        Answer(400, error("unsupported parameter: 'temperature'"))
        if "temperature" in seen.json
        else Answer(body=chat("x"))
    )
    for _ in range(2):
        run(Agent("x", model="m").ask("y", temperature=1.0))
    assert len(told) == 1 and "m does not take temperature" in told[0]
