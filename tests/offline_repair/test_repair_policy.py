"""The next action: always valid, within the step limit, clean at the end."""

from __future__ import annotations

import json
import time
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.gateway.offline.repair import act
from core.gateway.offline.repair.policy import replace_text
from tests.offline_repair.conftest import conversation, first_turn

SOURCE = "def area(w, h):\n    if w < 0:\n        raise ValueError(w)\n    return w + h\n"
OUTPUT = """F.
=== FAILURES ===
____ test_area ____

    def test_area():
>       assert area(2, 3) == 6
E       assert 5 == 6
E        +  where 5 = area(2, 3)

tests/test_shape.py:4: AssertionError
=== short test summary info ===
FAILED tests/test_shape.py::test_area - assert 5 == 6
1 failed, 1 passed in 0.01s
"""
FILES = ["shape.py", "tests/test_shape.py"]
KINDS = {"read_file", "edit_file", "run_command", "search", "list_dir", "submit", "create_file"}


def simulate(limit: int, seed: int = 0, tested: str = f"exit code 1\n{OUTPUT}") -> tuple[list[dict], str]:
    """An episode in which no edit ever helps; the actions and the final text of the source.

    ``tested`` is what the tests print after an edit.
    """
    text = SOURCE
    messages = conversation(first_turn(FILES, limit=limit))
    actions: list[dict] = []
    while len(actions) < limit + 1:
        answer = act(messages, seed)
        action = json.loads(answer)
        actions.append(action)
        head = f"[{len(actions)}/{limit}] "
        if action["action"] == "submit":
            break
        if action["action"] == "read_file":
            shown = text if action["path"] == "shape.py" else "from shape import area\n"
            reply = f"{head}read_file {action['path']}: {len(shown)} characters\n{shown}"
        elif action["action"] == "edit_file":
            if "content" in action:
                text = action["content"]
            else:
                assert text.count(action["old"]) == 1
                text = text.replace(action["old"], action["new"])
            reply = f"{head}edit_file shape.py: replaced 1 occurrence at line 1"
        else:
            after = any(a["action"] == "edit_file" for a in actions)
            reply = f"{head}run_command: {tested if after else f'exit code 1{chr(10)}{OUTPUT}'}"
        messages += [{"role": "assistant", "content": answer}, {"role": "user", "content": reply}]
    return actions, text


@pytest.mark.parametrize("limit", [1, 2, 3, 4, 5, 6, 7, 12, 30])
def test_without_success_the_file_is_restored_and_submitted_in_time(limit: int) -> None:
    actions, text = simulate(limit)
    assert actions[-1]["action"] == "submit"
    assert len(actions) <= limit
    assert text == SOURCE


def test_each_try_is_another_text_and_is_tested() -> None:
    actions, _ = simulate(30)
    edits = [a for a in actions if a["action"] == "edit_file"]
    assert len(edits) >= 12
    tries = [a.get("thought") for a in edits[:-1]]
    assert len(set(tries)) == len(tries)
    for first, second in pairwise(actions[:-1]):
        if first["action"] == "edit_file":
            assert second["action"] == "run_command" and second["timeout"] == 7


def test_an_endless_loop_costs_little_and_a_slow_suite_is_waited_for() -> None:
    actions, _ = simulate(30, tested="timed out after 7 s")
    patience = [a["timeout"] for a in actions if a["action"] == "run_command" and "WATCH" not in a["command"]]
    assert patience[:5] == [60, 7, 7, 60, 60]


def test_the_same_arguments_give_the_same_answers_and_seeds_differ() -> None:
    assert simulate(30, 1) == simulate(30, 1)
    edits = [
        [a.get("new") for a in simulate(30, seed)[0] if a["action"] == "edit_file"] for seed in range(12)
    ]
    assert len({tuple(e) for e in edits}) > 1
    assert len({e[0] for e in edits}) <= 3  # mild noise: the best ones stay near the top


def test_green_is_submitted_at_once() -> None:
    messages = conversation(
        first_turn(FILES),
        (
            {"action": "run_command", "command": "python -m pytest -q"},
            "[1/30] run_command: exit code 0\n2 passed in 0.01s",
        ),
    )
    assert json.loads(act(messages, 0))["action"] == "submit"


def test_an_edit_that_repairs_one_of_two_tests_is_kept() -> None:
    two = OUTPUT.replace("1 failed", "FAILED tests/test_shape.py::test_edge - x\n2 failed")
    run = {"action": "run_command", "command": "python -m pytest -q"}
    edit = {"action": "edit_file", "path": "shape.py", "old": "w < 0", "new": "w <= 0"}
    turns = [
        (run, f"[1/6] run_command: exit code 1\n{two}"),
        (
            {"action": "read_file", "path": "shape.py"},
            f"[2/6] read_file shape.py: {len(SOURCE)} characters\n{SOURCE}",
        ),
        (edit, "[3/6] edit_file shape.py: replaced 1 occurrence at line 2"),
        (run, f"[4/6] run_command: exit code 1\n{OUTPUT}"),
    ]
    assert json.loads(act(conversation(first_turn(FILES, limit=6), *turns), 0))["action"] == "submit"
    worse = [*turns[:3], (run, f"[4/6] run_command: exit code 1\n{two.replace('test_edge', 'test_new')}")]
    undo = json.loads(act(conversation(first_turn(FILES, limit=6), *worse), 0))
    assert undo["action"] == "edit_file" and "w < 0" in undo["new"]


def test_a_refused_edit_is_not_repeated() -> None:
    turns = [
        (
            {"action": "run_command", "command": "python -m pytest -q"},
            f"[1/30] run_command: exit code 1\n{OUTPUT}",
        ),
        (
            {"action": "read_file", "path": "shape.py"},
            f"[2/30] read_file shape.py: {len(SOURCE)} characters\n{SOURCE}",
        ),
    ]
    messages = conversation(first_turn(FILES), *turns)
    first = json.loads(act(messages, 0))
    turns.append((first, '[3/30] error: edit_file: "old" occurs 0 times in shape.py'))
    second = json.loads(act(conversation(first_turn(FILES), *turns), 0))
    assert second["action"] == "edit_file" and second != first


def test_a_tree_without_python_files_ends_in_order() -> None:
    run = {"action": "run_command", "command": "python -m pytest -q"}
    messages = conversation(
        first_turn(["README.md"]), (run, "[1/30] run_command: exit code 5\nno tests ran in 0.01s")
    )
    assert json.loads(act(messages, 0))["action"] == "submit"


@given(
    current=st.lists(st.sampled_from(["a", "b", "    a", ""]), min_size=1, max_size=12),
    wanted=st.lists(st.sampled_from(["a", "b", "    a", "c", ""]), min_size=1, max_size=12),
)
@settings(max_examples=150, deadline=None)
def test_replace_text_is_unique_and_exact(current: list[str], wanted: list[str]) -> None:
    before, after = "\n".join(current), "\n".join(wanted)
    action = replace_text("a.py", before, after, "")
    if "content" in action:
        assert action["content"] == after
    else:
        assert before.count(action["old"]) == 1
        assert before.replace(action["old"], action["new"]) == after


PIECES = st.sampled_from(
    [
        first_turn(FILES), OUTPUT, SOURCE, "[1/30] run_command: exit code 1\n" + OUTPUT, "[2/3] error: no", "[x/y]",
        f"[2/30] read_file shape.py: {len(SOURCE)} characters\n{SOURCE}", "[9/8] read_file shape.py: 3 characters\n(((",
        '{"action": "read_file", "path": "shape.py"}',
        '{"action": "edit_file", "path": "shape.py", "old": "w", "new": "x"}',
        '{"action": 3}', '{"action": "run_command", "command": "python -m pytest"}',
        "# Issue\n# Repository\nStep limit: 0",
        "<memory>\n- `a` -> `b`\n</memory>",
    ]
)  # fmt: skip
CONTENT = st.one_of(
    PIECES, st.text(max_size=80), st.none(), st.lists(st.dictionaries(st.just("text"), PIECES))
)
MESSAGE = st.fixed_dictionaries(
    {"role": st.sampled_from(["system", "user", "assistant", "tool", 3]), "content": CONTENT}
)


@given(messages=st.lists(st.one_of(MESSAGE, st.none(), st.text(max_size=5)), max_size=9), seed=st.integers())
@settings(max_examples=200, deadline=None)
def test_any_conversation_gets_a_valid_action(messages: list, seed: int) -> None:
    action = json.loads(act(messages, seed))
    assert action["action"] in KINDS


def test_a_call_late_in_an_episode_is_quick() -> None:
    messages = conversation(
        first_turn(FILES),
        (
            {"action": "run_command", "command": "python -m pytest -q"},
            f"[1/30] run_command: exit code 1\n{OUTPUT}",
        ),
        (
            {"action": "read_file", "path": "shape.py"},
            f"[2/30] read_file shape.py: {len(SOURCE)} characters\n{SOURCE}",
        ),
    )
    act(messages, 0)
    start = time.process_time()
    for _ in range(10):
        act(messages, 0)
    assert (time.process_time() - start) / 10 < 0.05
