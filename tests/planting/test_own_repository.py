"""Tasks out of a small repository, in real sandboxes: from the flags to a file that a run can take."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from small_library import TEST_STOCK, flat, src_layout, write

import generate_dataset
from envs_archive.coding.grading import changes_from_patch, grade, grading_limits
from envs_archive.coding.grading_rooms import GradingRooms
from envs_archive.coding.planting import baseline
from envs_archive.coding.planting.issue_text import gives_away
from envs_archive.coding.planting.making import Request, make_tasks
from envs_archive.coding.planting.repository import fingerprint
from envs_archive.coding.tasks import load_tasks
from envs_archive.coding.workspace import prepare_base
from envs_archive.coding_envs import load_config
from evals.utils.sandbox import probe

ROOT = Path(__file__).resolve().parents[2]
BENCHMARK = json.loads((ROOT / "data/coding/tasks.jsonl").read_text(encoding="utf-8").partition("\n")[0])


def command(folder: Path, *arguments: object) -> subprocess.CompletedProcess[str]:
    line = [sys.executable, ROOT / "generate_dataset.py", *map(str, arguments)]
    clean = {name: value for name, value in os.environ.items() if not name.startswith("OPENAI")}
    return subprocess.run(line, cwd=folder, env=clean, capture_output=True, text=True, timeout=300)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """(repository, its fingerprint before, request, report, rows) of a flat layout with odd tests."""
    root = tmp_path_factory.mktemp("flat")
    repository = flat(root / "shop-1.2")
    before = fingerprint(repository)
    request = Request(repository, tasks=6, out=root / "shop.jsonl", seed=3, length=6)
    patch = pytest.MonkeyPatch()
    patch.setattr(baseline, "SLOW_TEST_S", 0.4)
    try:
        report, rows = asyncio.run(make_tasks(request, probe("auto"), lambda line: None))
    finally:
        patch.undo()
    return repository, before, request, report, rows


def test_rows_are_those_of_the_benchmark(made):
    _, _, request, _, rows = made
    assert len(rows) == 6
    assert all(row.keys() == BENCHMARK.keys() for row in rows)
    tasks = load_tasks(request.out)
    assert [task.instance_id for task in tasks] == [f"shop-{n:02}" for n in range(1, 7)]
    assert all(task.fail_to_pass and task.pass_to_pass for task in tasks)
    assert {row["difficulty"] for row in rows} <= {"easy", "medium", "hard"}


def test_the_repository_is_as_it_was(made):
    repository, before, _, _, _ = made
    assert fingerprint(repository) == before


def test_only_the_bug_and_hidden_tests_differ(made):
    repository, _, request, _, rows = made
    for row in rows:
        tree = request.trees / row["instance_id"]
        different = {
            path.relative_to(tree).as_posix()
            for path in tree.rglob("*.py")
            if path.read_text() != (repository / path.relative_to(tree)).read_text()
        }
        named = {
            line[6:] for line in (row["patch"] + row["test_patch"]).splitlines() if line.startswith("+++ b/")
        }
        assert different == named


def test_tests_that_cannot_be_relied_on_are_left_out_and_reported(made):
    _, _, _, report, rows = made
    reasons = {reason: set(tests) for reason, tests in report.left_out.items()}
    assert reasons["failing before any change"] == {"tests/test_odd.py::test_wrong"}
    assert "tests/test_odd.py::test_second" in reasons["not the same in every run and order"]
    assert reasons["slower than 0.4 s"] == {"tests/test_odd.py::test_long"}
    assert reasons["not collected"] == {"tests/test_uncollected.py"}
    expected = {test for row in rows for test in row["FAIL_TO_PASS"] + row["PASS_TO_PASS"]}
    useless = ("::test_wrong", "::test_second", "::test_long", "::test_nothing")
    assert not any(test.endswith(useless) for test in expected)


def test_bugs_differ_and_are_spread(made):
    _, _, request, report, rows = made
    assert len({tuple(row["FAIL_TO_PASS"]) for row in rows}) == 6
    records = json.loads(request.report.read_text())["records"]
    assert records.keys() == {row["instance_id"] for row in rows}
    places = {place for record in records.values() for place in record["places"]}
    assert len(places) >= 4 and {place.partition(":")[0] for place in places} == {
        "shop/text.py",
        "shop/stock.py",
    }
    assert any(record["hidden"] for record in records.values())
    assert report.tried >= sum(report.rejected.values()) >= 0


def test_issues_tell_the_behaviour_and_not_the_bug(made):
    _, _, _, _, rows = made
    for row in rows:
        text = row["problem_statement"]
        assert gives_away(text, row["patch"]) is None
        assert ".py" not in text and "test_" not in text
        assert any(word in text for word in ("xpected", "Error", "raised", "hold"))


def test_a_series_comes_back_to_modules(made):
    _, _, _, report, rows = made
    met, back = set(), 0
    for row in rows:
        modules = {place.partition(":")[0] for place in report.records[row["instance_id"]]["places"]}
        back += bool(modules & met)
        met |= modules
    assert back >= 4
    assert any(f"Series of 6: {back} touch" in note for note in report.notes)


def test_an_agent_sees_the_failure_and_its_fix_is_graded(tmp_path):
    """Layout src/, not installed: the command of the task fails for the bug, and only for it."""
    repository = src_layout(tmp_path / "shop")
    out = tmp_path / "away" / "tasks.jsonl"
    out.parent.mkdir()
    done = command(tmp_path, "--repo", "shop", "--tasks", 2, "--out", "away/tasks.jsonl", "--seed", 1)
    assert done.returncode == 0, done.stderr
    assert "tried" in done.stdout and "2 tasks" in done.stdout
    assert sorted(path.name for path in repository.parent.iterdir()) == ["away", "shop"]
    tasks = load_tasks(out)
    assert all(task.repo_path.is_relative_to(out.parent) for task in tasks)

    async def graded():
        rooms = GradingRooms(probe("auto"), grading_limits(load_config()))
        try:
            for task in tasks:
                base = await prepare_base(task, tmp_path / "bases" / task.instance_id)
                idle = await grade(task, base, {}, rooms)
                solved = await grade(task, base, await changes_from_patch(base, task.patch), rooms)
                assert (idle.error, idle.f2p_rate, idle.p2p_rate) == (None, 0.0, 1.0)
                assert (solved.error, solved.resolved, solved.flags) == (None, True, [])
        finally:
            await rooms.close()

    asyncio.run(graded())
    again = command(tmp_path, "--repo", "shop", "--tasks", 2, "--out", "away/again.jsonl", "--seed", 1)
    assert again.returncode == 0, again.stderr
    first, second = out.read_text(), (out.parent / "again.jsonl").read_text()
    assert second.replace("again_repos", "tasks_repos") == first


NO_TESTS = {"shop/__init__.py": "", "shop/a.py": "x = 1\n"}
REFUSALS = {
    "not there": (None, "no such directory"),
    "not Python": ({"README": "hello\n"}, "no Python project"),
    "a bare repository": ({"HEAD": "ref: refs/heads/main\n", "objects/x": ""}, "--from_git"),
    "only tests": ({"tests/test_a.py": "def test_a():\n    pass\n"}, "only tests and scripts"),
    "other line ends": ({"shop.py": "x = 1\r\n", "test_a.py": "def test_a():\n    pass\n"}, "line ends"),
    "no tests": (NO_TESTS, "no tests found"),
    "a dependency is missing": (
        NO_TESTS | {"tests/test_a.py": "import no_such_library\n"},
        "no_such_library",
    ),
    "a conftest needs it": (
        NO_TESTS | {"conftest.py": "import no_such_library\n", "test_a.py": "def test_a():\n    pass\n"},
        "no_such_library",
    ),
    "all tests fail": (
        NO_TESTS | {"tests/test_a.py": "def test_a():\n    assert 0\n"},
        "make them pass first",
    ),
}


@pytest.mark.parametrize("case", REFUSALS)
def test_refusals_are_one_line_and_write_nothing(tmp_path, case, monkeypatch, capsys):
    files, said = REFUSALS[case]
    for name, text in (files or {}).items():
        (tmp_path / "lib" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "lib" / name).write_bytes(text.encode())
    monkeypatch.chdir(tmp_path)
    assert generate_dataset.main(["--repo", "lib", "--out", "tasks.jsonl"]) == 2
    assert said in capsys.readouterr().err.splitlines()[-1]
    assert [path.name for path in tmp_path.iterdir() if path.name != "lib"] == []


def test_flags_that_cannot_be(tmp_path, monkeypatch, capsys):
    write(tmp_path / "lib", NO_TESTS | {"tests/test_stock.py": TEST_STOCK})
    (tmp_path / "old.jsonl").write_text("")
    cases = [
        (["--repo", "lib", "--out", "old.jsonl"], "exists"),
        (["--repo", "lib", "--out", "lib/new.jsonl"], "inside the repository"),
        (["--repo", "lib", "--test_cmd", "make test"], "run of pytest"),
        (["--repo", "lib", "--from_git"], "no git history"),
        (["--repo", "lib", "--model", "offline"], "writes no prose"),
        (["--from_git"], "--repo"),
    ]
    monkeypatch.chdir(tmp_path)
    for flags, said in cases:
        try:
            code = generate_dataset.main(flags)
        except SystemExit as ended:
            code = ended.code
        told = capsys.readouterr().err
        assert (code, said in told.splitlines()[-1]) == (2, True), (flags, told)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["lib", "old.jsonl"]


def test_a_kill_leaves_nothing_behind(tmp_path):
    src_layout(tmp_path / "lib")
    line = [sys.executable, ROOT / "generate_dataset.py", "--repo", "lib", "--out", "tasks.jsonl"]
    with subprocess.Popen(line, cwd=tmp_path, stderr=subprocess.PIPE, text=True) as running:
        assert "can be relied on" in running.stderr.readline()
        running.terminate()
        told = running.stderr.read()
    assert (running.returncode, told.splitlines()[-1]) == (
        130,
        "generate_dataset.py: interrupted; nothing was written",
    )
    assert [path.name for path in tmp_path.iterdir()] == ["lib"]
