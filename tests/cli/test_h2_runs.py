"""H2 from the shell on a series of smoke tasks: offline model, real sandboxes, one of the designs broken."""

import dataclasses
import json
import signal
import sqlite3
import time
from contextlib import closing
from types import SimpleNamespace

import pytest

import run_main
from core.design_file import resolve_design
from core.experiments import h2
from core.experiments.h2 import AGAIN, WINDOW, orders
from core.experiments.stream import curves, read_stream
from core.options import MEMO_ARCHIVE, Options, UsageError
from core.preview import episodes_of
from core.report.html.page import load_report
from core.saved_memory import evaluations_of
from envs_archive.coding.tasks import load_tasks
from tests.cli.series import DATA, write_series
from tests.cli.test_h1_runs import BROKEN
from tests.cli.test_runs import finish, start

TASKS = [f"smoke-{i}" for i in range(5)]


def arguments(tmp_path, name="first"):
    tasks = write_series(tmp_path / "series.jsonl", len(TASKS))
    (tmp_path / "bad.py").write_text(BROKEN)
    arms = f"raw_last,{tmp_path / 'bad.py'}"
    asked = ["--experiment", "h2", "--project", "smoke", "--memo_SHA", arms, "--orders", "2"]
    return [*asked, "--tasks", str(tasks), "--result_dir", name]


@pytest.fixture(scope="module")
def experiment(tmp_path_factory):
    """An experiment that was killed and went on: (its folder, what it printed, episodes finished before the kill)."""
    tmp_path = tmp_path_factory.mktemp("h2")
    folder = tmp_path / "logs/first"
    process = start(tmp_path, *arguments(tmp_path))
    deadline = time.monotonic() + 120
    while len(before := episodes(folder)) < 5:
        assert time.monotonic() < deadline and process.poll() is None
        time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    out, _ = finish(start(tmp_path, "--resume", "first"), code=1)
    return folder, out, before


def episodes(folder):
    """What is finished: trajectory, memory and outcome by evaluation, task and repeat."""
    found = {}
    for path in folder.glob("evaluations/*/episodes.jsonl"):
        for line in path.read_text().split("\n")[:-1]:
            e = json.loads(line)
            key = path.parent.name, e["task"], e["repeat"]
            found[key] = (e["trajectory"], e["memory_retrieved"], e["resolved"])
    return found


def test_both_arms_go_through_the_same_orders_and_learn_on_from_their_own_runs(experiment):
    folder, *_ = experiment
    steps = read_stream(folder / "stream.csv")
    for number, (seed, order) in enumerate(orders(TASKS, 42, 2), 1):
        for arm in ("no_mem", "raw_last"):
            own = [s for s in steps if (s.arm, s.order, s.part) == (arm, number, "stream")]
            assert [s.task for s in sorted(own, key=lambda s: s.position)] == order
            spec = json.loads((folder / f"evaluations/{arm}_order{number}_1/spec.json").read_text())
            assert (spec["seed"], spec["rollout"], spec["update_tasks"]) == (seed, "sequential", [])
        mine = [s for s in steps if (s.arm, s.order, s.part) == ("raw_last", number, "stream")]
        tokens = [s.memory_tokens for s in sorted(mine, key=lambda s: s.position)]
        assert tokens[0] == 0 and max(tokens[1:]) > 0  # it begins with nothing and has something later
    assert {s.memory_tokens for s in steps if s.arm == "no_mem"} == {0}


def test_no_arm_runs_ahead_of_the_other(experiment):
    """By the order in which the model was first called for each task."""
    folder, *_ = experiment
    with closing(sqlite3.connect(folder / "ledger.sqlite")) as ledger:
        rows = ledger.execute(
            "select evaluation, task from calls where purpose = 'act' and evaluation like '%order%' "
            "group by evaluation, task order by min(id)"
        ).fetchall()
    for number, (_, order) in enumerate(orders(TASKS, 42, 2), 1):
        reached = dict.fromkeys((f"no_mem_order{number}_1", f"raw_last_order{number}_1"), -1)
        for evaluation, task in rows:
            if evaluation in reached:
                reached[evaluation] = order.index(task)
                assert abs(max(reached.values()) - min(reached.values())) <= WINDOW + 1
        assert set(reached.values()) == {len(TASKS) - 1}


def test_what_is_to_come_is_known_beforehand(experiment):
    folder, *_ = experiment
    whole = [s for s in read_stream(folder / "stream.csv") if s.arm in ("no_mem", "raw_last")]
    options = dataclasses.replace(Options.load(folder / "options.json"), memo_SHA=["raw_last"])
    tasks = dict.fromkeys(TASKS)
    assert episodes_of(SimpleNamespace(options=options, tasks=tasks)) == len(whole)


def test_first_tasks_are_asked_again_with_the_memory_of_all_others(experiment):
    folder, *_ = experiment
    steps = [s for s in read_stream(folder / "stream.csv") if s.part == "again"]
    assert {s.arm for s in steps} == {"raw_last"} and len(steps) == 2 * AGAIN
    for number, (_, order) in enumerate(orders(TASKS, 42, 2), 1):
        assert sorted(s.task for s in steps if s.order == number) == sorted(order[:AGAIN])
        spec = json.loads((folder / f"evaluations/raw_last_revisit{number}_1/spec.json").read_text())
        assert [task["id"] for task in spec["update_tasks"]] == order and spec["rollout"] == "batched"
    asked = folder / "evaluations/raw_last_revisit1_1/episodes.jsonl"
    for line in asked.read_text().splitlines():
        episode = json.loads(line)  # no memory holds the task that it is asked about
        assert episode["init"]["problem_statement"].strip() not in json.dumps(episode["memory_retrieved"])


def test_the_result_has_its_curve_its_figures_and_its_sentences(experiment):
    folder, out, _ = experiment
    summary = json.loads((folder / "summary.json").read_text())
    assert (summary["kind"], summary["state"], summary["project"]) == ("h2", "done", "smoke")
    assert [d["status"] for d in summary["designs"]] == ["ok", "ok", "design_error"]
    steps = read_stream(folder / "stream.csv")
    assert [c["mean"] for c in summary["curve"]] == [
        c.mean for value in ("resolved", "reward") for c in curves(steps, value)
    ]
    reported = load_report(folder).standing.rows
    assert [
        (r.design, r.score and r.score.reward, r.score and r.score.resolved, r.score and len(r.episodes))
        for r in reported
    ] == [(d["sha"], d["reward"], d["resolved"], d["episodes"] or None) for d in summary["designs"]]
    found = summary["paired"]["raw_last"]
    assert found["control"] == "no_mem" and len(found["resolved"]["rise"]["by_order"]) == 2
    assert found["resolved"]["n"] == 5 and sum(g["runs"] for g in found["groups"]) == 10
    assert found["again"]["runs"] == 2 * AGAIN
    assert all((folder / f"figures/h2_stream.{kind}").stat().st_size > 5000 for kind in ("png", "svg"))
    said = (
        "cannot learn",
        "Primary: raw_last resolves",
        "nothing follows for others",
        "no series",
    )
    assert all(word in out for word in said)


def test_what_is_exported_is_the_memory_of_a_whole_stream(experiment):
    folder, *_ = experiment
    assert evaluations_of(folder, "raw_last")[0].name == "raw_last_order1_1"


def test_a_killed_experiment_goes_on_with_what_it_had(experiment):
    folder, _, before = experiment
    after = episodes(folder)
    assert len(before) >= 5 and all(after[key] == episode for key, episode in before.items())
    with closing(sqlite3.connect(folder / "ledger.sqlite")) as ledger:
        [(twice,)] = ledger.execute(
            "select count(*) from (select 1 from calls where status = 'ok' "
            "group by scope_key, request_hash, occurrence having count(*) > 1)"
        ).fetchall()
    assert twice == 0


def refusal(*more):
    args = ["--experiment", "h2", "--memo_SHA", "claude_md", "--result_dir", "never", *more]
    tasks = {task.instance_id: task for task in load_tasks(DATA / "longitudinal.jsonl")}
    with pytest.raises(UsageError) as refused:
        options = run_main.options_from(run_main.parser().parse_args(args))
        h2.select(options, tasks)
        names = [options.baseline, *(name for name in options.memo_SHA if name != options.baseline)]
        h2.check(options, [resolve_design(name, MEMO_ARCHIVE) for name in names])
    return str(refused.value)


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ([], "needs --project: one of clubledger, probelog"),
        (["--project", "nothing"], "no project nothing: choose one of clubledger, probelog"),
        (["--project", "probelog", "--builds", "2"], "--builds goes with --experiment h1"),
        (["--project", "probelog", "--search_seeds", "2"], "--search_seeds goes with --experiment h3"),
        (["--project", "probelog", "--memo_SHA", "no_mem"], "names only the control"),
        (["--project", "probelog", "--memo_SHA", "other_project:claude_md"], "a series has one"),
    ],
)
def test_what_cannot_be_a_series_is_refused(more, message):
    assert message in refusal(*more)


def test_the_plan_counts_the_runs_and_starts_none(tmp_path):
    asked = [*arguments(tmp_path, "planned"), "--plan"]
    out, _ = finish(start(tmp_path, *asked))
    assert "5 tasks x 2 orders x 1 repeats x 3 arms = 30, and 16 of first tasks asked again" in out
    assert "smallest rise" in out and not (tmp_path / "logs").exists()


def test_without_its_control_nothing_is_claimed_on_part_of_the_orders(tmp_path):
    """One order at a time, so that the control fails in the first one and the second is not begun."""
    tasks = write_series(tmp_path / "series.jsonl", 3)
    (tmp_path / "bad.py").write_text(BROKEN)
    asked = [
        "--experiment",
        "h2",
        "--project",
        "smoke",
        "--baseline",
        str(tmp_path / "bad.py"),
        "--orders",
        "2",
    ]
    asked += ["--memo_SHA", "no_mem", "--tasks", str(tasks), "--repeats", "1", "--result_dir", "first"]
    out, _ = finish(start(tmp_path, *asked, "--batch_max_retrieve_concurrent", "2"), code=1)
    control, arm = json.loads((tmp_path / "logs/first/summary.json").read_text())["designs"]
    assert (control["status"], arm["status"], arm["reward"]) == ("design_error", "unfinished", None)
    assert "the control, failed: nothing can be compared" in arm["error"] and arm["error"] in out
