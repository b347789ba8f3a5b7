"""The offline model behind the gateway: any model name, in processes that come back and never outlive the run."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest

from core.gateway.ledger import totals
from evals.agents.base import count_tokens
from evals.utils.gateway_client import InfraError, Usage, call_purpose, call_seed, call_usage
from evals.utils.hire_agent import Agent, Embedding

from .stub import run

ROOT = Path(__file__).resolve().parents[2]
TASK = """# Issue
variance([1, 2, 4]) divides by the wrong number.

# Repository
Project: tiny
Working directory: /workspace
Files:
tests/test_stats.py
tiny/stats.py
Test command: python -m pytest -q
Step limit: 30"""
OFFLINE_RUN = """
import asyncio, sys
from pathlib import Path
from core.gateway.gateway import Gateway, GatewaySettings
from evals.utils import gateway_client
from evals.utils.hire_agent import Embedding

async def main():
    gateway = Gateway(Path(sys.argv[1]), GatewaySettings(offline=True, offline_workers=2))
    await gateway.start()
    gateway_client.connect(gateway.socket_path, gateway.issue_token({}))
    await Embedding().get_embedding("warm")
    print(*gateway._offline._pool._processes, flush=True)
    await asyncio.sleep(60)

if __name__ == "__main__":
    asyncio.run(main())
"""


@pytest.fixture
def offline(start_gateway):
    return start_gateway(api_key=None, base_url=None, offline=True, offline_workers=2)


def ask(purpose: str, text: str, schema=None, model: str = "gpt-4.1") -> tuple[object, Usage]:
    async def call():
        call_purpose.set(purpose)
        call_seed.set(3)
        call_usage.set(usage := Usage())
        return await Agent("You repair programs.", schema, model=model).ask(text), usage

    return run(call())


def test_every_model_name_is_served_and_counted_at_no_cost(offline, provider):
    answer, usage = ask("act", TASK, model="gpt-5-nano/low")
    assert json.loads(answer)["action"] == "run_command"
    assert ask("act", TASK, model="offline")[0] == answer
    assert usage.prompt_tokens == count_tokens("You repair programs.") + count_tokens(TASK)
    assert usage.completion_tokens == count_tokens(answer)
    [row] = totals(offline.gateway.ledger_path, "provider")
    assert (row.group, row.calls, row.failed, row.usd, row.unpriced) == (("offline",), 2, 0, 0.0, ())
    assert not provider.seen


def test_the_purpose_decides_who_answers(offline):
    schema = {"type": "object", "properties": {"lesson": {"type": "string"}}, "required": ["lesson"]}
    note, _ = ask("memory", "fixed by changing `return s / n` to `return s / (n - 1)`", schema)
    assert isinstance(note["lesson"], str)
    design, _ = ask("generate", "Write a memory design.")
    assert "MemoStructure" in design
    with pytest.raises(InfraError, match="no purpose 'embed'"):
        ask("embed", "not a chat purpose")


def test_embeddings_come_back_in_order_and_alike_for_alike_texts(offline):
    texts = ["divide by zero in mean", "parse the date format", "mean divides by zero"]
    vectors = Embedding()(texts)
    near, far = run(Embedding.compute_one_to_group_similarity(vectors[0], [vectors[2], vectors[1]]))
    assert near > far
    assert vectors[1] == pytest.approx(Embedding().embed_query(texts[1]))


def test_a_killed_worker_costs_no_call(offline):
    ask("act", TASK)
    for worker in list(offline.gateway._offline._pool._processes):
        with contextlib.suppress(ProcessLookupError):
            os.kill(worker, signal.SIGKILL)
    answer, _ = ask("act", TASK)
    assert json.loads(answer)["action"] == "run_command"
    with sqlite3.connect(offline.gateway.ledger_path) as connection:
        assert connection.execute("SELECT status FROM calls").fetchall() == [("ok",), ("ok",)]


def test_workers_do_not_outlive_a_run_that_was_killed(tmp_path):
    script = tmp_path / "offline_run.py"
    script.write_text(OFFLINE_RUN)
    command = [sys.executable, str(script), str(tmp_path)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=environment
    ) as process:
        workers = [int(pid) for pid in process.stdout.readline().split()]
        assert len(workers) == 2
        assert all(_alive(worker) for worker in workers)
        process.kill()
    deadline = time.monotonic() + 10
    while any(_alive(worker) for worker in workers) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not any(_alive(worker) for worker in workers)


def _alive(pid: int) -> bool:
    """Running; a zombie that init has not yet reaped is not."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"
