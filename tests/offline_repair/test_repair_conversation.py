"""Replaying a conversation: the task, the files as edited, the test runs."""

from __future__ import annotations

import pytest

from core.gateway.offline.repair.conversation import first_action, parse_task, read_state
from tests.offline_repair.conftest import conversation, first_turn

READ = {"action": "read_file", "path": "a.py"}


def test_the_task_is_taken_apart() -> None:
    task = parse_task(first_turn(["a.py", "b/c.py"], "Sum is off", 12, "- use `x`\n# Issue\nnot this"))
    assert task.issue == "Sum is off"
    assert task.files == ("a.py", "b/c.py")
    assert (task.step_limit, task.project, task.test_command) == (12, "shop", "python -m pytest -q")
    assert task.memory == "- use `x`\n# Issue\nnot this"


def test_headings_inside_the_issue_stay_in_the_issue() -> None:
    task = parse_task(first_turn(["a.py"], "Broken\n# Repository\nsee\nFiles:\nfake.py"))
    assert task.files == ("a.py",)
    assert "fake.py" in task.issue


def test_cut_file_lists_leave_out_the_count() -> None:
    assert parse_task(first_turn(["a.py", "... and 12 more"])).files == ("a.py",)


@pytest.mark.parametrize(
    "text",
    [
        '{"action": "submit"}',
        'Sure: ```json\n{"action": "submit"}\n```',
        'first {"a": 1} then {"action": "submit"} and {"action": "x"}',
    ],
)
def test_first_action_is_found_in_prose(text: str) -> None:
    assert first_action(text) == {"action": "submit"}


def test_edits_that_succeeded_are_replayed_and_refused_ones_are_not() -> None:
    state = read_state(
        conversation(
            first_turn(["a.py"]),
            (READ, "[1/30] read_file a.py: 12 characters\nx = 1\ny = 2\n"),
            (
                {"action": "edit_file", "path": "a.py", "old": "x = 1", "new": "x = 3"},
                "[2/30] edit_file a.py: replaced",
            ),
            (
                {"action": "edit_file", "path": "a.py", "old": "y = 2", "new": "y"},
                "[3/30] error: edit_file: no",
            ),
        )
    )
    assert state.files["a.py"].original == "x = 1\ny = 2\n"
    assert state.files["a.py"].current == "x = 3\ny = 2\n"
    assert state.remaining == 27 and state.steps[2].error


def test_a_stripped_last_newline_is_put_back() -> None:
    state = read_state(
        conversation(first_turn(["a.py"]), (READ, "[1/30] read_file a.py: 6 characters\nx = 1"))
    )
    assert state.files["a.py"].original == "x = 1\n"


def test_a_cut_file_is_completed_with_sed() -> None:
    text = "".join(f"value_{i} = {i}\n" for i in range(900))
    shown = text[:10_000] + f"\n... cut at 10000 of {len(text)} characters: use run_command with sed -n"
    known = text[:10_000].count("\n")
    rest = "".join(line + "\n" for line in text.splitlines()[known:])
    command = {"action": "run_command", "command": f"sed -n '{known + 1},{known + 400}p' a.py"}
    turns = [(READ, f"[1/30] read_file a.py: {len(text)} characters\n{shown}")]
    assert not read_state(conversation(first_turn(["a.py"]), *turns)).files["a.py"].complete
    turns.append((command, f"[2/30] run_command: exit code 0\n{rest}"))
    file = read_state(conversation(first_turn(["a.py"]), *turns)).files["a.py"]
    assert file.complete and file.original == text


def test_a_run_is_tied_to_the_texts_it_saw() -> None:
    run = {"action": "run_command", "command": "python -m pytest -q"}
    edit = {"action": "edit_file", "path": "a.py", "old": "x = 1", "new": "x = 2"}
    turns = [
        (READ, "[1/30] read_file a.py: 6 characters\nx = 1\n"),
        (run, "[2/30] run_command: exit code 1\nFAILED t.py::test_a - assert 1\n1 failed, 2 passed in 0.1s"),
        (edit, "[3/30] edit_file a.py: replaced 1 occurrence at line 1"),
    ]
    state = read_state(conversation(first_turn(["a.py"]), *turns))
    assert not state.tested
    state = read_state(
        conversation(first_turn(["a.py"]), *turns, (run, "[4/30] run_command: exit code 0\n3 passed"))
    )
    assert state.tested and state.trials[-1].run.green
    assert state.trials[-1].changed == (("a.py", "x = 2\n"),)
