"""Whole runs with a model that costs money, disturbed at any moment: nothing is lost and nothing is paid twice."""

from __future__ import annotations

import fcntl
import json
import random
import shutil
import sqlite3
from contextlib import closing

import pytest

from core.replay_check import differences

from .paid import MODEL, TOKENS_PER_CALL, PaidModel
from .runs import KILLS, SAMPLES, calls, damage, finish, results, start, wait_for_calls

MODELS = ["--execution_model", MODEL, "--meta_model", MODEL]
EVALUATE = ["--status", "test", "--memo_SHA", "no_mem,claude_md", "--train_size", "0", "--repeats", "1"]
RUN = [*EVALUATE, "--tasks", str(SAMPLES), *MODELS]


@pytest.fixture
def paid():
    model = PaidModel()
    yield model
    model.stop()


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    """(logs, number of calls) of a finished run ``first`` that nobody disturbed."""
    logs = tmp_path_factory.mktemp("undisturbed") / "logs"
    model = PaidModel()
    finish(start(logs, *RUN, "--result_dir", "first", **model.environment))
    model.stop()
    assert len(calls(logs / "first")) == len(model.bodies) == 16
    return logs, len(model.bodies)


@pytest.mark.parametrize("kind", ["child", "power cut"])  # the others: tests/reliability/kill_points.py
def test_a_killed_run_goes_on_to_the_same_end_and_asks_for_nothing_it_was_told(
    kind, undisturbed, paid, tmp_path
):
    reference, total = undisturbed
    logs, rng = tmp_path / "logs", random.Random(f"5 {kind}")
    process = start(logs, *RUN, "--result_dir", "killed", **paid.environment)
    assert wait_for_calls(logs / "killed", rng.randrange(3, total - 3), process)
    finished = results(logs / "killed")
    KILLS[kind](process, rng)
    if kind != "child":
        process.communicate()
        if kind == "power cut":
            assert damage(logs / "killed", rng)
        made, asked = calls(logs / "killed"), len(paid.bodies)
        process = start(logs, "--resume", "killed", **paid.environment)
    output = finish(process)
    assert "Traceback" not in output
    assert differences(reference / "first", logs / "killed") == []
    assert len(calls(logs / "killed")) == total
    if kind == "child":  # its calls under way were brought to their end, and kept
        assert len(paid.bodies) == total
    else:
        assert len(paid.bodies) - asked == total - len(made)
    if kind != "power cut":  # that may have taken a verdict with it
        after = results(logs / "killed")
        assert {name: after[name] for name in finished} == finished


def test_at_the_budget_a_run_stops_in_order_and_goes_on_with_a_larger_one(undisturbed, paid, tmp_path):
    reference, total = undisturbed
    logs = tmp_path / "logs"
    calls_worth = 9.5
    limit = ["--max_tokens", str(int(calls_worth * TOKENS_PER_CALL))]
    output = finish(start(logs, *RUN, "--result_dir", "poor", *limit, **paid.environment), 3)
    assert "warning: the budget buys about" in output and "expected: about" in output
    assert "--resume poor --max_tokens" in output
    summary = json.loads((logs / "poor/summary.json").read_text())
    stopped_at = len(paid.bodies)
    assert summary["state"] == "budget" and summary["calls"]["total"] == stopped_at
    assert 6 <= stopped_at <= calls_worth  # it was used, not given up at the first doubt

    finish(start(logs, "--resume", "poor", **paid.environment), 3)
    assert len(paid.bodies) == stopped_at
    finish(start(logs, "--resume", "poor", "--max_tokens", "1000000", **paid.environment))
    assert len(paid.bodies) == total
    assert differences(reference / "first", logs / "poor") == []


def test_a_price_that_is_not_known_needs_a_limit_of_tokens(paid, tmp_path):
    logs = tmp_path / "logs"
    unknown = [*RUN, "--execution_model", "house-model", "--result_dir", "x", "--max_cost_usd", "1"]
    output = finish(start(logs, *unknown, **paid.environment), 2)
    assert "house-model" in output and "--max_tokens" in output and output.count("\n") == 1
    assert not logs.exists() and not paid.bodies


def test_two_at_once_a_finished_run_and_changed_files(undisturbed, paid, tmp_path):
    """One process works in a run; a finished one has nothing left to do, whatever became of its task file."""
    reference, _ = undisturbed
    logs = tmp_path / "logs"
    shutil.copytree(reference / "first", logs / "first")
    with open(logs / "first/.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        output = finish(start(logs, "--resume", "first", **paid.environment), 2)
    assert "another process is working" in output
    before = {p: p.read_bytes() for p in (logs / "first").rglob("*.json*") if p.name != "summary.json"}
    options = json.loads((logs / "first/options.json").read_text()) | {"tasks": str(tmp_path / "gone.jsonl")}
    (logs / "first/options.json").write_text(json.dumps(options))
    nobody = {**paid.environment, "OPENAI_BASE_URL": "http://127.0.0.1:9/v1"}
    finish(start(logs, "--resume", "first", **nobody))
    del before[logs / "first/options.json"]
    assert all(path.read_bytes() == content for path, content in before.items())
    assert not paid.bodies
    assert differences(reference / "first", logs / "first") == []


def test_a_ledger_that_is_not_whole_is_refused_and_left_alone(undisturbed, paid, tmp_path):
    reference, _ = undisturbed
    logs = tmp_path / "logs"
    shutil.copytree(reference / "first", logs / "first")
    path = logs / "first/ledger.sqlite"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    spoilt = path.read_bytes()[:4096] + b"\xff" * 8192 + path.read_bytes()[12288:]
    path.write_bytes(spoilt)
    output = finish(start(logs, "--resume", "first", **paid.environment), 2)
    assert str(path) in output and "Traceback" not in output
    assert path.read_bytes() == spoilt and not paid.bodies
