"""Task files: what is read, what is refused and how it is said; the splits."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from envs_archive.coding.tasks import load_tasks, split_tasks

ROW = {
    "instance_id": "a-1",
    "problem_statement": "It fails.",
    "FAIL_TO_PASS": ["tests/test_a.py::test_x"],
    "PASS_TO_PASS": '["tests/test_a.py::test_y[1-2]"]',
    "files": {"a.py": "x = 1\n"},
}


def write(path, *rows):
    path.write_text("\n".join(row if isinstance(row, str) else json.dumps(row) for row in rows) + "\n")
    return path


def test_a_row_in_both_spellings_of_the_test_lists(tmp_path):
    (tmp_path / "code").mkdir()
    other = {
        **ROW,
        "instance_id": "a-2",
        "repo_path": "code",
        "project": "p",
        "patch": "diff",
        "created_at": "2024",
    }
    del other["files"]
    first, second = load_tasks(write(tmp_path / "tasks.jsonl", ROW, "", other))
    assert first.expected == ("tests/test_a.py::test_x", "tests/test_a.py::test_y[1-2]")
    assert first.test_cmd == "python -m pytest -q"
    assert second.repo_path == tmp_path / "code"
    assert second.public("/bases/a-2") == {
        "id": "a-2",
        "project": "p",
        "problem_statement": "It fails.",
        "test_cmd": "python -m pytest -q",
        "base": "/bases/a-2",
    }


def without(name):
    return {key: value for key, value in ROW.items() if key != name}


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ('{"instance_id": ', "bad JSON: Expecting value at column 17"),
        ("[1]", "bad JSON: a task is an object"),
        (without("instance_id"), "missing field 'instance_id'"),
        (without("problem_statement"), "missing field 'problem_statement'"),
        (without("FAIL_TO_PASS"), "missing field 'FAIL_TO_PASS'"),
        ({**ROW, "problem_statement": " "}, "field 'problem_statement' is empty"),
        ({**ROW, "patch": 3}, "field 'patch' must be a string, not int"),
        ({**ROW, "PASS_TO_PASS": "tests/a.py"}, "field 'PASS_TO_PASS' is a string but not a JSON list"),
        ({**ROW, "PASS_TO_PASS": {"a": 1}}, "field 'PASS_TO_PASS' must be a list of test ids"),
        ({**ROW, "PASS_TO_PASS": ["t::a", "t::a"]}, "lists 't::a' twice"),
        ({**ROW, "PASS_TO_PASS": ROW["FAIL_TO_PASS"]}, "is in both FAIL_TO_PASS and PASS_TO_PASS"),
        ({**ROW, "FAIL_TO_PASS": [], "PASS_TO_PASS": []}, "nothing to grade"),
        (without("files"), "no workspace: give one of 'repo_path', 'files', 'git_url'"),
        ({**ROW, "repo_path": "x"}, "more than one workspace: repo_path and files"),
        ({**without("files"), "repo_path": "nowhere"}, "repo_path 'nowhere' is no folder"),
        ({**without("files"), "git_url": "https://x/y"}, "'git_url' needs 'base_commit'"),
        ({**ROW, "files": {"../a.py": ""}}, "bad path '../a.py'"),
        ({**ROW, "files": {"a.py": 1}}, "must map relative paths to texts"),
        ({**ROW, "instance_id": "ok"}, "duplicate instance_id 'ok' (line 1)"),
    ],
)
def test_a_bad_row_is_one_line_with_file_and_line(row, said, tmp_path):
    path = write(tmp_path / "tasks.jsonl", {**ROW, "instance_id": "ok"}, row)
    with pytest.raises(ValueError) as error:
        load_tasks(path)
    assert str(error.value).startswith(f"{path}:2: ")
    assert said in str(error.value)
    assert "\n" not in str(error.value)


def test_no_file_and_no_task(tmp_path):
    with pytest.raises(ValueError, match=r"none.jsonl: cannot read the task file: No such file"):
        load_tasks(tmp_path / "none.jsonl")
    with pytest.raises(ValueError, match="holds no task"):
        load_tasks(write(tmp_path / "empty.jsonl"))


IDS = st.lists(st.text("abcdef", min_size=1, max_size=4), unique=True, max_size=30)


@given(IDS, st.integers(0, 35))
def test_train_and_test_share_nothing_and_lose_nothing(ids, size):
    train, test = split_tasks(ids, "train", size), split_tasks(ids, "test", size)
    assert sorted(train.update + train.retrieve) == sorted(ids[:size])
    assert sorted(test.update + test.retrieve) == sorted(ids[size:])
    for split in (train, test):
        assert len(split.retrieve) - len(split.update) in (0, 1)
    assert split_tasks(ids, "train", size) == train


def test_the_split_is_the_originals():
    # random.Random(42).shuffle of 0..7, cut in the middle
    assert split_tasks([str(i) for i in range(9)], "train", 8) == (["3", "4", "6", "7"], ["2", "5", "0", "1"])


@pytest.mark.parametrize("arguments", [("dev", 1), ("train", -1)])
def test_a_bad_split(arguments):
    with pytest.raises(ValueError):
        split_tasks(["a"], *arguments)
    with pytest.raises(ValueError, match="repeat"):
        split_tasks(["a", "a"], "train", 1)
