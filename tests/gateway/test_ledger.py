"""The ledger: on disk before the answer is out, counted right, priced honestly."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.gateway.ledger import scope_key, totals
from core.gateway.places import Places
from core.gateway.prices import cost_usd
from core.gateway.provider import Tokens
from core.gateway.stored_request import assemble, disassemble, request_hash
from evals.utils import gateway_client
from evals.utils.gateway_client import call_purpose
from evals.utils.hire_agent import Agent, Embedding

from .stub import Answer, chat, embedding, run

ROOT = Path(__file__).resolve().parents[2]
GATEWAY_PROCESS = """
import asyncio, sys
from pathlib import Path
from core.gateway.gateway import Gateway, GatewaySettings

async def main():
    gateway = Gateway(Path(sys.argv[1]), GatewaySettings(api_key="k", base_url=sys.argv[2]))
    await gateway.start()
    print(gateway.socket_path, gateway.issue_token({"design": "abc"}), flush=True)
    await asyncio.sleep(60)

asyncio.run(main())
"""


def test_every_answer_a_client_got_survives_a_kill(provider, tmp_path):
    """20 calls are in flight; at the first answers the gateway's process is killed."""
    counter = iter(range(1000))
    provider.default = lambda seen: Answer(body=chat(f"answer {next(counter)}"))
    command = [sys.executable, "-c", GATEWAY_PROCESS, str(tmp_path), provider.url]
    with subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": str(ROOT)}
    ) as process:
        socket_path, token = process.stdout.readline().split()
        gateway_client.connect(socket_path, token)
        received: list[str] = []

        async def one(number: int) -> None:
            received.append(await Agent("x").ask(str(number)))
            if len(received) == 5:
                process.send_signal(signal.SIGKILL)

        async def many() -> None:
            await asyncio.gather(*(one(number) for number in range(20)), return_exceptions=True)

        run(many())
    assert len(received) >= 5
    with sqlite3.connect(tmp_path / "ledger.sqlite") as connection:
        stored = connection.execute("SELECT response FROM calls WHERE status = 'ok'").fetchall()
    written = {json.loads(response)["choices"][0]["message"]["content"] for (response,) in stored}
    assert set(received) <= written


def test_an_answer_waits_until_its_row_is_on_disk(gateway, provider):
    """Another process holds the ledger's write lock for a while: no answer comes out meanwhile."""
    lock = sqlite3.connect(gateway.gateway.ledger_path, isolation_level=None)
    lock.execute("BEGIN IMMEDIATE")

    async def call() -> None:
        asked = asyncio.create_task(Agent("x").ask("y"))
        await asyncio.to_thread(provider.called.wait, 10)
        await asyncio.sleep(0.3)
        assert not asked.done()
        lock.execute("COMMIT")
        assert await asked == "hello"

    run(call())
    lock.close()


def test_tokens_and_costs_by_purpose_and_model(gateway, provider):
    usage = {
        "prompt_tokens": 1000,
        "completion_tokens": 100,
        "prompt_tokens_details": {"cached_tokens": 400},
        "completion_tokens_details": {"reasoning_tokens": 60},
    }
    provider.default = lambda seen: Answer(body=chat("hello", usage))
    path = gateway.gateway.ledger_path

    async def calls() -> None:
        await Agent("x", model="gpt-4o-mini").ask("a")
        call_purpose.set("act")
        await Agent("x", model="gpt-4o-2024-08-06").ask("b")

    run(calls())
    mini = (600 * 0.15 + 400 * 0.075 + 100 * 0.60) / 1e6
    full = (600 * 2.50 + 400 * 1.25 + 100 * 10.00) / 1e6
    act, memory = totals(path, "purpose")
    assert (act.group, memory.group) == (("act",), ("memory",))
    assert (act.usd, memory.usd) == (pytest.approx(full), pytest.approx(mini))
    [everything] = totals(path)
    assert (everything.calls, everything.failed, everything.unpriced) == (2, 0, ())
    assert (everything.prompt_tokens, everything.completion_tokens) == (2000, 200)
    assert (everything.cached_tokens, everything.reasoning_tokens) == (800, 120)
    assert everything.usd == pytest.approx(mini + full)

    run(Agent("x", model="house-model").ask("c"))
    [everything] = totals(path)
    assert everything.usd == pytest.approx(mini + full)
    assert everything.unpriced == ("house-model",)
    assert "cost unknown for model house-model" in everything.cost_note()
    assert [group.unpriced for group in totals(path, "model")] == [(), (), ("house-model",)]
    with pytest.raises(ValueError, match="response"):
        totals(path, "response")


def test_embeddings_are_entered_too(gateway, provider):
    provider.default = lambda seen: Answer(body=embedding([0.5, 0.25]))
    assert run(Embedding().get_embedding("a")) == [0.5, 0.25]
    [row] = totals(gateway.gateway.ledger_path, "purpose", "model")
    assert row.group == ("embed", "text-embedding-3-small")
    assert row.usd == pytest.approx(7 * 0.02 / 1e6)


def test_a_request_is_known_again_whatever_the_order_of_its_keys_the_run_and_the_place_of_the_checkout(
    tmp_path,
):
    places = Places(tmp_path / "logs/one")
    request = {"model": "m", "messages": [{"role": "user", "content": f"{ROOT}/core/run.py"}], "seed": 1}
    reordered = dict(reversed(request.items()))
    assert request_hash(request, places) == request_hash(reordered, places)
    assert request_hash({**request, "seed": 2}, places) != request_hash(request, places)
    elsewhere = {**request, "messages": [{"role": "user", "content": "{project}/core/run.py"}]}
    assert request_hash(elsewhere, places) == request_hash(request, places)
    scope = {"run": "one", "design": "d", "task": "t"}
    assert scope_key({**scope, "run": "two"}, "act") == scope_key(scope, "act")
    assert scope_key({**scope, "task": "u"}, "act") != scope_key(scope, "act")
    assert scope_key(scope, "memory") != scope_key(scope, "act")


@given(
    st.fixed_dictionaries(
        {
            "model": st.text(),
            "messages": st.lists(st.dictionaries(st.text(), st.text() | st.integers(0, 9) | st.none())),
        },
        optional={"input": st.text() | st.lists(st.text()), "seed": st.integers(0, 2**31)},
    )
)
def test_a_request_comes_back_from_its_parts_as_it_was(request):
    frame, parts = disassemble(request)
    assert assemble(frame, parts.__getitem__) == request


def test_a_price_is_known_or_said_to_be_unknown():
    million = Tokens(prompt=1_000_000, completion=1_000_000)
    assert cost_usd("gpt-5-nano", million) == pytest.approx(0.45)
    assert cost_usd("gpt-4o-2024-05-13", million) == pytest.approx(20.0)
    assert cost_usd("gpt-4o-mini-2024-07-18", million) == pytest.approx(0.75)
    assert cost_usd("text-embedding-3-large", Tokens(prompt=1_000_000)) == pytest.approx(0.13)
    assert cost_usd("offline", million) == 0.0
    assert cost_usd("llama-3-8b", million) is None
