"""A folder that was used is made equal to a base again, whatever was done in it, and little is written for that."""

from __future__ import annotations

import asyncio
import os
import subprocess
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from envs_archive.coding.kept_tree import KeptTree
from envs_archive.coding.tasks import Task
from envs_archive.coding.workspace import FIXED_TIME, WorkspaceError, make_workspace, prepare_base
from tests.env.test_episode_tree import STEPS, WRITES
from tests.env.tree_process import look

FILES = {f"pkg/part{number // 5}/m{number}.py": f"VALUE = {number}\n" for number in range(10)}
FILES |= {
    "a.txt": "first\nsecond\n",
    "b.txt": "other\n",
    "tools/run.sh": "echo run\n",
    "docs/x/y.md": "text\n",
}
OTHER = {**FILES, "a.txt": "First\nsecond\n", "docs": "a file\n", "pkg/part0/new.py": ""}
del OTHER["docs/x/y.md"], OTHER["tools/run.sh"]


@pytest.fixture(scope="module")
def bases(tmp_path_factory) -> list[Path]:
    folder = tmp_path_factory.mktemp("bases")
    (folder / "repo" / "empty").mkdir(parents=True)
    (folder / "repo" / "run").write_text("#!/bin/sh\n")
    (folder / "repo" / "run").chmod(0o755)
    (folder / "repo" / "link").symlink_to("run")
    tasks = [Task("a", "x", ("t",), (), files=FILES), Task("b", "x", ("t",), (), files=OTHER)]
    tasks.append(Task("c", "x", ("t",), (), repo_path=folder / "repo"))
    return [asyncio.run(prepare_base(task, folder / task.instance_id)) for task in tasks]


def times(tree: Path) -> dict[str, tuple[int]]:
    return {str(path.relative_to(tree)): path.lstat()[8:9] for path in tree.rglob("*")}


def equal(tree: Path, base: Path, scratch: Path) -> None:
    copy = make_workspace(base, scratch / f"copy{len(list(scratch.iterdir()))}", with_git=False)
    assert look(tree) == look(copy)
    assert times(tree) == times(copy)
    assert {time for (time,) in times(tree).values()} == {FIXED_TIME}
    assert not (tree / ".git").exists()


def test_one_base_after_another_whatever_was_done_in_between(bases, tmp_path):
    tree = tmp_path / "tree"
    tree.mkdir()
    (tmp_path / "copies").mkdir()
    kept = KeptTree(tree)
    for number, write in enumerate(WRITES):
        base = bases[number % 3] if number % 2 else bases[0]
        kept.become(base)
        equal(tree, base, tmp_path / "copies")
        if isinstance(write, str):
            subprocess.run(["sh", "-c", write], cwd=tree, capture_output=True, check=False)
    kept.become(bases[0])
    equal(tree, bases[0], tmp_path / "copies")


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(STEPS, min_size=1, max_size=8), st.sampled_from([0, 1, 2]))
def test_any_series_of_writes(bases, tmp_path_factory, steps, then):
    scratch = tmp_path_factory.mktemp("scratch")
    tree = scratch / "tree"
    tree.mkdir()
    kept = KeptTree(tree)
    kept.become(bases[0])
    line = "; ".join(step.format(*names) for step, *names in steps)
    subprocess.run(["sh", "-c", line], cwd=tree, capture_output=True, check=False)
    kept.become(bases[then])
    equal(tree, bases[then], scratch)


def test_a_write_that_hides_its_traces_is_found(bases, tmp_path):
    tree = tmp_path / "tree"
    tree.mkdir()
    kept = KeptTree(tree)
    kept.become(bases[0])
    file = tree / "a.txt"
    before = file.stat()
    with open(file, "r+") as open_file:  # at once, of the same length, with the old times and mode
        open_file.write("FIRST")
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    kept.become(bases[0])
    assert file.read_text() == FILES["a.txt"]


def test_what_is_as_it_was_is_not_written_again(bases, tmp_path):
    tree = tmp_path / "tree"
    tree.mkdir()
    kept = KeptTree(tree)
    kept.become(bases[0])
    before = {path: path.stat().st_ino for path in tree.rglob("*.py")}
    (tree / "b.txt").write_text("changed")
    kept.become(bases[1])
    assert {path: path.stat().st_ino for path in before} == before


def test_a_folder_that_is_no_prepared_base_is_read_each_time(tmp_path):
    (tmp_path / "plain").mkdir()
    (tmp_path / "plain" / "a.py").write_text("a = 1\n")
    (tmp_path / "kept").mkdir()
    kept = KeptTree(tmp_path / "kept")
    kept.become(tmp_path / "plain")
    (tmp_path / "plain" / "a.py").write_text("a = 2\n")
    (tmp_path / "plain" / "b.py").write_text("b = 1\n")
    kept.become(tmp_path / "plain")
    assert (tmp_path / "kept" / "a.py").read_text() == "a = 2\n" and (tmp_path / "kept" / "b.py").exists()


def test_a_missing_base_or_a_folder_that_cannot_be_written(bases, tmp_path):
    (tmp_path / "tree").mkdir()
    kept = KeptTree(tmp_path / "tree")
    with pytest.raises(WorkspaceError, match=r"prepared base .*none is missing"):
        kept.become(tmp_path / "none")
    (tmp_path / "tree").rmdir()
    with pytest.raises(WorkspaceError, match="cannot make"):
        kept.become(bases[0])
