"""H3 from the shell on a series of smoke tasks: two searches without hints, then the test half, opened once."""

import dataclasses
import json
import shutil

import pytest

import run_main
from core.design_file import resolve_design
from core.experiments import h3
from core.experiments.promises import promises_in
from core.options import MEMO_ARCHIVE, Options, UsageError
from core.records import OUTCOMES, Record
from core.report.html.page import load_report
from envs_archive.coding.tasks import Split, load_tasks
from tests.cli.series import write_series
from tests.cli.test_runs import finish, start

SPLIT = ("update", "retrieve")


def arguments(tmp_path, *more):
    tasks = write_series(tmp_path / "series.jsonl", 6)
    asked = ["--experiment", "h3", "--search_seeds", "2", "--steps", "0", "--memo_SHA", "reflexion", *more]
    return [*asked, "--tasks", str(tasks), "--train_size", "3", "--repeats", "1", "--result_dir", "first"]


@pytest.fixture(scope="module")
def experiment(tmp_path_factory):
    """A finished experiment: (folder of the logs, what it printed)."""
    tmp_path = tmp_path_factory.mktemp("h3")
    out, _ = finish(start(tmp_path, *arguments(tmp_path)))
    return tmp_path, out


def made_record(sha, **fields):
    record = Record(
        sha, sha if sha != "no_mem" else "0", "coding/x.py", None, 0, 0, "ok", reward=0.5, resolved=0.5
    )
    return {**dataclasses.asdict(record), **fields}


def archives(folder):
    return [json.loads((folder / f"searches/{number}/archive.json").read_text()) for number in (1, 2)]


def test_searches_are_independent_and_the_test_half_is_theirs_alone(experiment):
    tmp_path, _ = experiment
    folder = tmp_path / "logs/first"
    summary = json.loads((folder / "summary.json").read_text())
    assert (summary["kind"], summary["state"]) == ("h3", "done")
    one, two = summary["searches"]
    assert one["seed"] == 42 != two["seed"] and one["designs_scored"] == two["designs_scored"] == 1
    seal = json.loads((folder / "test_split.json").read_text())
    tested = set(seal["update_tasks"] + seal["retrieve_tasks"])
    winners = {one["best"], two["best"]}
    assert set(seal["designs"]) == {"no_mem", "reflexion", *winners}
    for path in folder.glob("evaluations/*/spec.json"):
        spec = json.loads(path.read_text())
        met = {task["id"] for task in spec["update_tasks"] + spec["retrieve_tasks"]}
        assert met <= tested or not met & tested
    assert [d["sha"] for d in summary["designs"]][:2] == ["no_mem", "reflexion"]
    reported = load_report(folder).standing.rows
    assert [(r.design, r.score.reward, r.score.resolved, len(r.episodes)) for r in reported] == [
        (d["sha"], d["reward"], d["resolved"], d["episodes"]) for d in summary["designs"]
    ]
    assert {e.task for r in reported for e in r.episodes} == set(seal["retrieve_tasks"])
    assert summary["paired"]["evolved against by hand"]["resolved"]["n"] == 2
    assert all(record["step"] == 0 for archive in archives(folder) for record in archive["records"])


def test_promise_and_test_stand_side_by_side_and_designs_are_taken_apart(experiment):
    tmp_path, out = experiment
    summary = json.loads((tmp_path / "logs/first/summary.json").read_text())
    for search, archive in zip(summary["searches"], archives(tmp_path / "logs/first"), strict=True):
        [best] = [r for r in archive["records"] if r["sha"] == search["best"]]
        [tested] = [d for d in summary["designs"] if d["sha"] == search["best"]]
        assert search["search_reward"] == best["reward"] and search["test_reward"] == tested["reward"]
        assert search["search_gain"] == pytest.approx(best["reward"] - search["search_control"])
    by_design = {s["design"]: s for s in summary["structure"]}
    assert set(by_design) == {"reflexion", *(s["best"] for s in summary["searches"])}
    assert by_design["reflexion"]["structure"]["layers"] == ["ReflectionLayer"]
    assert all(0 < s["similarity"] < 1 for s in by_design.values())
    said = ("gain over no_mem, search", "against the mean of 1 made by hand", "most like", "promised")
    assert all(word in out for word in said)


@pytest.fixture(scope="module")
def tested_later(experiment, tmp_path_factory):
    """The experiment's designs, tested once more beside other runs: (folder of the logs, what it printed)."""
    tmp_path = tmp_path_factory.mktemp("later")
    shutil.copytree(experiment[0], tmp_path, dirs_exist_ok=True)
    first = tmp_path / "logs/first"
    archive = json.loads((first / "searches/1/archive.json").read_text())
    odd = [{**record, "reward": "much"} for record in archive["records"]]
    for name, rows, records in (("other-tasks", 3, archive["records"]), ("odd", 6, odd), ("broken", 6, None)):
        folder = tmp_path / "logs" / name
        shutil.copytree(first / "inputs", folder / "inputs")
        shutil.copy(first / "options.json", folder)
        lines = (first / "inputs/tasks.jsonl").read_text().splitlines(keepends=True)
        (folder / "inputs/tasks.jsonl").write_text("".join(lines[:rows]))
        text = "{" if records is None else json.dumps({**archive, "records": records})
        (folder / "archive.json").write_text(text)  # all are later than the experiment
    searches = json.loads((first / "summary.json").read_text())["searches"]
    asked = ["--status", "test", "--tasks", str(tmp_path / "series.jsonl"), "--train_size", "3"]
    asked += ["--memo_SHA", ",".join(["no_mem", "reflexion", *(s["best"] for s in searches)])]
    asked += ["--batch_max_retrieve_concurrent", "1"]  # side by side, which one first makes a call is chance
    out, _ = finish(start(tmp_path, *asked, "--repeats", "1", "--result_dir", "later"))
    return tmp_path, out


def test_a_later_test_of_a_design_is_shown_beside_what_its_search_promised(tested_later):
    tmp_path, out = tested_later
    then = json.loads((tmp_path / "logs/first/summary.json").read_text())["searches"]
    later = json.loads((tmp_path / "logs/later/summary.json").read_text())["searches"]
    for search, number, expected in zip(later, (1, 2), then, strict=True):
        assert search["search"] == f"first/searches/{number}"
        assert search == {**{k: v for k, v in expected.items() if k != "seed"}, "search": search["search"]}
    assert "what searches promised of these designs, and what this test kept" in out
    assert ">first/searches/1</th>" in (tmp_path / "logs/later/report.html").read_text()
    shutil.rmtree(tmp_path / "logs/first/searches")
    finish(start(tmp_path, "--replay", "later"))


def test_a_promise_on_the_same_tasks_is_none(tested_later):
    tmp_path, _ = tested_later
    first, options = tmp_path / "logs/first", Options.load(tmp_path / "logs/later/options.json")
    shutil.copytree(first, tmp_path / "again/logs/first")
    runs, tasks = tmp_path / "again/logs", first / "inputs/tasks.jsonl"
    record = {"runs": {outcome: {"series-01": [1.0]} for outcome in OUTCOMES}}
    shutil.rmtree(runs / "first/searches", ignore_errors=True)
    archive = {"origin": 0, "records": [made_record(sha, **record) for sha in ("no_mem", "0a0a0a0a")]}

    def promises(tested, **changes):
        (runs / "first/archive.json").write_text(json.dumps(archive | changes))
        return promises_in(runs, ["0a0a0a0a"], options, tasks, tested)

    assert [p["search"] for p in promises(["series-02"])] == ["first"]
    assert promises(["series-01", "series-02"]) == []
    assert promises(["series-02"], origin=1) == []  # taken over from another run
    options = dataclasses.replace(options, execution_model="gpt-5-nano")
    assert promises(["series-02"]) == []


def test_it_is_said_where_the_test_half_was_opened_before(tested_later):
    tmp_path, _ = tested_later
    logs = tmp_path / "logs"
    split = Split(
        **{k: json.loads((logs / "first/test_split.json").read_text())[f"{k}_tasks"] for k in SPLIT}
    )
    tasks = logs / "first/inputs/tasks.jsonl"
    assert h3.openings(logs / "new", tasks, split) == ["first", "later"]
    assert h3.openings(logs / "first", tasks, split) == ["later"]
    assert h3.openings(logs / "new", tasks, Split([], ["another"])) == []
    assert json.loads((logs / "first/test_split.json").read_text())["opened"].startswith("20")


def test_controls_are_not_designs_made_by_hand(tmp_path):
    asked = [word if word != "reflexion" else "placebo:ace" for word in arguments(tmp_path)]
    _, err = finish(start(tmp_path, *asked), 2)
    assert "placebo:ace is a control" in err and not (tmp_path / "logs").exists()


def test_an_interrupted_experiment_goes_on_to_the_same_result(experiment, tmp_path):
    folder = tmp_path / "logs/first"
    shutil.copytree(experiment[0] / "logs/first", folder)
    before, calls = archives(folder), (folder / "summary.json").read_text()
    (folder / "summary.json").unlink()
    (folder / "searches/2/archive.json").unlink()
    finish(start(tmp_path, "--resume", "first"))
    assert [a["records"] for a in archives(folder)] == [a["records"] for a in before]
    now, then = json.loads((folder / "summary.json").read_text()), json.loads(calls)
    assert now["searches"] == then["searches"] and now["paired"] == then["paired"]
    assert now["calls"]["total"] == then["calls"]["total"]


def test_the_test_half_is_opened_once_and_again_only_for_the_same(tmp_path):
    made = [resolve_design(name, MEMO_ARCHIVE) for name in ("no_mem", "reflexion", "awm")]
    split = Split(["a"], ["b", "c"])
    h3.open_test_split(tmp_path, made[:2], split)
    h3.open_test_split(tmp_path, made[:2], split)
    for designs, tasks, named in (
        (made, split, "awm"),
        (made[:1], split, "reflexion"),
        (made[:2], Split(["a"], ["b"]), "other tasks"),
    ):
        with pytest.raises(UsageError, match=f"opened before.*not opened again for {named}"):
            h3.open_test_split(tmp_path, designs, tasks)
    with pytest.raises(UsageError, match="sources"):
        changed = tmp_path / "changed.py"
        changed.write_text("")
        h3.open_test_split(tmp_path, [made[0], dataclasses.replace(made[1], path=changed)], split)


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--hints", "full"], "evolution without hints"),
        (["--train_size", "6"], "leaves no task to score"),
        (["--memo_SHA", "no_mem"], "names only the control"),
        (["--orders", "2"], "--orders goes with --experiment h2"),
    ],
)
def test_what_cannot_be_searched_is_refused(tmp_path, more, message):
    args = run_main.parser().parse_args([*arguments(tmp_path), *more])
    tasks = {task.instance_id: task for task in load_tasks(args.tasks)}
    with pytest.raises(UsageError) as refused:
        options = run_main.options_from(args)
        names = [options.baseline, *(name for name in options.memo_SHA if name != options.baseline)]
        h3.check(options, tasks, [resolve_design(name, MEMO_ARCHIVE) for name in names])
    assert message in str(refused.value)


def test_the_plan_counts_searches_and_test(tmp_path):
    out, _ = finish(start(tmp_path, *arguments(tmp_path, "--plan")))
    assert "2 searches x 9 = 18 at most, and 9 on the test half (4 designs x 2 tasks x 1 repeats)" in out
    assert not (tmp_path / "logs").exists()
