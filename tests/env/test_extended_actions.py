"""The extended action space: numbered lines, replace_lines, undo_edit, a tree, search by meaning; edits that would
break a Python file are refused."""

import asyncio
import contextlib
import json
import sqlite3

import pytest
from env_project import FILES, TASK

from core.gateway.gateway import Gateway, GatewaySettings
from core.gateway.offline.repair import act
from envs_archive.coding.parsing import ActionError, parse_action
from envs_archive.coding.semantic_search import pieces_of
from envs_archive.coding.workspace import prepare_base
from envs_archive.coding_envs import Coding_Env, load_config
from evals.contract import Verdict
from evals.utils import gateway_client


async def no_grade(task, changes):
    return Verdict(0.0, False, 0.0, 0.0, [])


def steps(base, kind, folder, *actions, **config):
    """What an agent sees after each of these actions; the workspace's files at the end."""

    async def episode():
        config_ = load_config(overrides={"action_space": "extended", **config})
        env = Coding_Env([TASK.public(base)], config_, kind, folder, no_grade)
        await env.set_task_env("shapes-01")
        try:
            seen = []
            for action in actions:
                answer, _ = await env.run_step(json.dumps(action), "shapes-01")
                seen.append(answer["observation"].partition("] ")[2])
            tree = {p: (env._workspace / p).read_text() for p in FILES if (env._workspace / p).exists()}
            return seen, tree
        finally:
            await env.close()

    return asyncio.run(episode())


def do(action, **fields):
    return {"action": action, **fields}


def test_lines_are_numbered_and_come_in_pages(base, best_kind, tmp_path):
    text = FILES["tests/test_shapes.py"]
    count = text.count("\n")
    seen, _ = steps(
        base,
        best_kind,
        tmp_path,
        do("read_file", path="tests/test_shapes.py"),
        do("read_file", path="tests/test_shapes.py", offset=2, limit=1),
        do("read_file", path="tests/test_shapes.py", offset=count + 1),
    )
    lines = text.splitlines()
    assert seen[0].split("\n") == [
        f"read_file tests/test_shapes.py: {len(text)} characters, lines 1-{count} of {count}",
        *(f"{n:>6}\t{line}" for n, line in enumerate(lines, 1)),
    ]
    assert seen[1].split("\n")[1:] == [
        f"     2\t{lines[1]}",
        f"... {count - 2} more lines: go on with offset 3",
    ]
    assert seen[2].startswith("error:") and f"has {count} lines" in seen[2]


def test_lines_are_replaced_and_edits_undone_in_reverse(base, best_kind, tmp_path):
    path, text = "shapes/area.py", FILES["shapes/area.py"]
    lines = text.splitlines(keepends=True)
    seen, tree = steps(
        base,
        best_kind,
        tmp_path,
        do("replace_lines", path=path, start=1, end=1, new=f"# one\n{lines[0]}"),
        do("replace_lines", path=path, start=1, end=0, new="# zero"),
        do("read_file", path=path, limit=3),
        do("undo_edit"),
        do("create_file", path="shapes/more.py", content="X = 1\n"),
        do("undo_edit", path=path),
        do("undo_edit", path=path),
        do("undo_edit"),
        do("undo_edit"),
    )
    assert seen[0] == f"replace_lines {path}: replaced lines 1-1 by 2"
    assert [row.partition("\t")[2] for row in seen[2].split("\n")[1:4]] == [
        "# zero",
        "# one",
        lines[0].rstrip(),
    ]
    assert seen[3] == f"undo_edit {path}: as before the last edit"
    assert seen[5] == seen[3] and "no edit of shapes/area.py to undo" in seen[6]
    assert seen[7] == "undo_edit shapes/more.py: removed again" and "no edit to undo" in seen[8]
    assert tree[path] == "".join(lines)


def test_an_edit_is_not_undone_over_what_a_command_has_written_since(base, best_kind, tmp_path):
    path = "shapes/area.py"
    seen, tree = steps(
        base,
        best_kind,
        tmp_path,
        do("replace_lines", path=path, start=1, end=0, new="# mine"),
        do("run_command", command=f"echo '# theirs' >> {path}"),
        do("undo_edit"),
    )
    assert "has changed since that edit" in seen[2] and tree[path].endswith("# theirs\n")


@pytest.mark.parametrize(
    "edit",
    [
        do("edit_file", old="return", new="return return"),
        do("edit_file", content="def area(:\n"),
        do("replace_lines", start=1, end=1, new="def area("),
    ],
)
def test_an_edit_that_breaks_the_syntax_is_refused_with_the_error(base, best_kind, tmp_path, edit):
    text = FILES["shapes/area.py"]
    if "old" in edit and text.count(edit["old"]) != 1:
        edit = {**edit, "old": text.splitlines()[-1], "new": text.splitlines()[-1] + " return"}
    seen, tree = steps(base, best_kind, tmp_path, {**edit, "path": "shapes/area.py"}, do("undo_edit"))
    assert "would be no valid Python: line" in seen[0] and "nothing was changed" in seen[0]
    assert tree["shapes/area.py"] == text and "no edit to undo" in seen[1]


def test_a_file_that_is_broken_already_may_be_mended_in_steps(base, best_kind, tmp_path):
    seen, _ = steps(
        base,
        best_kind,
        tmp_path,
        do("create_file", path="new.py", content="def f(:\n"),
        do("run_command", command="printf 'def f(:\\n(\\n' > new.py"),
        do("replace_lines", path="new.py", start=1, end=1, new="def f():"),
        do("replace_lines", path="new.py", start=2, end=2, new="    return 1"),
        do("create_file", path="notes.md", content="def f(:\n"),
    )
    assert "error" in seen[0] and not any("error" in text for text in seen[2:])


def test_a_folder_is_shown_as_deep_as_asked(base, best_kind, tmp_path):
    seen, _ = steps(
        base, best_kind, tmp_path, do("list_dir", depth=2), do("list_dir", depth=1), do("list_dir")
    )
    assert "shapes/" in seen[0].split("\n") and "  area.py" in seen[0].split("\n")
    assert "  area.py" not in seen[1].split("\n") and "shapes/" in seen[1].split("\n")
    assert seen[2].startswith("list_dir .: ") and "deep" not in seen[2]


def test_nothing_outside_the_workspace_can_be_reached(base, best_kind, tmp_path):
    (tmp_path / "secret").write_text("x")
    outside = [
        do("read_file", path="../../secret", offset=1),
        do("replace_lines", path="../../secret", start=1, end=1, new="y"),
        do("replace_lines", path=".git/config", start=1, end=1, new="y"),
        do("list_dir", path="..", depth=3),
        do("undo_edit", path="/etc/passwd"),
    ]
    seen, _ = steps(base, best_kind, tmp_path, *outside)
    assert all(text.startswith("error:") for text in seen), seen


def embedded(run):
    """How many texts the ledger has embeddings of."""
    with contextlib.closing(sqlite3.connect(run / "ledger.sqlite")) as connection:
        return connection.execute("SELECT COUNT(*) FROM calls WHERE purpose = 'embed'").fetchone()[0]


def test_places_are_found_by_meaning_and_a_tree_is_embedded_once(base, best_kind, tmp_path):
    run = tmp_path / "run"
    run.mkdir()

    async def main():
        other = await prepare_base(TASK, tmp_path / "other")
        gateway = Gateway(run, GatewaySettings(offline=True))
        await gateway.start()
        gateway_client.connect(gateway.socket_path, gateway.issue_token({"design": "t"}))
        try:
            found = []
            for tree in (base, base, other):
                env = Coding_Env(
                    [TASK.public(tree)],
                    load_config(overrides={"action_space": "extended"}),
                    best_kind,
                    tmp_path,
                    no_grade,
                )
                await env.set_task_env("shapes-01")
                ask = json.dumps(do("semantic_search", query="area of a rectangle", limit=3))
                answer, _ = await env.run_step(ask, "shapes-01")
                found.append((answer["observation"], embedded(run)))
                await env.close()
            return found
        finally:
            await gateway_client.close()
            await gateway.stop()

    first, second, third = asyncio.run(main())
    assert first[1] == second[1] == third[1] > 1
    assert first[0] == second[0] == third[0] and "shapes/area.py:" in first[0].split("\n")[1]


def test_functions_are_pieces_of_their_own_and_every_line_is_in_one():
    text = "import os\n\n\n@cache\ndef one():\n    return 1\n\n\nclass Two:\n    x = 1\n\n"
    text += "    def three(self):\n        pass\n"
    found = pieces_of("a.py", text)
    assert [(p.first, p.last) for p in found] == [(1, 3), (4, 6), (9, 11), (12, 13)]
    long = pieces_of("a.txt", "\n".join(f"line {n}" for n in range(100)))
    assert [(p.first, p.last) for p in long] == [(1, 40), (41, 80), (81, 100)]
    broken = pieces_of("a.py", "def (:\n" * 100)
    assert broken[0].first == 1 and broken[-1].last == 100


@pytest.mark.parametrize(
    ("action", "said"),
    [
        (do("read_file", path="a", offset=0), "whole number from 1"),
        (do("read_file", path="a", limit=1.5), "whole number from 1"),
        (do("read_file", path="a", offset="1"), "must be a number"),
        (do("replace_lines", path="a", start=1, new=""), 'missing field "end"'),
        (do("replace_lines", path="a", start=3, end=1, new=""), '"end" lies before "start"'),
        (do("semantic_search", query=" "), "is empty"),
    ],
)
def test_a_bad_action_says_what_to_change(action, said):
    with pytest.raises(ActionError, match=said):
        parse_action(json.dumps(action), "extended")


@pytest.mark.parametrize(
    "action", [do("undo_edit"), do("read_file", path="a", offset=1), do("list_dir", depth=1)]
)
def test_the_seed_space_has_none_of_them(action):
    with pytest.raises(ActionError, match="unknown"):
        parse_action(json.dumps(action))
    assert parse_action(json.dumps(action), "extended") == action


def test_the_configuration_names_a_space_there_is():
    with pytest.raises(ValueError, match="action_space must be seed or extended"):
        load_config(overrides={"action_space": "huge"})


def test_the_offline_agent_repairs_with_numbered_lines_and_pages(base, best_kind, tmp_path):
    async def episode():
        config = load_config(overrides={"action_space": "extended", "read_chars": 45})
        env = Coding_Env([TASK.public(base)], config, best_kind, tmp_path, no_grade)
        await env.set_task_env("shapes-01")
        try:
            system, first = await env.get_prompt()
            messages = [{"role": "system", "content": system}, {"role": "user", "content": first}]
            ended = False
            while not ended and len(messages) < 62:
                answer = act(messages, 0)
                seen, recorder = await env.run_step(answer, "shapes-01")
                ended = seen["dones"]
                messages.append({"role": "assistant", "content": answer})
                messages.append({"role": "user", "content": seen["observation"]})
            return recorder.steps
        finally:
            await env.close()

    done = asyncio.run(episode())
    runs = [s["observation"] for s in done if s["action"]["action"] == "run_command"]
    assert any("offset" in s["action"] for s in done) and "exit code 0" in runs[-1]
