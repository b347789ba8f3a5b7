"""The gateway's door: who may call, what is passed on, what is written down, and grading."""

from __future__ import annotations

import asyncio
import base64
import json
import sqlite3
import stat

import httpx2
import openai
import pytest

from core.gateway.gateway import GatewaySettings, ModelUnavailable, split_effort
from evals.contract import Verdict
from evals.utils import gateway_client
from evals.utils.gateway_client import InfraError, RequestRejected, call_purpose, call_scope
from evals.utils.hire_agent import Agent

from .stub import Answer, RunningGateway, chat, error, run

MESSAGES = [{"role": "user", "content": "hi"}]


def post(running: RunningGateway, path: str, body, token: str, **headers: str) -> httpx2.Response:
    """A request as any program that holds the socket could send it."""
    transport = httpx2.HTTPTransport(uds=str(running.gateway.socket_path))
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    with httpx2.Client(transport=transport) as client:
        named = {"authorization": f"Bearer {token}", "x-alma-purpose": "memory"}
        named |= {name.replace("_", "-"): value for name, value in headers.items()}
        return client.post(f"http://gateway{path}", content=content, headers=named)


def test_only_a_token_in_force_opens_the_door(gateway, provider):
    body = {"model": "gpt-4o", "messages": MESSAGES}
    token = gateway.gateway.issue_token({})
    assert post(gateway, "/v1/chat/completions", body, token).status_code == 200
    gateway.gateway.revoke(token)
    for bad in (token, "guess", "-"):
        refused = post(gateway, "/v1/chat/completions", body, bad)
        assert refused.status_code == 401
        assert refused.json()["error"]["code"] == "invalid_token"
    assert len(provider.seen) == 1


@pytest.mark.parametrize(
    ("path", "body", "headers", "status", "words"),
    [
        ("/v1/chat/completions", {"messages": MESSAGES, "model": "m", "stream": True}, {}, 400, "stream"),
        ("/v1/chat/completions", b"{not json", {}, 400, "not JSON"),
        ("/v1/chat/completions", {"messages": MESSAGES}, {}, 400, "model"),
        ("/v1/chat/completions", {"messages": "hi", "model": "m"}, {}, 400, "messages"),
        ("/v1/embeddings", {"model": "m", "input": []}, {}, 400, "input"),
        (
            "/v1/chat/completions",
            {"messages": MESSAGES, "model": "m"},
            {"x_alma_purpose": "fun"},
            400,
            "purpose",
        ),
        ("/v1/images", {}, {}, 404, "/v1/images"),
        ("/grade", {}, {}, 404, "grades nothing"),
    ],
)
def test_what_cannot_be_served_is_refused_in_the_openai_shape(
    gateway, provider, path, body, headers, status, words
):
    answer = post(gateway, path, body, gateway.gateway.issue_token({}), **headers)
    assert answer.status_code == status
    assert words in answer.json()["error"]["message"]
    assert not provider.seen


def test_the_request_reaches_the_provider_unchanged_with_the_real_key(gateway, provider):
    body = json.dumps({"model": "gpt-4o", "messages": MESSAGES, "odd": [1, 2.50]}).encode()
    token = gateway.gateway.issue_token({})
    assert post(gateway, "/v1/chat/completions", body, token).json() == chat("hello")
    [seen] = provider.seen
    assert seen.body == body
    assert seen.path == "/v1/chat/completions"
    assert seen.headers["authorization"] == "Bearer sk-secret"
    assert token not in str(seen.headers)
    assert not [name for name in seen.headers if name.startswith("x-alma")]


def test_the_openai_client_fits_the_door(gateway, provider):
    async def ask() -> tuple[str, int]:
        transport = httpx2.AsyncHTTPTransport(uds=str(gateway.gateway.socket_path))
        async with openai.AsyncOpenAI(
            api_key=gateway.gateway.issue_token({}),
            base_url="http://gateway/v1",
            max_retries=0,
            default_headers={"x-alma-purpose": "memory"},
            http_client=httpx2.AsyncClient(transport=transport),
        ) as client:
            said = await client.chat.completions.create(model="m", messages=MESSAGES)
            provider.script = [Answer(404, error("no such model", "model_not_found"))]
            with pytest.raises(openai.NotFoundError, match="no such model"):
                await client.chat.completions.create(model="n", messages=MESSAGES)
            return said.choices[0].message.content, said.usage.prompt_tokens

    assert asyncio.run(ask()) == ("hello", 10)


def test_an_effort_suffix_becomes_reasoning_effort(gateway, provider):
    run(Agent("x", model="gpt-5-nano/low").ask("y"))
    run(Agent("x", model="gpt-5-nano/low").ask("y", reasoning_effort="high"))
    run(Agent("x", model="meta-llama/llama-3").ask("y"))
    sent = [(seen.json["model"], seen.json.get("reasoning_effort")) for seen in provider.seen]
    assert sent == [("gpt-5-nano", "low"), ("gpt-5-nano", "high"), ("meta-llama/llama-3", None)]


def test_a_call_is_entered_under_its_token_whatever_the_caller_claims(gateway):
    async def step() -> None:
        call_scope.set(
            {"phase": "retrieve", "task": "t-1", "repeat": 2, "design": "another", "run": "another"}
        )
        call_purpose.set("act")
        await Agent("x", model="gpt-4o").ask("y")

    run(step())
    with sqlite3.connect(gateway.gateway.ledger_path) as connection:
        connection.row_factory = sqlite3.Row
        [row] = connection.execute("SELECT * FROM calls")
    assert [row[name] for name in ("run", "evaluation", "design", "phase", "task", "repeat", "purpose")] == [
        *("run", "abc_eval_1", "abc"),
        *("retrieve", "t-1", 2, "act"),
    ]
    assert (row["model"], row["provider"], row["status"]) == ("gpt-4o", "openai", "ok")
    assert json.loads(row["response"])["choices"][0]["message"]["content"] == "hello"
    assert row["latency_s"] > 0


def test_an_answer_that_cannot_be_written_down_is_not_handed_on(gateway, provider):
    with sqlite3.connect(gateway.gateway.ledger_path) as connection:
        connection.execute(
            "CREATE TRIGGER full BEFORE INSERT ON calls BEGIN SELECT RAISE(FAIL, 'disk full'); END"
        )
    with pytest.raises(InfraError, match="ledger"):
        run(Agent("x").ask("y"))
    assert len(provider.seen) == 1


def test_the_socket_is_private_short_and_gone_afterwards(gateway):
    path = gateway.gateway.socket_path
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert len(str(path)) < 100
    gateway.stop()
    assert not path.parent.exists()


def test_grading_carries_any_bytes_there_and_the_verdict_back(gateway):
    asked = []

    async def grade(scope, body):
        asked.append((scope, body))
        return Verdict(0.5, False, 0.25, 0.75, flags=["odd"], seconds=1.5)

    gateway.gateway.add_grader(grade)
    content = bytes(range(256))
    verdict = run(gateway_client.ask_grade("t-1", "retrieve", 2, {"a.py": content, "b.py": None}))
    assert verdict == Verdict(0.5, False, 0.25, 0.75, flags=["odd"], seconds=1.5)
    [(scope, body)] = asked
    assert scope == {"run": "run", "design": "abc", "evaluation": "abc_eval_1"}
    assert (body["task"], body["phase"], body["repeat"]) == ("t-1", "retrieve", 2)
    assert base64.b64decode(body["changes"]["a.py"]) == content
    assert body["changes"]["b.py"] is None


@pytest.mark.parametrize(
    ("outcome", "expected", "words"),
    [
        (ValueError("no such task"), RequestRejected, "no such task"),
        (OSError("disk full"), InfraError, "disk full"),
        (Verdict(0, False, 0, 0, error="sandbox gone"), InfraError, "sandbox gone"),
    ],
)
def test_a_grading_that_failed_is_no_verdict(gateway, outcome, expected, words):
    async def grade(scope, body):
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    gateway.gateway.add_grader(grade)
    with pytest.raises(expected, match=words):
        run(gateway_client.ask_grade("t", "update", 0, {}))


def test_models_of_the_provider_and_the_offline_one_are_listed(gateway, provider):
    listed = {"object": "list", "data": [{"id": "m-1", "object": "model", "created": 0, "owned_by": "x"}]}
    provider.default = lambda seen: Answer(body=listed)
    transport = httpx2.HTTPTransport(uds=str(gateway.gateway.socket_path))
    token = gateway.gateway.issue_token({})
    with httpx2.Client(transport=transport, headers={"authorization": f"Bearer {token}"}) as client:
        answer = client.get("http://gateway/v1/models")
    assert [model["id"] for model in answer.json()["data"]] == ["offline", "m-1"]


def test_a_missing_key_is_said_before_anything_starts():
    keyless = GatewaySettings.from_environment("gpt-4o", {})
    keyless.check_model("offline")
    with pytest.raises(ModelUnavailable) as raised:
        keyless.check_model("gpt-4o/low")
    for part in ("gpt-4o", "OPENAI_API_KEY", ".env", "--execution_model offline"):
        assert part in str(raised.value)
    assert "\n" not in str(raised.value)
    GatewaySettings.from_environment("gpt-4o", {"OPENAI_API_KEY": "k"}).check_model("gpt-4o")
    GatewaySettings.from_environment("llama", {"OPENAI_BASE_URL": "http://localhost/v1"}).check_model("llama")


def test_a_run_is_offline_only_when_nothing_else_could_answer():
    assert GatewaySettings.from_environment("offline", {}).offline
    assert not GatewaySettings.from_environment("offline", {"OPENAI_API_KEY": "k"}).offline
    assert not GatewaySettings.from_environment("gpt-4o", {}).offline
    GatewaySettings.from_environment("offline", {}).check_model("gpt-4.1")


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("gpt-5-nano/low", ("gpt-5-nano", "low")),
        ("org/model/high", ("org/model", "high")),
        ("org/model", ("org/model", None)),
        ("/low", ("/low", None)),
    ],
)
def test_effort_suffix(name, parts):
    assert split_effort(name) == parts
