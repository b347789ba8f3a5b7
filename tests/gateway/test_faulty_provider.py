"""A provider with every fault at 30 % of its calls changes no result."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from core.gateway import offline
from envs_archive.prompts.coding_prompt import SYSTEM_PROMPTS
from evals.utils.gateway_client import Usage, call_usage
from evals.utils.hire_agent import Agent

from .faults import FAULTS, echo, faulty
from .stub import Answer, Seen, StubProvider, chat, run, run_main

SHARE = 0.3
STEPS = 8  # of the agent; every fault in one of them is a wait


def ask_many(calls: int) -> tuple[list[str], Usage]:
    usage = Usage()

    async def all_of_them() -> list[str]:
        call_usage.set(usage)
        return await asyncio.gather(*(Agent("system").ask(f"question {n}") for n in range(calls)))

    return run(all_of_them()), usage


@pytest.mark.parametrize("kind", FAULTS)
def test_a_fault_at_a_third_of_the_calls_changes_no_answer(start_gateway, provider, kind):
    start_gateway(timeout_s=0.3 if kind == "slow" else 10.0, backoff_s=0.003, tries=12)
    provider.default = echo
    expected, _ = ask_many(40)
    provider.default, done = faulty(echo, [kind], SHARE)
    answers, usage = ask_many(40)
    assert answers == expected
    assert usage.calls == 40
    # On a busy machine a good answer may come too late as well.
    assert done["good"] == 40 or (kind == "slow" and done["good"] > 40)
    assert done[kind] > 4


def offline_answer(seen: Seen) -> Answer:
    """The offline model behind a real port: what it says is a function of the request alone."""
    if seen.path.endswith("/models"):
        return Answer(404)
    request = seen.json
    purpose = "act" if request["messages"][0]["content"] == SYSTEM_PROMPTS["seed"] else "memory"
    if purpose == "act" and sum(m["role"] == "assistant" for m in request["messages"]) == STEPS:
        return Answer(body=chat('{"action": "submit"}'))
    return Answer(body=chat(offline.complete(request, purpose)))


def evaluate(folder: Path, provider: StubProvider) -> dict:
    names = ["--memo_SHA", "claude_md", "--train_size", "1", "--repeats", "3", "--execution_model", "stub"]
    done = run_main(folder, provider.url, *names)
    assert done.returncode == 0, done.stderr
    summary = json.loads((folder / "logs/run/summary.json").read_text())
    episodes = {}
    for path in sorted((folder / "logs/run/evaluations").glob("*/episodes.jsonl")):
        for episode in map(json.loads, path.read_text().splitlines()):
            key = (path.parent.name, episode["task"], episode["repeat"])
            episodes[key] = (episode["trajectory"], episode["memory_retrieved"], episode["reward"])
    for design in summary["designs"]:
        del design["seconds"], design["memory_seconds"]
    kept = {name: summary[name] for name in ("state", "designs", "tokens", "paired")}
    return {**kept, "calls": summary["calls"]["total"], "episodes": episodes}


def test_a_whole_run_comes_to_the_same_result(tmp_path, provider):
    provider.default = offline_answer
    (tmp_path / "good").mkdir()
    (tmp_path / "faulty").mkdir()
    expected = evaluate(tmp_path / "good", provider)
    kinds = [kind for kind in FAULTS if kind != "slow"]
    provider.default, done = faulty(offline_answer, kinds, SHARE)
    assert evaluate(tmp_path / "faulty", provider) == expected
    assert done["good"] == expected["calls"] + 1  # the list of models was asked for, too
    assert 0.2 < 1 - done["good"] / done.total() < 0.4
