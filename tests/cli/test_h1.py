"""H1 from the shell on the three smoke tasks: offline model, real sandboxes."""

import csv
import json
import sqlite3
from contextlib import closing

import pytest

from tests.cli.test_runs import finish, run, start

EXPERIMENT = ["--experiment", "h1", "--memo_SHA", "claude_md,trajectory_retrieval", "--repeats", "2"]


def summary(tmp_path, name):
    return json.loads((tmp_path / "logs" / name / "summary.json").read_text())


@pytest.fixture(scope="module")
def experiment(tmp_path_factory):
    tmp_path = tmp_path_factory.mktemp("h1")
    return tmp_path, run(tmp_path, "first", *EXPERIMENT)


def test_every_task_is_paired_once_per_arm_and_repeat_and_never_in_its_own_memory(experiment):
    tmp_path, (out, _) = experiment
    folder = tmp_path / "logs" / "first"
    with open(folder / "pairs.csv", newline="") as handle:
        pairs = list(csv.DictReader(handle))
    keys = [(p["arm"], p["build"], p["task"], p["repeat"]) for p in pairs]
    assert len(keys) == len(set(keys)) == 2 * 1 * 3 * 2
    for path in folder.glob("evaluations/*/spec.json"):
        spec = json.loads(path.read_text())
        met = {task["id"] for task in spec["update_tasks"]}
        assert not met & {task["id"] for task in spec["retrieve_tasks"]}
        assert met or spec["design"] == "no_mem"
    found = summary(tmp_path, "first")
    assert (found["kind"], found["state"]) == ("h1", "done")
    assert list(found["paired"]) == ["claude_md", "trajectory_retrieval"]
    pair = found["paired"]["claude_md"]
    assert (pair["n"], pair["resolved"]["n"], pair["control"]) == (3, 3, "no_mem")
    assert found["contrasts"][-1]["control"] == "trajectory_retrieval"
    said = (
        "Primary contrast: claude_md",
        "Further: trajectory_retrieval",
        "no language model",
        "MDE",
        "McNemar",
    )
    assert all(word in out for word in said)


def test_all_arms_finish_one_half_before_any_begins_the_next(experiment):
    """By the order in which the model was first called for each run (within a half: tests/gateway/test_turns.py)."""
    tmp_path, _ = experiment
    with closing(sqlite3.connect(tmp_path / "logs/first/ledger.sqlite")) as ledger:
        rows = ledger.execute(
            "select evaluation from calls where purpose = 'act' and phase = 'retrieve' "
            "group by evaluation, task, repeat order by min(id)"
        ).fetchall()
    halves = [evaluation[-3] for (evaluation,) in rows]
    assert len(halves) == 3 * 3 * 2 and halves == sorted(halves)


def test_a_resumed_experiment_repeats_nothing(experiment):
    tmp_path, _ = experiment
    before = summary(tmp_path, "first")
    out, err = finish(start(tmp_path, "--resume", "first"))
    after = summary(tmp_path, "first")
    assert after["paired"] == before["paired"] and after["calls"] == before["calls"]
    assert "retrieve" not in err and "Primary contrast" in out


def test_the_plan_estimates_from_a_run_and_writes_nothing(experiment):
    tmp_path, _ = experiment
    before = sorted(tmp_path.rglob("*"))
    benchmark = ["--experiment", "h1", "--memo_SHA", "claude_md,trajectory_retrieval", "--builds", "2"]
    out, _ = finish(start(tmp_path, *benchmark, "--execution_model", "gpt-4o-mini", "--plan"))
    assert "54 tasks x 3 repeats x 2 builds x 3 arms = 972" in out and "USD" in out and "points" in out
    out, _ = finish(start(tmp_path, *benchmark, "--plan", "first"))
    assert "as in first" in out and "0.00 USD" in out
    assert sorted(tmp_path.rglob("*")) == before


def test_the_grouped_comparison_is_there_and_labelled(tmp_path):
    out, _ = run(
        tmp_path, "grouped", "--experiment", "h1", "--memo_SHA", "claude_md", "--grouped", "--train_size", "0",
        "--repeats", "2",
    )  # fmt: skip
    assert "UNDERPOWERED: claude_md" in out


def test_a_failing_arm_is_named_and_the_others_are_compared(tmp_path):
    design = tmp_path / "bad.py"
    design.write_text(
        "from agents.memo_structure import MemoStructure\n\n\n"
        "class Bad(MemoStructure):\n"
        "    async def general_update(self, recorder):\n        raise ValueError('cannot learn')\n\n"
        "    async def general_retrieve(self, recorder):\n        return {}\n"
    )
    tasks = ["--repeats", "1", "--tasks", "data/coding/samples.jsonl", "--result_dir", "bad"]
    process = start(tmp_path, "--experiment", "h1", "--memo_SHA", f"{design},claude_md", *tasks)
    out, _ = finish(process, code=1)
    assert "cannot learn" in out and "Further: claude_md" in out
    found = summary(tmp_path, "bad")
    assert [d["status"] for d in found["designs"]] == ["ok", "design_error", "ok"]
    assert list(found["paired"]) == ["claude_md"]
