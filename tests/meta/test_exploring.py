"""The meta agent that looks around in the archive: what it may read and what not, and that it ends with a design."""

from __future__ import annotations

import asyncio
import json
import os
from pathlib import Path

import pytest

from core import exploring
from core.exploring import STEPS, NothingSubmitted, Submission, explore
from core.meta_agent_prompt import HINTS, PROMPT_CHARS, system_prompt
from evals.utils import gateway_client

from .conftest import ReplayEvaluator, evolve, open_archive

PARENTS = 3
DESIGN = '"""A design."""\nx = 1\ny = 1\n'


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    home = tmp_path / "archive"
    (home / "designs" / "aaaa1111").mkdir(parents=True)
    (home / "README.md").write_text("# The archive\nlook in designs\n")
    (home / "designs" / "aaaa1111" / "design.py").write_text(DESIGN)
    (tmp_path / "secret.txt").write_text("SECRET key\n")
    os.symlink(tmp_path / "secret.txt", home / "link.txt")
    os.symlink(tmp_path, home / "up")
    return home


def talk(folder: Path, *replies: object, parent: str | None = DESIGN) -> tuple[list[str], Submission]:
    """Give the replies one after the other; returns what was said to them and the submission."""
    heard: list[str] = []
    waiting = [reply if isinstance(reply, str) else json.dumps(reply) for reply in replies]

    async def ask(message: str, number: int) -> str:
        heard.append(message)
        assert number == len(heard)
        return waiting[min(number, len(waiting)) - 1]

    return heard, asyncio.run(explore(ask, folder, "the task", parent))


SUBMIT = {"action": "submit", "hypothesis": "h", "code": "z = 1"}


def snapshot(folder: Path) -> dict[str, str]:
    return {str(p): p.read_text() for p in sorted(folder.parent.rglob("*")) if p.is_file()}


def test_it_reads_lists_and_searches_and_submits(folder):
    before = snapshot(folder)
    heard, found = talk(
        folder,
        {"action": "list_dir", "path": ".", "depth": 2},
        'I look. {"action": "read_file", "path": "README.md", "thought": "first\\nthings"}',
        {"action": "search", "pattern": r"^y = \d", "glob": "*.py"},
        {"action": "read_file", "path": "/workspace/designs/aaaa1111/design.py", "offset": 2, "limit": 1},
        SUBMIT,
    )
    assert heard[0] == "the task"
    assert heard[1].startswith("[1/16] list_dir .: ") and "aaaa1111/" in heard[1]
    assert "     1\t# The archive" in heard[2]
    assert "designs/aaaa1111/design.py:3:y = 1" in heard[3]
    assert "     2\tx = 1" in heard[4] and "y = 1" not in heard[4]
    assert (found.source, found.hypothesis) == ("z = 1\n", "h")
    assert [look["action"].split()[0] for look in found.looked] == [
        "list_dir",
        "read_file",
        "search",
        "read_file",
    ]
    assert found.looked[1]["thought"] == "first things"
    assert snapshot(folder) == before


@pytest.mark.parametrize(
    "action",
    [
        {"action": "read_file", "path": "../secret.txt"},
        {"action": "read_file", "path": "designs/../../secret.txt"},
        {"action": "read_file", "path": "{outside}/secret.txt"},
        {"action": "read_file", "path": "link.txt"},
        {"action": "read_file", "path": "up/secret.txt"},
        {"action": "read_file", "path": "/workspace/../secret.txt"},
        {"action": "list_dir", "path": ".."},
        {"action": "list_dir", "path": "up"},
        {"action": "list_dir", "path": ".", "depth": 5},
        {"action": "search", "pattern": "SECRET"},
        {"action": "search", "pattern": "SECRET", "path": "up"},
        {"action": "search", "pattern": "SECRET", "path": "link.txt"},
        {"action": "search", "pattern": "SECRET", "path": "../secret.txt"},
        {"action": "search", "pattern": "-f", "path": ".", "glob": "../*"},
        {"action": "search", "pattern": "--file=../secret.txt", "path": "."},
    ],
)
def test_nothing_outside_the_folder_is_shown(folder, action):
    action = {
        name: value.format(outside=folder.parent) if name == "path" else value
        for name, value in action.items()
    }
    heard, _ = talk(folder, action, SUBMIT)
    assert "SECRET key" not in heard[1]
    assert not any(line.strip(" /") in ("secret.txt", "archive") for line in heard[1].splitlines())


@pytest.mark.parametrize(
    "action",
    [
        {"action": "create_file", "path": "new.py", "content": "x"},
        {"action": "edit_file", "path": "README.md", "content": "x"},
        {"action": "replace_lines", "path": "README.md", "start": 1, "end": 1, "new": "x"},
        {"action": "undo_edit"},
        {"action": "run_command", "command": "touch new"},
        {"action": "semantic_search", "query": "x"},
        {"action": "submit", "path": "README.md"},
    ],
)
def test_nothing_can_be_written_or_run(folder, action):
    before = snapshot(folder)
    heard, _ = talk(folder, action, SUBMIT)
    assert heard[1].startswith("[1/16] error: ")
    assert snapshot(folder) == before


@pytest.mark.parametrize(
    ("reply", "source"),
    [
        ({"action": "submit", "code": "\n\na = 1\n\n"}, "a = 1\n"),
        ('{"action": "submit", "hypothesis": "h"}\n```python\na = 1\n```', "a = 1\n"),
        ({"action": "submit", "edits": [{"old": "x = 1", "new": "x = 2"}]}, DESIGN.replace("x = 1", "x = 2")),
        (
            '{"action": "submit"}\n<<<<<<< SEARCH\ny = 1\n=======\ny = 3\n>>>>>>> REPLACE',
            DESIGN.replace("y = 1", "y = 3"),
        ),
    ],
)
def test_a_design_can_be_submitted_whole_or_as_edits(folder, reply, source):
    assert talk(folder, reply)[1].source == source


@pytest.mark.parametrize(
    ("reply", "said"),
    [
        ({"action": "submit"}, 'error: submit: give the whole file as "code", or "edits"'),
        ({"action": "submit", "code": "  "}, 'error: submit: give the whole file as "code"'),
        (
            {"action": "submit", "edits": [{"old": " = 1", "new": ""}]},
            "error: submit: edit 1: its text occurs 2 times",
        ),
        ({"action": "submit", "edits": ["x"]}, 'error: submit: each of "edits" is an object'),
        ({"action": "submit", "edits": "x"}, 'error: submit: "edits" must be a list, not a string'),
        (
            '{"action": "submit", "edits": [{"old": "x", "new": "\\ud800"}]}',
            'error: submit: "new" holds half of a',
        ),
        ("I give up.", "error: no JSON object"),
    ],
)
def test_what_cannot_be_taken_is_said_and_can_be_mended(folder, reply, said):
    heard, found = talk(folder, reply, SUBMIT)
    assert heard[1].startswith(f"[1/{STEPS}] {said}") and found.source == "z = 1\n"


def test_there_is_nothing_to_edit_in_a_design_from_scratch(folder):
    heard, _ = talk(folder, {"action": "submit", "edits": [{"old": "x = 1", "new": ""}]}, SUBMIT, parent=None)
    assert "there is no design to edit" in heard[1]


def test_turns_are_counted_and_their_end_is_announced(folder):
    with pytest.raises(NothingSubmitted, match=f"no design within {STEPS} turns"):
        talk(folder, {"action": "list_dir"})
    heard: list[str] = []

    async def ask(message: str, number: int) -> str:
        heard.append(message)
        return json.dumps(SUBMIT if number == STEPS else {"action": "list_dir"})

    assert asyncio.run(explore(ask, folder, "t", None)).source == "z = 1\n"
    assert heard[-1].endswith("This is your last turn: submit now.")
    assert not any("last turn" in message for message in heard[:-1])


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("exploring")


OPTIONS = {"selection": "rank", "proposer": "agent"}


@pytest.fixture(scope="module")
def evolved(root: Path) -> tuple[str, list[tuple[str, list[dict]]], dict[str, str]]:
    """(checkpoint, every call by purpose and messages, the files of the folder of the last exploration)."""
    asked: list[tuple[str, list[dict]]] = []
    files: dict[str, str] = {}
    usual, write = gateway_client.request, exploring.explore

    async def listen(path, body, purpose):
        if "messages" in body:
            asked.append((purpose, body["messages"]))
        return await usual(path, body, purpose)

    async def keep(ask, folder, *more):
        files.clear()
        files.update({str(p.relative_to(folder)): p.read_text() for p in folder.rglob("*") if p.is_file()})
        return await write(ask, folder, *more)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(gateway_client, "request", listen)
        patch.setattr("core.proposing.explore", keep)
        return evolve(open_archive(root, "run"), ReplayEvaluator(), 1, PARENTS, **OPTIONS), asked, files


def test_the_offline_model_explores_and_evolves_designs(evolved, root):
    archive = open_archive(root, "run")
    made = [r for r in archive.records if r.parent]
    assert len(made) > PARENTS and any(r.status == "ok" for r in made)
    for record in made:
        assert record.hypothesis and len(record.suggestion["looked_at"]) >= 4
        assert record.attempts[0].error is None or "json" not in record.attempts[0].error
    _, asked, _ = evolved
    assert {purpose for purpose, _ in asked} <= {"explore", "repair", "memory"}
    first = next(messages for purpose, messages in asked if purpose == "explore")
    assert "# How you work" in first[0]["content"] and "# Hints" in first[0]["content"]
    assert not (archive.run_dir / "explored").exists()


def test_the_folder_tells_all_that_is_known(evolved, root):
    _, _, files = evolved
    archive = open_archive(root, "run")
    last = archive.proposals[-1]
    known = archive.known_to(last)
    for record in known:
        assert f"{record.sha}," in files["designs.csv"]
        if record.status == "ok" and record.sha != "no_mem":
            home = f"designs/{record.sha}"
            assert files[f"{home}/design.py"] == archive.source(record)
            assert f"reward: {record.reward:.4f}" in files[f"{home}/about.md"]
            assert files[f"{home}/tasks.csv"].count("\n") == 1 + record.tasks
            assert "## Episode 1" in files[f"{home}/trajectories.md"]
        if record.compared is not None:
            assert f"- {record.sha}: {record.hypothesis} -> {record.compared}" in files["hypotheses.md"]
    assert {"README.md", "failures.md", "rejected/reasons.md"} <= set(files)
    later = {r.sha for r in archive.records} - {r.sha for r in known}
    assert not any(sha in text for sha in later for text in files.values())


def test_whatever_the_files_hold_a_conversation_is_no_longer_than_a_prompt(folder):
    """Long lines, many matches, many files: each turn brings at most its share."""
    for number in range(600):
        (folder / "designs" / f"{number:04}{'x' * 60}.py").write_text(("match " * 300 + "\n") * 20)
    turns = [
        {"action": "search", "pattern": "match"},
        {"action": "list_dir", "path": "designs"},
        {"action": "list_dir", "path": ".", "depth": 3},
        {"action": "read_file", "path": f"designs/0001{'x' * 60}.py", "limit": 100000},
    ]
    longest = max(len(text) for text in talk(folder, *turns, SUBMIT)[0])
    fixed = len(system_prompt("full")) + len(exploring.HOW_TO)
    replies = STEPS * 1000
    assert fixed + replies + (STEPS - 1) * longest < PROMPT_CHARS


def test_without_hints_no_turn_holds_any(root, tmp_path, monkeypatch):
    usual = gateway_client.request

    async def listen(path, body, purpose):
        if purpose == "explore":
            assert not any(hint in m["content"] for hint in HINTS.values() for m in body["messages"])
            asked.append(purpose)
        return await usual(path, body, purpose)

    asked: list[str] = []
    monkeypatch.setattr(gateway_client, "request", listen)
    evolve(open_archive(tmp_path, "bare"), parents=1, hints="none", **OPTIONS)
    assert asked


def test_a_run_killed_in_the_middle_of_an_exploration_ends_with_the_same_archive(
    evolved, tmp_path, monkeypatch
):
    """Killed at every third turn: what was half done is done again, with the same answers."""
    reference, _, _ = evolved
    usual, turns = gateway_client.request, 0

    class Killed(Exception):
        pass

    async def mortal(path, body, purpose):
        nonlocal turns
        if purpose == "explore":
            turns += 1
            if turns % 17 == 0:
                raise Killed
        return await usual(path, body, purpose)

    monkeypatch.setattr(gateway_client, "request", mortal)
    evaluator, kills = ReplayEvaluator(), 0
    while True:
        try:
            assert (
                evolve(open_archive(tmp_path, "run"), evolved_again(evaluator), 3, PARENTS, **OPTIONS)
                == reference
            )
            break
        except Killed:
            kills += 1
    assert kills > 2


def evolved_again(before: ReplayEvaluator) -> ReplayEvaluator:
    """A new process with what the old one's evaluations left on disk."""
    after = ReplayEvaluator()
    after.finished = before.finished
    return after


def test_an_agent_that_never_submits_costs_one_proposal_and_says_so(tmp_path, monkeypatch):
    usual = gateway_client.request

    async def dawdle(path, body, purpose):
        answer = await usual(path, body, purpose)
        if purpose == "explore" and "Improve design claude_md" in body["messages"][1]["content"]:
            answer["choices"][0]["message"]["content"] = '{"action": "list_dir"}'
        return answer

    monkeypatch.setattr(gateway_client, "request", dawdle)
    archive = open_archive(tmp_path, "run")
    evolve(archive, parents=2, proposer="agent", selection="alma")
    lost = [p for p in archive.proposals if p.parent == "claude_md" and p.kind == "rewrite"]
    assert lost and all(p.end == "design_error" and p.child is None for p in lost)
    assert all(f"no design within {STEPS} turns" in p.reason for p in lost)
