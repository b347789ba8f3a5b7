"""H1 from the shell on the three smoke tasks: offline model, real sandboxes, one of the designs broken."""

import csv
import dataclasses
import json
import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from types import SimpleNamespace

import pytest

from core.options import Options
from core.preview import episodes_of
from envs_archive.coding.tasks import load_tasks
from tests.cli.test_runs import ROOT, finish, run, start

BROKEN = """
from agents.memo_structure import MemoStructure


class Bad(MemoStructure):
    async def general_update(self, recorder):
        raise ValueError("cannot learn")

    async def general_retrieve(self, recorder):
        return {}
"""
TASKS = ["--tasks", str(ROOT / "data/coding/samples.jsonl")]


def summary(tmp_path):
    return json.loads((tmp_path / "logs/first/summary.json").read_text())


@pytest.fixture(scope="module")
def experiment(tmp_path_factory):
    """A finished experiment: (folder of the logs, what it printed)."""
    tmp_path = tmp_path_factory.mktemp("h1")
    (tmp_path / "bad.py").write_text(BROKEN)
    arms = f"claude_md,{tmp_path / 'bad.py'},trajectory_retrieval"
    arguments = ["--experiment", "h1", "--memo_SHA", arms, "--repeats", "1", "--folds", "3", *TASKS]
    arguments += ["--result_dir", "first"]
    return tmp_path, finish(start(tmp_path, *arguments), code=1)


def test_what_is_to_come_is_known_beforehand(experiment):
    folder = experiment[0] / "logs/first"
    files = [
        p for name in ("collection", "no_mem", "claude_md") for p in folder.glob(f"evaluations/{name}_*")
    ]
    run_so_far = sum(len((path / "episodes.jsonl").read_text().splitlines()) for path in files)
    options = dataclasses.replace(Options.load(folder / "options.json"), memo_SHA=["claude_md"])
    tasks = {task.instance_id: task for task in load_tasks(folder / "inputs/tasks.jsonl")}
    projects = {name: task.project for name, task in tasks.items()}
    run = SimpleNamespace(options=options, tasks=tasks, projects=projects)
    assert episodes_of(run) == run_so_far


def test_every_task_is_paired_once_per_arm_and_never_in_its_own_memory(experiment):
    tmp_path, (out, _) = experiment
    folder = tmp_path / "logs/first"
    with open(folder / "pairs.csv", newline="") as handle:
        pairs = list(csv.DictReader(handle))
    keys = [(p["arm"], p["build"], p["task"], p["repeat"]) for p in pairs]
    assert len(keys) == len(set(keys)) == 2 * 3
    for path in folder.glob("evaluations/*/spec.json"):
        spec = json.loads(path.read_text())
        met = {task["id"] for task in spec["update_tasks"]}
        assert not met & {task["id"] for task in spec["retrieve_tasks"]}
        if spec["retrieve_tasks"]:
            assert len(met) == (0 if spec["design"] == "no_mem" else 2)
        assert spec["interleaved"]
    found = summary(tmp_path)
    assert (found["kind"], found["state"]) == ("h1", "done")
    pair = found["paired"]["claude_md"]
    assert (pair["n"], pair["resolved"]["n"], pair["control"]) == (3, 3, "no_mem")
    said = ("Primary contrast: claude_md", "Further: trajectory_retrieval", "no language model", "McNemar")
    assert all(word in out for word in said)


def test_a_failing_arm_is_named_and_the_others_are_compared(experiment):
    tmp_path, (out, _) = experiment
    assert "cannot learn" in out
    found = summary(tmp_path)
    assert [d["status"] for d in found["designs"]] == ["ok", "ok", "design_error", "ok"]
    assert list(found["paired"]) == ["claude_md", "trajectory_retrieval"]
    assert [c["control"] for c in found["contrasts"]] == ["no_mem", "no_mem", "trajectory_retrieval"]


def test_all_arms_finish_one_fold_before_any_begins_the_next(experiment):
    """By the order in which the model was first called for each run (within a fold: tests/gateway/test_turns.py)."""
    tmp_path, _ = experiment
    with closing(sqlite3.connect(tmp_path / "logs/first/ledger.sqlite")) as ledger:
        rows = ledger.execute(
            "select evaluation from calls where purpose = 'act' and phase = 'retrieve' "
            "group by evaluation, task, repeat order by min(id)"
        ).fetchall()
    folds = [evaluation[-3] for (evaluation,) in rows]
    assert len(folds) == 3 * 3 and folds == sorted(folds) and len(set(folds)) == 3


@pytest.mark.parametrize(("more", "episodes"), [([], 2 * 3 + 12), (["--fresh_collection"], 2 * 6 + 12)])
def test_what_it_is_expected_to_cost_counts_its_builds(tmp_path, more, episodes):
    """Three tasks are scored in two builds and arms; they are learned from once a build, or by the arm that learns in
    each part from the two others."""
    asked = [
        "--experiment",
        "h1",
        "--memo_SHA",
        "claude_md",
        "--repeats",
        "1",
        "--builds",
        "2",
        *more,
        *TASKS,
    ]
    asked += ["--folds", "3", "--max_tokens", "1", "--result_dir", "first"]
    out, err = finish(start(tmp_path, *asked), code=3)
    assert f"for 2 designs ({episodes} episodes" in " ".join((out + err).split())


def test_a_resumed_experiment_repeats_nothing(experiment):
    tmp_path, _ = experiment
    before = summary(tmp_path)
    out, err = finish(start(tmp_path, "--resume", "first"), code=1)
    after = summary(tmp_path)
    assert after["paired"] == before["paired"] and after["calls"] == before["calls"]
    assert "retrieve" not in err and "Primary contrast" in out


def test_the_plan_estimates_from_a_run_and_writes_nothing(experiment):
    tmp_path, _ = experiment

    def files():
        return {
            p: p.stat().st_mtime_ns
            for p in (tmp_path / "logs").rglob("*")
            if p.is_file() and "sqlite" not in p.name
        }

    before = files()
    benchmark = ["--experiment", "h1", "--memo_SHA", "claude_md,trajectory_retrieval", "--builds", "2"]
    out, _ = finish(start(tmp_path, *benchmark, "--execution_model", "gpt-4o-mini", "--plan"))
    assert "54 tasks x 3 repeats x 2 builds x 3 arms = 972" in out and "USD" in out and "points" in out
    assert "memory of the other half" in out and "216 of memories" in out
    out, _ = finish(start(tmp_path, *benchmark, "--folds", "10", "--plan"))
    assert "memory of the other 9 of 10 parts" in out and "1944 of memories" in out
    out, _ = finish(start(tmp_path, *benchmark, "--plan", "first"))
    assert "as in first" in out and "0.00 USD" in out
    assert files() == before


def test_without_its_control_nothing_is_claimed_on_part_of_the_tasks(tmp_path):
    (tmp_path / "bad.py").write_text(BROKEN)
    asked = ["--experiment", "h1", "--baseline", str(tmp_path / "bad.py"), "--memo_SHA", "no_mem"]
    out, _ = finish(start(tmp_path, *asked, "--repeats", "1", *TASKS, "--result_dir", "first"), code=1)
    control, arm = summary(tmp_path)["designs"]
    assert (control["status"], arm["status"]) == ("design_error", "unfinished")
    assert arm["reward"] is arm["resolved"] is None and arm["episodes"] == 0
    assert "the control, failed: nothing can be compared" in arm["error"] and arm["error"] in out
    finish(start(tmp_path, "--report", "first"))
    page_html = (tmp_path / "logs/first/report.html").read_text()
    assert "the control, failed: nothing can be compared" in page_html and "no_mem resolves" not in page_html


def test_the_grouped_comparison_is_there_and_labelled(tmp_path):
    split = ["--grouped", "--status", "test", "--train_size", "0", "--repeats", "2"]
    out, _ = run(tmp_path, "grouped", "--experiment", "h1", "--memo_SHA", "claude_md", *split)
    assert "UNDERPOWERED: claude_md" in out


def test_arms_of_the_memory_check_differ_in_what_they_remember(tmp_path):
    """Its arms have names of their own: ``other`` wraps a design that is not found by that name."""
    (tmp_path / "env").touch()
    clean = {name: value for name, value in os.environ.items() if not name.startswith("OPENAI")}
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "tests.bench.memory_effect",
            *TASKS,
            "--repeats",
            "1",
            "--result_dir",
            "first",
        ],
        cwd=ROOT,
        env=clean | {"LOG_DIR": str(tmp_path / "logs"), "DOTENV_PATH": str(tmp_path / "env")},
        capture_output=True,
        text=True,
        timeout=180,
    )
    assert done.returncode == 0, done.stderr
    arms = {d["sha"]: d for d in summary(tmp_path)["designs"]}
    assert {name: arm["status"] for name, arm in arms.items()} == dict.fromkeys(arms, "ok")
    none, own, other, oracle = (arms[name]["memory_tokens"] for name in ("none", "own", "other", "oracle"))
    assert none == 0 and own > 0 and other > 0 and oracle > 0
