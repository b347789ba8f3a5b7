"""What happens when the provider misbehaves: retried or failed fast, and how the client hears of it."""

from __future__ import annotations

import asyncio
import email.utils
import sqlite3
import time

import pytest

from core.gateway.retrying import retry_after_s
from evals.agents.memo_structure import MemoStructure
from evals.eval_envs.base_envs import Basic_Recorder
from evals.utils import gateway_client
from evals.utils.gateway_client import (
    ContextOverflow,
    InfraError,
    Refused,
    RequestRejected,
    Usage,
    call_usage,
)
from evals.utils.hire_agent import Agent
from evals.workflows.memory_calls import DesignError, MemoryCalls, Watch

from .stub import Answer, chat, error, run


def ask(text: str = "hi") -> str:
    return run(Agent("be brief", model="gpt-4o-mini").ask(text))


def rows(gateway, columns: str) -> list[tuple]:
    with sqlite3.connect(gateway.gateway.ledger_path) as connection:
        return connection.execute(f"SELECT {columns} FROM calls ORDER BY id").fetchall()


def test_waits_as_long_as_the_provider_asks(gateway, provider):
    provider.script = [Answer(429, error("slow down", "rate_limit_exceeded"), {"retry-after": "0.4"})]
    assert ask() == "hello"
    first, second = provider.seen
    assert second.at - first.at >= 0.4
    assert rows(gateway, "status, retries") == [("ok", 1)]


@pytest.mark.parametrize("status", [408, 409, 429, 500, 502, 503])
def test_passing_faults_are_retried(gateway, provider, status):
    provider.script = [Answer(status, error("try later")), Answer(status, b"<html>not JSON</html>")]
    assert ask() == "hello"
    assert rows(gateway, "status, retries") == [("ok", 2)]


@pytest.mark.parametrize(
    "answer",
    [
        Answer(500, error("broken for good")),
        Answer(200, b"<html>captive portal</html>"),
        Answer(200, error("an error in disguise")),
        Answer(200, chat("too late"), delay=0.5),
    ],
    ids=["status", "not-json", "no-choices", "timeout"],
)
def test_a_lasting_fault_is_an_outage_and_no_answer(start_gateway, provider, answer):
    gateway = start_gateway(tries=3, timeout_s=0.2)
    provider.default = lambda seen: answer
    with pytest.raises(InfraError, match="gave up after 3 tries"):
        ask()
    assert len(provider.seen) == 3
    assert rows(gateway, "status, retries, prompt_tokens") == [("error 503", 2, 0)]


def test_a_provider_that_is_not_there_is_an_outage(start_gateway, provider):
    start_gateway(tries=2, base_url="http://127.0.0.1:1/v1")
    with pytest.raises(InfraError, match="connection failed"):
        ask()


@pytest.mark.parametrize(
    ("status", "code", "expected"),
    [
        (400, "invalid_value", RequestRejected),
        (404, "model_not_found", RequestRejected),
        (400, "content_policy_violation", Refused),
        (401, "invalid_api_key", InfraError),
        (403, None, InfraError),
        (429, "insufficient_quota", InfraError),
    ],
)
def test_what_a_retry_cannot_cure_fails_at_once_in_the_providers_words(
    gateway, provider, status, code, expected
):
    provider.script = [Answer(status, error("these very words", code))]
    with pytest.raises(expected, match="these very words") as raised:
        ask()
    assert type(raised.value) is expected
    assert len(provider.seen) == 1
    assert rows(gateway, "status") == [(f"error {status}",)]


@pytest.mark.parametrize(
    "body",
    [
        error("This model's maximum context length is 8192 tokens.", "context_length_exceeded"),
        error("This model's maximum context length is 4096 tokens. However, you requested 5000.", "400"),
        error("the request exceeds the available context size", None, "exceed_context_size_error"),
    ],
    ids=["openai", "vllm", "llama.cpp"],
)
def test_a_full_context_has_one_name_over_all_servers(gateway, provider, body):
    provider.script = [Answer(400, body)]
    with pytest.raises(ContextOverflow):
        ask()


def test_an_empty_refusal_is_not_an_empty_answer(gateway, provider):
    provider.script = [Answer(body=chat(None, refusal="I will not"))]
    with pytest.raises(Refused, match="I will not"):
        ask()


def test_an_outage_that_a_design_swallows_is_still_known(start_gateway, provider):
    start_gateway(tries=1)
    provider.default = lambda seen: Answer(500, error("down"))

    async def design() -> None:
        try:
            await Agent("x").ask("y")
        except Exception:
            pass

    usage = Usage()
    token = call_usage.set(usage)
    run(design())
    call_usage.reset(token)
    assert "down" in usage.infra_error


@pytest.mark.parametrize(("patience_s", "expected"), [(0.1, InfraError), (60.0, DesignError)])
def test_a_design_is_not_to_blame_for_a_model_that_does_not_come_back(
    gateway, provider, monkeypatch, patience_s, expected
):
    """A rate limit may be waited out for longer than a design is given; a slow design calls its model quickly."""

    class Design(MemoStructure):
        async def general_retrieve(self, recorder): ...

        async def general_update(self, recorder):
            await Agent("x").ask("y")

    monkeypatch.setattr(gateway_client, "STALLED_S", patience_s)
    provider.default = lambda seen: Answer(body=chat("late"), delay=2)

    async def update() -> None:
        await MemoryCalls(Design(), Watch(print), 0.5, 100).update(Basic_Recorder(init={}))

    with pytest.raises(expected, match="general_update"):
        run(update())


def test_no_more_calls_at_once_than_allowed(start_gateway, provider):
    start_gateway(concurrency=3)
    provider.default = lambda seen: Answer(body=chat("hello"), delay=0.05)

    async def many() -> list[str]:
        return await asyncio.gather(*(Agent("x").ask(str(number)) for number in range(12)))

    assert run(many()) == ["hello"] * 12
    assert provider.most_at_once == 3


def test_a_gateway_that_went_away_is_an_outage(gateway):
    gateway.stop()
    with pytest.raises(InfraError, match="connection to the gateway lost"):
        ask()


def test_retry_after_in_all_its_forms():
    in_ten = email.utils.formatdate(time.time() + 10, usegmt=True)
    assert retry_after_s({"retry-after": "7"}) == 7.0
    assert retry_after_s({"retry-after-ms": "250", "retry-after": "7"}) == 0.25
    assert 8 < retry_after_s({"retry-after": in_ten}) <= 10
    assert retry_after_s({"retry-after": "86400"}) == 60.0
    assert retry_after_s({"retry-after": "soon"}) is None
    assert retry_after_s({}) is None
