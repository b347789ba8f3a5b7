"""What decides on a score is nowhere where an agent, a design or code under test can read it, and nothing of one task
is left for the next."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import subprocess
from pathlib import Path

import pytest
from solvers import BUGGY

from envs_archive.coding.grading import grade
from envs_archive.coding.grading_rooms import GradingRooms
from envs_archive.coding.tasks import load_tasks
from envs_archive.coding.workspace import make_workspace, prepare_base
from evals.utils.sandbox import Limits, probe
from tests.env.env_project import NOP_REWARD, TASK

ROOT = Path(__file__).resolve().parents[2]


def git(tree: Path, *words: str) -> str:
    done = subprocess.run(["git", "-c", "safe.directory=*", *words], cwd=tree, capture_output=True, text=True)
    return done.stdout.strip()


@pytest.mark.parametrize(
    "task", load_tasks(ROOT / "data/coding/samples.jsonl"), ids=lambda task: task.instance_id
)
def test_a_workspace_has_one_commit_and_no_answer(task, tmp_path):
    base = asyncio.run(prepare_base(task, tmp_path / "base"))
    tree = make_workspace(base, tmp_path / "tree")
    assert git(tree, "rev-list", "--all", "--count") == "1"
    assert git(tree, "remote") == git(tree, "tag") == git(tree, "stash", "list") == git(tree, "reflog") == ""
    assert not (tree / ".git" / "hooks").exists() and not (tree / ".git" / "logs").exists()
    objects = git(tree, "cat-file", "--batch-all-objects", "--batch-check=%(objecttype)").split()
    assert objects.count("commit") == 1
    reachable = git(tree, "rev-list", "--all", "--objects").splitlines()
    assert len(reachable) == len(objects)  # nothing hangs loose
    public = json.dumps(task.public(base))
    text = public + "".join(p.read_text(errors="replace") for p in tree.rglob("*") if p.is_file())
    hidden = [line[1:].strip() for line in task.test_patch.splitlines() if line.startswith("+def test_")]
    solution = [
        line[1:].strip() for line in task.patch.splitlines() if line.startswith("+") and line[1:2] != "+"
    ]
    assert not any(line in text for line in hidden)
    assert not any(line in text for line in solution if len(line) > 20)
    assert not any(word in public for word in ("FAIL_TO_PASS", "PASS_TO_PASS", "::test_"))


SPY = """\
import os
found = []
for root in ("/workspace", "/tmp", "/dev/shm", "/run", os.path.expanduser("~")):
    for folder, _, names in os.walk(root):
        for name in names:
            try:
                with open(os.path.join(folder, name), "rb") as handle:
                    if b"area_of_" + b"another" in handle.read(1 << 20):
                        found.append(name)
            except OSError:
                pass
for name in ("environ", "cmdline"):
    with open("/proc/self/" + name, "rb") as handle:
        if b"area_of_" + b"another" in handle.read():
            found.append(name)
if found:
    os._exit(3)
"""


def test_hidden_tests_are_on_no_disk_and_in_no_argument_while_they_run(tmp_path):
    """The spy ends the process when it finds one, and then nothing passes."""

    async def run():
        base = await prepare_base(TASK, tmp_path / "base")
        rooms = GradingRooms(probe("auto"), Limits(wall_s=40))
        try:
            spied = await grade(TASK, base, {"shapes/area.py": (SPY + BUGGY).encode()}, rooms)
            leak = {"shapes/area.py": (SPY + BUGGY).encode(), "shapes/x.txt": b"test_area_of_another"}
            caught = await grade(dataclasses.replace(TASK, instance_id="other"), base, leak, rooms)
            return spied, caught
        finally:
            await rooms.close()

    spied, caught = asyncio.run(run())
    assert spied.reward == NOP_REWARD
    assert caught.reward == 0.0  # the spy works


def test_the_verdict_says_nothing_of_the_tests(tmp_path):
    """Neither names nor messages of hidden tests: a memory that reads the record learns a number."""

    async def run():
        base = await prepare_base(TASK, tmp_path / "base")
        rooms = GradingRooms(probe("auto"), Limits(wall_s=40))
        try:
            changes = {"shapes/area.py": b"def area(width, height):\n    raise ValueError('seen ' * 9)\n"}
            return await grade(TASK, base, changes, rooms)
        finally:
            await rooms.close()

    text = json.dumps(dataclasses.asdict(asyncio.run(run())))
    assert not any(word in text for word in ("test_", "another", "assert", "seen", "Traceback"))
