"""Series: tasks after a decision start from the changed library; what a series must be; the committed ones."""

import json
import re
import sys

import pytest

import generate_dataset
from envs_archive.coding import dataset, series
from envs_archive.coding.series import check_series, decide, load_decisions
from tests.data.test_dataset import DATA, LIBRARY, TESTS, edit, run

BUGS = """- id: clubledger-01
  difficulty: easy
  family: price
  issue: Two apples are too cheap
  edits:
    - {path: shop.py, correct: "count * 3", buggy: "count + 3"}
  hidden: ["tests/test_shop.py::test_many"]
- id: clubledger-02
  difficulty: easy
  family: price
  contradicts: [clubledger-01]
  after: sale
  issue: Apples still have the old price
  edits:
    - {path: shop.py, correct: "count + 3", buggy: "count * 3"}
  hidden: ["tests/test_shop.py::test_many"]
"""
DECISIONS = """- id: sale
  edits:
    - {path: shop.py, old: "count * 3", new: "count + 3"}
    - {path: tests/test_shop.py, old: "shop.price(5) == 15", new: "shop.price(5) == 8"}
    - {path: tests/test_shop.py, old: "shop.price(2) == 6", new: "shop.price(2) == 5"}
"""


@pytest.fixture
def data(tmp_path, monkeypatch):
    """A data folder with the sources of one series of two tasks."""
    monkeypatch.setattr(series, "LENGTH", 2)
    project = tmp_path / "projects" / "longitudinal" / "clubledger"
    (project / "repo" / "tests").mkdir(parents=True)
    (project / "repo" / "shop.py").write_text(LIBRARY)
    (project / "repo" / "tests" / "test_shop.py").write_text(TESTS)
    (project / "bugs.yaml").write_text(BUGS)
    (project / "decisions.yaml").write_text(DECISIONS)
    return tmp_path


def test_a_task_after_a_decision_starts_from_the_changed_library_and_is_checked(data, capsys):
    assert run(data) == 0
    rows = [json.loads(line) for line in (data / "longitudinal.jsonl").read_text().splitlines()]
    assert [(row["family"], row["contradicts"]) for row in rows] == [
        ("price", []),
        ("price", ["clubledger-01"]),
    ]
    trees = [dataset.read_tree(data / row["repo_path"]) for row in rows]
    assert [row["repo_path"].split("/")[0] for row in rows] == ["longitudinal_repos"] * 2
    assert "count + 3" in trees[0]["shop.py"] and "== 6" in trees[0]["tests/test_shop.py"]
    assert "count * 3" in trees[1]["shop.py"] and "== 5" in trees[1]["tests/test_shop.py"]
    # Each of them undoes what the other one repairs.
    assert all(len(row["FAIL_TO_PASS"]) == 2 for row in rows)
    (data / "longitudinal_repos" / "clubledger-01" / "notes.txt").write_text("the answer\n")
    assert run(data, "--check") == 1
    assert "longitudinal_repos/clubledger-01: differs" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("file", "old", "new", "message"),
    [
        ("bugs.yaml", "after: sale", "after: nothing", "no decision 'nothing'"),
        (
            "bugs.yaml",
            "contradicts: [clubledger-01]",
            "contradicts: [clubledger-07]",
            "no earlier task of its family",
        ),
        ("bugs.yaml", "  contradicts: [clubledger-01]\n", "", "no task contradicts an earlier one"),
        ("bugs.yaml", "contradicts: [clubledger-01]", "contradicts: clubledger-01", "bad contradicts"),
        ("decisions.yaml", 'old: "count * 3"', 'old: "count - 3"', "must occur exactly once: 'count - 3'"),
        ("decisions.yaml", "== 8", "== 9", "does not pass on the correct library sale"),
        ("decisions.yaml", "old:", "correct:", "exactly path, old, new"),
        ("decisions.yaml", "- id: sale", "- id: [", "cannot be read"),
    ],
)
def test_what_is_no_series_is_refused(data, capsys, file, old, new, message):
    path = data / "projects" / "longitudinal" / "clubledger" / file
    path.write_text(path.read_text().replace(old, new))
    assert run(data) == 1
    assert message in capsys.readouterr().err
    assert not (data / "longitudinal.jsonl").exists()


def test_only_a_series_has_contradictions(data, capsys):
    folder = data / "projects" / "longitudinal" / "clubledger"
    edit(folder / "bugs.yaml", BUGS.partition("- id: clubledger-02")[0], "")
    edit(folder / "bugs.yaml", "clubledger-02", "dateutils-01")
    folder.rename(data / "projects" / "dateutils")
    assert run(data) == 1
    assert "dateutils-01: only a series has contradictions" in capsys.readouterr().err


def committed():
    for project in generate_dataset.SERIES:
        folder = DATA / "projects" / "longitudinal" / project
        yield project, folder, dataset.load_bugs(project, folder / "bugs.yaml")


@pytest.mark.parametrize(("project", "folder", "bugs"), list(committed()), ids=generate_dataset.SERIES)
def test_committed_series_give_nothing_away(project, folder, bugs):
    decisions = load_decisions(folder / "decisions.yaml")
    assert check_series(project, bugs, decisions) == []
    clean = dataset.read_tree(folder / "repo")
    libraries = {"": clean, **{name: decide(clean, edits) for name, edits in decisions.items()}}
    rows = [
        json.loads(line) for line in (DATA / "longitudinal.jsonl").read_text(encoding="utf-8").splitlines()
    ]
    for bug in bugs:
        [row] = [row for row in rows if row["instance_id"] == bug.id]
        tree = dataset.read_tree(DATA / row["repo_path"])
        planted = dataset.plant(libraries[bug.after], bug.edits)
        assert all(tree[path] == text for path, text in planted.items() if not path.startswith("tests/"))
        told = "".join(tree.values()) + row["problem_statement"]
        for node in bug.hidden:
            assert not re.search(rf"\b{node.split('::')[1]}\b", told)
        assert not any(change.correct.strip() in bug.issue for change in bug.edits)
        importable = {path.split("/")[0].removesuffix(".py") for path in tree if path.endswith(".py")}
        assert not importable & sys.stdlib_module_names
