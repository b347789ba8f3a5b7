"""Codex as a provider, against a local stub of the Responses API: the real app-server where it is installed, and a
stand-in that speaks its protocol as recorded.
"""

from __future__ import annotations

import asyncio
import os
import sqlite3
import sys
from pathlib import Path

import pytest

from core.gateway.gateway import GatewaySettings, ModelUnavailable
from evals.utils.codex_client import CodexAgent, CodexError, find_codex, split_conversation
from evals.utils.gateway_client import ContextOverflow, InfraError, RequestRejected
from evals.utils.hire_agent import Agent

from .responses_stub import FAULTS, calls_a_tool, overflow, says
from .stub import Answer, error, run

MODEL = "codex:gpt-5.3-codex"
REAL = find_codex()


def inputs(seen) -> list[tuple[str, str]]:
    return [(item["role"], item["content"][0]["text"]) for item in seen.json["input"]]


@pytest.fixture(params=["real", "fake"])
def program(request, tmp_path, monkeypatch) -> str:
    """The Codex program that the gateway finds."""
    if request.param == "real":
        if REAL is None:
            pytest.skip("codex is not installed")
        path = REAL
    else:
        path = tmp_path / "codex"
        path.write_text(f'#!/bin/sh\nexec {sys.executable} {Path(__file__).parent / "fake_codex.py"} "$@"\n')
        path.chmod(0o755)
    monkeypatch.setenv("CODEX_PATH", str(path))
    return str(path)


@pytest.fixture
def codex(program, start_gateway, provider):
    provider.default = lambda seen: says("hello")
    return start_gateway(timeout_s=20.0)


def test_the_model_gets_our_words_alone_and_no_tools(codex, provider):
    provider.script = [says('{"action": "list_dir"}'), says("done")]
    agent = Agent("Reply with one action.", model=f"{MODEL}/low")

    async def talk() -> list[str]:
        return [await agent.ask("Observation 1"), await agent.ask("Observation 2", with_history=True)]

    assert run(talk()) == ['{"action": "list_dir"}', "done"]
    first, second = (seen for seen in provider.seen if seen.path.endswith("/responses"))
    assert inputs(first) == [("developer", "Reply with one action."), ("user", "Observation 1")]
    assert inputs(second) == [
        *inputs(first),
        ("assistant", '{"action": "list_dir"}'),
        ("user", "Observation 2"),
    ]
    assert not second.json.get("tools")
    assert second.json["model"] == "gpt-5.3-codex"
    assert second.json["reasoning"]["effort"] == "low"
    assert second.headers["authorization"] == "Bearer sk-secret"
    with sqlite3.connect(codex.gateway.ledger_path) as connection:
        rows = connection.execute(
            "SELECT provider, model, prompt_tokens, cached_tokens, completion_tokens, reasoning_tokens FROM calls"
        ).fetchall()
    assert rows == [("codex", MODEL, 100, 40, 20, 7)] * 2


def test_many_calls_at_a_time_get_their_own_answers(codex, provider):
    provider.default = lambda seen: says(seen.json["input"][-1]["content"][0]["text"].upper())

    async def many() -> list[str]:
        return await asyncio.gather(*(Agent("x", model=MODEL).ask(f"text {n} " * 3000) for n in range(12)))

    assert run(many()) == [(f"text {n} " * 3000).upper() for n in range(12)]


@pytest.mark.parametrize("kind", FAULTS)
def test_passing_faults_are_retried_on_a_clean_thread(codex, provider, kind):
    provider.script = [FAULTS[kind](), FAULTS[kind]()]
    assert run(Agent("system", model=MODEL).ask("question")) == "hello"
    assert [inputs(seen) for seen in provider.seen] == [[("developer", "system"), ("user", "question")]] * 3


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (overflow(), ContextOverflow),
        (Answer(401, error("bad key", "invalid_api_key")), InfraError),
        (Answer(404, error("no such model", "model_not_found")), RequestRejected),
        (Answer(400, error("a bad schema", "invalid_schema")), RequestRejected),
    ],
    ids=["overflow", "key", "model", "request"],
)
def test_what_a_retry_cannot_cure_fails_at_once(codex, provider, answer, expected):
    provider.script = [answer]
    with pytest.raises(expected) as raised:
        run(Agent("x", model=MODEL).ask("y"))
    assert type(raised.value) is expected
    assert len(provider.seen) == 1


def test_a_model_that_calls_a_tool_all_the_same_runs_nothing(codex, provider):
    provider.script = [calls_a_tool()]
    assert run(Agent("x", model=MODEL).ask("y")) == "hello"
    assert not Path("/tmp/codex-was-here").exists()


def test_a_provider_that_never_answers_is_given_up(program, start_gateway, provider):
    start_gateway(timeout_s=0.5, tries=2)
    provider.default = lambda seen: Answer(200, b"", delay=5)
    with pytest.raises(InfraError, match=r"no answer within 0\.5 s"):
        run(Agent("x", model=MODEL).ask("y"))


def test_a_server_that_was_killed_is_started_again(program, provider):
    provider.default = lambda seen: says("hello")

    async def scenario() -> tuple[str, str, int]:
        agent = CodexAgent([program], api_key="k", base_url=provider.url)
        messages = [{"role": "user", "content": "hi"}]
        try:
            first = (await agent.ask(messages, "m")).text
            os.killpg(agent._process.pid, 9)
            await asyncio.sleep(0.3)
            second = (await agent.ask(messages, "m")).text
            pid = agent._process.pid
        finally:
            await agent.close()
        return first, second, pid

    first, second, pid = asyncio.run(scenario())
    assert (first, second) == ("hello", "hello")
    with pytest.raises(ProcessLookupError):
        os.killpg(pid, 0)


def test_a_program_that_is_no_codex_says_so_at_once(tmp_path):
    program = tmp_path / "codex"
    program.write_text("#!/bin/sh\necho 'unknown key: features' >&2\nexit 1\n")
    program.chmod(0o755)

    async def ask() -> None:
        agent = CodexAgent([str(program)], api_key="k")
        try:
            await agent.ask([{"role": "user", "content": "hi"}], "m")
        finally:
            await agent.close()

    with pytest.raises(CodexError, match=r"does not start: .*unknown key: features"):
        asyncio.run(ask())


def test_a_missing_program_or_login_is_said_before_anything_starts(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CODEX_PATH", raising=False)
    monkeypatch.setenv("CODEX_HOME", str(tmp_path))
    with pytest.raises(ModelUnavailable, match="npm install"):
        GatewaySettings(api_key="k").check_model(MODEL)
    program = tmp_path / "codex"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    with pytest.raises(ModelUnavailable, match="codex login"):
        GatewaySettings(offline=True).check_model(f"{MODEL}/low")
    GatewaySettings(api_key="k").check_model(MODEL)


def test_a_conversation_is_split_for_codex():
    talk = [("system", "be brief"), ("system", "truly"), ("user", "a"), ("assistant", "b"), ("user", "c")]
    instructions, items, last = split_conversation([{"role": r, "content": c} for r, c in talk])
    assert (instructions, last) == ("be brief\n\ntruly", "c")
    assert [(i["role"], i["content"][0]["type"], i["content"][0]["text"]) for i in items] == [
        ("user", "input_text", "a"),
        ("assistant", "output_text", "b"),
    ]
    with pytest.raises(CodexError, match="only text"):
        split_conversation([{"role": "user", "content": [{"type": "image_url"}]}])
