from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.gateway.ledger import create_ledger
from core.memo_manager import Memo_Manager
from core.pareto import best_design, design_points, design_worth, front, fronts
from core.records import Record
from core.report import tables
from core.run import Run

from .conftest import evolve, open_archive


@settings(max_examples=60, deadline=None)
@given(st.dictionaries(st.text(max_size=3), st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=1))
def test_the_front_dominates_all_others_and_none_of_its_own(points):
    found = front(points)
    assert found

    def dominates(a, b):
        return a[0] >= b[0] and a[1] <= b[1] and a != b

    for name, point in points.items():
        dominated = any(dominates(points[other], point) for other in found)
        assert dominated == (name not in found)


def test_a_point_for_ten_times_the_tokens_is_visible_as_such(tmp_path: Path, capsys):
    archive = Memo_Manager(tmp_path, tmp_path)
    for sha, reward, tokens in (
        ("no_mem", 0.6, 0),
        ("short", 0.7, 200),
        ("long", 0.71, 2000),
        ("bad", 0.65, 900),
    ):
        runs = {
            "reward": {f"t{i}": [reward + 0.02 * (i % 3)] for i in range(6)},
            "memory_tokens": {f"t{i}": [tokens] for i in range(6)},
        }
        archive.records.append(
            Record(sha, sha, "x", None, 0, 0, "ok", reward=reward, resolved=0.5, runs=runs, tasks=6)
        )
    archive.records.append(Record("old", "old", "x", None, 0, 0, "ok", reward=0.9, resolved=0.5))
    assert front(design_points(archive.records)) == {"no_mem", "short", "long"}
    tables.archive(archive, "title", [])
    rows = {line.split("│")[1].strip(): line for line in capsys.readouterr().out.splitlines() if "│" in line}
    assert rows["short"].count("*") == rows["long"].count("*") == 1 and "*" not in rows["bad"] + rows["old"]
    assert "2000" in rows["long"]


@settings(max_examples=60, deadline=None)
@given(st.dictionaries(st.text(max_size=3), st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=1))
def test_each_front_is_the_front_of_what_the_ones_before_left(points):
    numbers = fronts(points)
    assert set(numbers) == set(points)
    for number in range(max(numbers.values()) + 1):
        left = {name: points[name] for name, own in numbers.items() if own >= number}
        assert front(left) == {name for name, own in numbers.items() if own == number}


def records(*designs: tuple[str, float, float, float | None], spread: float = 0.02) -> list[Record]:
    """Designs of (name, reward, tokens of memory, USD of a run) on twelve tasks, with chance that sums to nothing."""
    made = []
    for rank, (sha, reward, tokens, usd) in enumerate(designs):
        noise = [spread * (2 * ((5 * task + 3 * rank) % 12) - 11) / 5 for task in range(12)]
        runs = {
            "reward": {f"t{i:02}": [reward + 0.02 * (i % 3) + n] for i, n in enumerate(noise)},
            "resolved": {f"t{i:02}": [0.0] for i in range(12)},
            "memory_tokens": {f"t{i:02}": [tokens] for i in range(12)},
        }
        scored = {"reward": reward, "resolved": 0.0, "runs": runs, "tasks": 12, "usd": usd}
        made.append(Record(sha, sha, "x", None, 0, 0, "ok", **scored))
    return made


NONE, EMPTY = ("no_mem", 0.6, 0, 0.02), ("empty", 0.6, 0, 0.02)


def test_a_search_for_few_tokens_takes_the_whole_front_for_equals_and_silence_for_no_gain():
    made = records(NONE, EMPTY, ("short", 0.8, 200, None), ("long", 0.9, 2000, None), ("bad", 0.7, 900, None))
    worth = design_worth(made, "tokens")
    assert worth["short"] == worth["long"] == 0.0
    assert worth["bad"] < 0 and worth["empty"] < 0
    assert design_worth(made, "reward")["long"] > design_worth(made, "reward")["short"]


def test_what_the_agent_saves_counts_in_the_cost_of_a_design():
    made = records(NONE, ("saves", 0.8, 900, 0.01), ("dear", 0.8, 100, 0.05), ("unknown", 0.9, 100, None))
    points = design_points(made, "cost")
    assert set(points) == {"no_mem", "saves", "dear"} and points["saves"][1] == 0.01
    worth = design_worth(made, "cost")
    assert worth["saves"] == 0.0 > worth["dear"] > worth["unknown"]


def test_the_design_named_is_the_cheapest_that_cannot_be_told_from_the_best():
    clear = records(NONE, ("cheap", 0.7, 100, 0.03), ("good", 0.9, 2000, 0.04), spread=0.002)
    close = records(NONE, ("cheap", 0.895, 100, 0.03), ("good", 0.9, 2000, 0.02), spread=0.05)
    assert best_design(clear, "tokens").sha == best_design(clear, "reward").sha == "good"
    assert best_design(close, "tokens").sha == "cheap"
    assert best_design(close, "cost").sha == "good"
    assert best_design(close, "tokens", among={"good"}).sha == "good"
    assert best_design([], "tokens") is None
    alike = records(NONE, ("idle", 0.6, 50, None), ("good", 0.602, 200, None), spread=0.05)
    assert best_design(alike, "tokens").sha == "good"  # no memory beats the other, which is cheaper
    assert best_design(alike[:2], "tokens").sha == "idle"


def test_an_archive_that_kept_no_runs_is_judged_by_its_scores():
    old = [
        Record(sha, sha, "x", None, 0, 0, "ok", reward=r, resolved=0.1) for sha, r in (("a", 0.5), ("b", 0.7))
    ]
    assert best_design(old, "tokens").sha == "b"
    assert design_worth(old, "reward") == {"a": 0.5, "b": 0.7}


@pytest.mark.parametrize("objective", ["tokens", "cost"])
def test_an_evolution_by_price_is_the_same_at_any_concurrency_and_keeps_what_it_chose_by(tmp_path, objective):
    def usd(sha: str, modes: object = None) -> float:
        return 0.01 + 0.01 * (sum(map(ord, sha)) % 7)

    options = {"selection": "rank", "objective": objective, "usd_of_run": usd}
    archive = open_archive(tmp_path, "one")
    assert evolve(archive, None, 1, 4, **options) == evolve(
        open_archive(tmp_path, "two"), None, 3, 4, **options
    )
    for record in archive.records:
        assert record.usd == (round(usd(record.sha), 8) if objective == "cost" else None)


def test_the_cost_of_a_run_is_that_of_its_evaluations_without_the_examination(tmp_path):
    ledger = create_ledger(tmp_path / "ledger.sqlite")
    calls = [
        ("aaaa_eval_1", "update", "u1", 1, 0.30),
        ("aaaa_eval_1", "retrieve", "t1", 1, 0.10),
        ("aaaa_eval_1", "retrieve", "t1", 1, 0.10),
        ("aaaa_eval_1", "retrieve", "t1", 2, 0.10),
        ("aaaa_confirm_1", "update", "u1", 1, 0.30),
        ("aaaa_confirm_1", "retrieve", "t1", 1, 0.20),
        ("aaaa_test_1", "retrieve", "t1", 1, 9.0),
        ("bbbb_eval_1", "retrieve", "t1", 1, 9.0),
        ("cccc_eval_1", "retrieve", "t1", 1, None),
    ]
    columns = "time, scope_key, request_hash, occurrence, purpose, model, provider, prompt_tokens, completion_tokens"
    columns += ", cached_tokens, reasoning_tokens, latency_s, retries, status, request, response"
    for evaluation, phase, task, repeat, usd in calls:
        ledger.execute(
            f"INSERT INTO calls ({columns}, design, evaluation, phase, task, repeat, usd) VALUES "
            "(0, '', '', 0, 'act', 'm', 'p', 1, 1, 0, 0, 0, 0, 'ok', '', '', ?, ?, ?, ?, ?, ?)",
            (evaluation[:4], evaluation, phase, task, repeat, usd),
        )
    ledger.commit()
    options = SimpleNamespace(
        status="train", train_size=4, repeats=2, update_task=None, load_memory=None, update_size=None
    )
    tasks = {f"t{i}": None for i in range(6)}  # of four, two are for learning and two are scored
    ledger_path = tmp_path / "ledger.sqlite"
    run = SimpleNamespace(gateway=SimpleNamespace(ledger_path=ledger_path), options=options, tasks=tasks)
    assert Run.usd_of_run(run, "aaaa", ["eval"]) == pytest.approx(0.30 / 2 + 0.30 / 4)
    # Learned twice, in parts of one scoring: the price of once.
    assert Run.usd_of_run(run, "aaaa", ["eval", "confirm"]) == pytest.approx(0.50 / 3 + 0.30 / 4)
    assert Run.usd_of_run(run, "cccc", ["eval"]) is None and Run.usd_of_run(run, "dddd", ["eval"]) is None
