"""The benchmark generator on tiny projects, and the rules that the committed benchmark keeps."""

from __future__ import annotations

import asyncio
import collections
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import generate_dataset
from envs_archive.coding import dataset
from envs_archive.coding.tasks import load_tasks
from envs_archive.coding.workspace import prepare_base

ROOT = Path(__file__).resolve().parents[2]
DATA = ROOT / "data" / "coding"
ROWS = [json.loads(line) for line in (DATA / "tasks.jsonl").read_text(encoding="utf-8").splitlines()]

LIBRARY = '''"""Shop."""


def price(count):
    """Price of some apples."""
    return count * 3


def label(name):
    """Name on the shelf."""
    return name.upper()
'''
TESTS = """import shop


def test_label():
    assert shop.label("a") == "A"


# The case that a patch written for one apple only misses.
def test_many():
    assert shop.price(5) == 15


def test_two():
    assert shop.price(2) == 6
"""
BUG = """- id: calc_bug
  difficulty: easy
  family: one-off
  issue: |
    Two apples are too cheap
  edits:
    - {path: shop.py, correct: "count * 3", buggy: "count + 3"}
  hidden: ["tests/test_shop.py::test_many"]
"""


def make_sources(data: Path) -> None:
    """One project, which fills the place of the first smoke task."""
    project = data / "projects" / "samples" / "calc_bug"
    (project / "repo" / "tests").mkdir(parents=True)
    (project / "repo" / "shop.py").write_text(LIBRARY)
    (project / "repo" / "tests" / "test_shop.py").write_text(TESTS)
    (project / "bugs.yaml").write_text(BUG)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A data folder that holds the sources only."""
    make_sources(tmp_path)
    return tmp_path


@pytest.fixture(scope="module")
def generated_once(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("generated")
    make_sources(folder)
    assert run(folder) == 0
    return folder


@pytest.fixture
def built(generated_once: Path, tmp_path: Path) -> Path:
    """A data folder that was generated, to be spoilt."""
    shutil.copytree(generated_once, tmp_path / "built")
    return tmp_path / "built"


def run(data: Path, *arguments: str) -> int:
    return generate_dataset.main(["--data", str(data), *arguments])


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def row_of(data: Path) -> dict:
    return json.loads((data / "samples.jsonl").read_text())


def snapshot(data: Path) -> dict[str, bytes]:
    return {str(p.relative_to(data)): p.read_bytes() for p in sorted(data.rglob("*")) if p.is_file()}


def test_row_says_what_was_measured(built):
    row = row_of(built)
    assert row["FAIL_TO_PASS"] == ["tests/test_shop.py::test_many", "tests/test_shop.py::test_two"]
    assert row["PASS_TO_PASS"] == ["tests/test_shop.py::test_label"]
    assert [task.instance_id for task in load_tasks(built / "samples.jsonl")] == ["calc_bug"]


def test_visible_tree_has_the_bug_and_not_the_hidden_test(built):
    tree = dataset.read_tree(built / "sample_repos" / "calc_bug")
    assert tree["shop.py"] == LIBRARY.replace("count * 3", "count + 3")
    visible = tree["tests/test_shop.py"]
    assert "test_many" not in visible and "written for one apple" not in visible and "== 15" not in visible
    assert "test_label" in visible and "test_two" in visible


def test_patches_bring_the_clean_project_back(built, tmp_path):
    row = row_of(built)
    shutil.copytree(built / "sample_repos" / "calc_bug", tmp_path / "fixed")
    for patch in (row["test_patch"], row["patch"]):
        subprocess.run(["git", "apply", "-"], cwd=tmp_path / "fixed", input=patch, text=True, check=True)
    assert snapshot(tmp_path / "fixed") == snapshot(built / "projects" / "samples" / "calc_bug" / "repo")
    assert "tests/" not in row["patch"] and "shop.py b/shop.py" not in row["test_patch"]


def test_base_commit_is_the_commit_of_the_tree(built, tmp_path):
    """Built from the folder on disk, as for an episode, not from the generator's texts."""
    (task,) = load_tasks(built / "samples.jsonl")
    base = asyncio.run(prepare_base(task, tmp_path / "base"))
    head = subprocess.run(["git", "rev-parse", "HEAD"], cwd=base, capture_output=True, text=True, check=True)
    assert head.stdout.strip() == task.base_commit


def test_generating_twice_gives_the_same_bytes(built, data, tmp_path):
    other = tmp_path / "elsewhere"
    shutil.copytree(data / "projects", other / "projects")
    done = subprocess.run(
        [sys.executable, ROOT / "generate_dataset.py", "--data", other], cwd=tmp_path, capture_output=True
    )
    assert done.returncode == 0, done.stderr
    assert snapshot(other) == snapshot(built)


def test_leftovers_of_an_earlier_dataset_are_removed(data):
    stale = data / "sample_repos" / "calc_bug" / "old" / "x.py"
    stale.parent.mkdir(parents=True)
    stale.write_text("x = 1\n")
    (data / "sample_repos" / "gone-01").mkdir()
    assert run(data) == 0
    assert [path.name for path in (data / "sample_repos").iterdir()] == ["calc_bug"]
    assert not stale.parent.exists()


def test_check_accepts_what_was_generated_and_leaves_it_alone(built):
    before = snapshot(built)
    assert run(built, "--check") == 0
    assert snapshot(built) == before


@pytest.mark.parametrize(
    ("field", "change", "message"),
    [
        ("patch", lambda text: text.replace("-    return count + 3", "-    return count"), "git apply"),
        ("patch", lambda text: "", "test_many: failed on the fixed tree"),
        ("test_patch", lambda text: "", "test_many: missing on the fixed tree"),
        ("PASS_TO_PASS", lambda ids: [], "test_label: in neither list"),
        (
            "FAIL_TO_PASS",
            lambda ids: [*ids, "tests/test_shop.py::test_no"],
            "test_no: missing on the fixed tree",
        ),
        ("base_commit", lambda text: "0" * 40, "base_commit is not the id of the tree"),
    ],
)
def test_a_tampered_row_is_found(built, field, change, message):
    row = row_of(built)
    row[field] = change(row[field])
    assert any(message in problem for problem in generate_dataset.check_row(built, row))


def test_check_reports_a_tampered_patch(built, capsys):
    row = row_of(built)
    row["patch"] = row["patch"].replace("count * 3", "count * 4")
    (built / "samples.jsonl").write_text(dataset.dump_row(row))
    assert run(built, "--check") == 1
    told = capsys.readouterr().err
    assert "calc_bug: tests/test_shop.py::test_two: failed on the fixed tree" in told
    assert "samples.jsonl: differs" in told


def test_check_finds_a_test_that_depends_on_the_order(data, capsys):
    path = data / "projects" / "samples" / "calc_bug" / "repo" / "tests" / "test_shop.py"
    chain = "".join(
        f"\n\ndef test_step_{n}():\n    assert len(SEEN) == {n}\n    SEEN.append(0)\n" for n in range(5)
    )
    path.write_text(TESTS.replace("import shop\n", "import shop\n\nSEEN = []\n") + chain)
    assert run(data) == 0
    assert run(data, "--check") == 1
    assert re.search(r"test_step_\d: failed on the fixed tree, order", capsys.readouterr().err)


def test_check_finds_a_changed_tree(built, capsys):
    (built / "sample_repos" / "calc_bug" / "notes.txt").write_text("the answer\n")
    assert run(built, "--check") == 1
    assert "sample_repos/calc_bug: differs" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('"count + 3"', '"count * 1 * 3"', "no visible test fails"),
        ('"count * 3"', '"count"', "exactly once"),
        ('"count + 3"', '"count +"', "no Python"),
        ("test_many", "test_label", "no hidden test fails"),
        ("test_many", "test_more", "no module-level function test_more"),
        ("too cheap", "cheap: return count * 3", "quotes the fix"),
        ("too cheap", "cheap, see test_many", "named in the visible tree"),
        ("easy", "trivial", "bad difficulty"),
        ("  family: one-off\n", "", "fields must be exactly"),
    ],
)
def test_a_bad_bug_is_refused(data, capsys, old, new, message):
    edit(data / "projects" / "samples" / "calc_bug" / "bugs.yaml", old, new)
    assert run(data) == 1
    assert message in capsys.readouterr().err
    assert not (data / "samples.jsonl").exists()


def test_a_project_that_shadows_the_standard_library_is_refused(data, capsys):
    repo = data / "projects" / "samples" / "calc_bug" / "repo"
    (repo / "collections").mkdir()
    (repo / "collections" / "__init__.py").write_text("")
    assert run(data) == 1
    assert "collections shadows" in capsys.readouterr().err


def test_a_test_that_hangs_is_reported(data, capsys, monkeypatch):
    monkeypatch.setattr(dataset, "RUN_TIMEOUT_S", 1)
    edit(
        data / "projects" / "samples" / "calc_bug" / "bugs.yaml", '"count + 3"', '"[c for c in iter(int, 1)]"'
    )
    assert run(data) == 1
    assert "more than 1 s" in capsys.readouterr().err


def test_wrong_counts_and_order_are_reported():
    rows = [{"project": row["project"], "difficulty": row["difficulty"]} for row in ROWS]
    assert generate_dataset.check_counts(rows) == []
    assert "mathlib" in generate_dataset.check_counts(rows[1:])[0]
    assert "not grouped" in generate_dataset.check_counts([*rows[1:], rows[0]])[0]


@pytest.mark.parametrize("arguments", [["--nonsense"], ["--data", "no/such/folder"]])
def test_bad_usage(arguments, capsys):
    with pytest.raises(SystemExit) as stop:
        generate_dataset.main(arguments)
    assert stop.value.code == 2
    assert capsys.readouterr().err


def test_committed_benchmark_has_its_projects_and_difficulties():
    sizes = {
        "mathlib": 11,
        "textprocessor": 10,
        "collections": 9,
        "taskmanager": 8,
        "httptools": 7,
        "dateutils": 9,
    }
    assert [row["project"] for row in ROWS] == [name for name, size in sizes.items() for _ in range(size)]
    assert collections.Counter(row["difficulty"] for row in ROWS) == {"easy": 17, "medium": 23, "hard": 14}
    assert len({row["instance_id"] for row in ROWS}) == 54
    samples = [task.instance_id for task in load_tasks(DATA / "samples.jsonl")]
    assert samples == ["calc_bug", "string_util", "data_processor"]
    assert {path.name for path in (DATA / "sample_repos").iterdir()} == {
        *samples,
        *(r["instance_id"] for r in ROWS),
    }


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row["instance_id"])
def test_committed_task_gives_nothing_away(row):
    bugs = dataset.load_bugs(row["project"], DATA / "projects" / row["project"] / "bugs.yaml")
    (bug,) = [bug for bug in bugs if bug.id == row["instance_id"]]
    tree = dataset.read_tree(DATA / row["repo_path"])
    for change in bug.edits:
        assert change.buggy in tree[change.path]
        assert change.correct not in tree[change.path] or change.correct in change.buggy
        assert change.correct.strip() not in bug.issue
    told = "".join(tree.values()) + row["problem_statement"]
    for node in bug.hidden:
        assert not re.search(rf"\b{node.split('::')[1]}\b", told)
    importable = {path.split("/")[0].removesuffix(".py") for path in tree if path.endswith(".py")}
    importable |= {path.split("/")[1].removesuffix(".py") for path in tree if path.startswith("tests/")}
    assert not importable & sys.stdlib_module_names
    assert not {"bugs.yaml", ".git"} & {part for path in tree for part in path.split("/")}
