"""Workspaces of large bases: no write reaches the base or another workspace, and all is as in a plain copy."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from envs_archive.coding.episode_tree import LARGE
from envs_archive.coding.tasks import Task
from envs_archive.coding.workspace import prepare_base
from evals.utils import overlay
from evals.utils.sandbox import View, sandboxed_argv
from tests.env.tree_process import look

ROOT = Path(__file__).resolve().parents[2]
FILES = {f"pkg/part{number // 50}/m{number}.py": f"VALUE = {number}\n" for number in range(LARGE + 20)}
FILES |= {
    "a.txt": "first\nsecond\n",
    "b.txt": "other\n",
    "tools/run.sh": "echo run\n",
    "docs/x/y.md": "text\n",
}

# Every way of writing that comes to mind; each is run in a workspace of its own.
WRITES = [
    "sed -i s/first/FIRST/ a.txt",
    "echo more >> a.txt",
    ": > a.txt",
    "python -c \"f = open('a.txt', 'r+'); f.write('X'); f.close()\"",
    "python -c \"import os; d = os.open('a.txt', os.O_WRONLY); os.pwrite(d, b'XX', 3)\"",
    "python -c \"import mmap; f = open('a.txt', 'r+b'); m = mmap.mmap(f.fileno(), 0); m[0:2] = b'ZZ'; m.close()\"",
    "truncate -s 3 a.txt",
    "dd if=/dev/zero of=a.txt bs=1 count=2 conv=notrunc status=none",
    "chmod 755 a.txt",
    "chmod 000 a.txt",
    "chmod 700 docs",
    "touch -d 2001-01-01 a.txt",
    "rm a.txt",
    "rm -rf docs && mkdir -p docs/x && echo new > docs/x/z.md",
    "mv a.txt c.txt",
    "mv docs papers",
    "mv b.txt a.txt",
    "cp b.txt a.txt",
    "cp -a tools/run.sh docs/x/y.md",
    "ln a.txt linked && echo through >> linked",
    "ln -s a.txt soft && echo through >> soft",
    "ln -sf /etc/passwd a.txt",
    "rm a.txt && mkdir a.txt && echo in > a.txt/in.py",
    "rm -rf docs && echo file > docs",
    "tee pkg/part0/m1.py pkg/part1/m50.py < b.txt",
    "printf 'x = 1\\n' > pkg/part0/new.py; mkdir empty; mkfifo pipe",
    "find pkg -name '*.py' -exec sed -i s/VALUE/value/ {} +",
    "git rm -q a.txt && git commit -qm gone && git checkout -q HEAD~1",
    "echo x > a.txt && git stash -q && git stash pop -q",
    "git checkout -q -b other && echo y > b.txt && git commit -qam y && git checkout -q main",
    "git mv a.txt moved.txt && git status --short",
    "tar cf t.tar docs && rm -r docs && tar xf t.tar && rm t.tar",
    "python -c \"import os; os.setxattr('a.txt', 'user.x', b'1')\"",
    ["python", "(here / 'a.txt').write_text('by the actions')"],
    ["python", "(here / 'a.txt').unlink(); (here / 'docs/x/y.md').chmod(0o755)"],
]


@pytest.fixture(scope="module")
def base(tmp_path_factory) -> Path:
    task = Task("large", "x", ("t",), (), files=FILES)
    return asyncio.run(prepare_base(task, tmp_path_factory.mktemp("bases") / "base"))


def run_process(
    base: Path, scratch: Path, rounds: list, *, overlays: bool = True, kind: str = "auto"
) -> dict:
    scratch.mkdir()
    asked = {"base": str(base), "scratch": str(scratch), "rounds": rounds, "overlays": overlays, "kind": kind}
    done = subprocess.run(
        [sys.executable, "-m", "tests.env.tree_process"],
        cwd=ROOT,
        input=json.dumps(asked),
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    assert list(scratch.iterdir()) == []
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def with_overlays(base, tmp_path_factory):
    """All writes, each in a workspace of its own, at the same time as one where nothing is written."""
    before = everything(base)
    answer = run_process(base, tmp_path_factory.mktemp("scratch") / "s", [[[write], []] for write in WRITES])
    if not answer["overlays"]:
        pytest.skip("overlays cannot be made here")
    return before, answer["rounds"]


def everything(tree: Path) -> dict:
    status = {str(p.relative_to(tree)): [p.lstat().st_mtime_ns, p.lstat().st_mode] for p in tree.rglob("*")}
    return {"files": look(tree), "status": status, "git": look(tree / ".git")}


def test_no_write_reaches_the_base_or_another_workspace(base, with_overlays):
    before, rounds = with_overlays
    assert everything(base) == before
    for write, (writer, bystander) in zip(WRITES, rounds, strict=True):
        assert bystander["seen"] == before["files"], write
        assert bystander["changes"] == {}, write
        assert all(code == 0 and not error for code, _, error in writer["outputs"]), (
            write,
            writer["outputs"],
        )


def test_the_same_is_seen_and_found_as_in_a_copy(base, with_overlays, tmp_path):
    copies = run_process(base, tmp_path / "s", [[[write]] for write in WRITES], overlays=False)
    assert not copies["overlays"]
    for write, over, copy in zip(WRITES, with_overlays[1], copies["rounds"], strict=True):
        for what in ("outputs", "changes", "seen"):
            assert over[0][what] == copy[0][what], (write, what)


NAMES = st.sampled_from(
    ["a.txt", "docs", "docs/x", "docs/x/y.md", "pkg/part0", "pkg/part0/m1.py", "new", "docs/new"]
)
STEPS = st.one_of(
    st.tuples(
        st.sampled_from(["rm -rf {}", "mkdir -p {}", "echo text > {}", "echo more >> {}", "chmod 755 {}"]),
        NAMES,
    ),
    st.tuples(st.sampled_from(["mv -f {} {}", "cp {} {}", "ln -sfn {} {}", "ln -f {} {}"]), NAMES, NAMES),
)


@settings(
    max_examples=2,
    deadline=None,
    derandomize=True,  # what a command that fails half way leaves behind depends on the order of a folder's entries
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(st.lists(st.lists(STEPS, min_size=1, max_size=8), min_size=8, max_size=8))
def test_any_series_of_writes_comes_to_the_same_as_in_a_copy(base, tmp_path_factory, series):
    commands = [
        [f"({'; '.join(step.format(*names) for step, *names in steps)}) > /dev/null 2>&1; true"]
        for steps in series
    ]
    scratch, before = tmp_path_factory.mktemp("scratch"), look(base)
    over = run_process(base, scratch / "over", [commands])
    copies = run_process(base, scratch / "copies", [commands], overlays=False)
    assert look(base) == before
    for command, first, second in zip(commands, over["rounds"][0], copies["rounds"][0], strict=True):
        assert first == second, command


def test_where_nothing_can_be_mounted_there_is_a_copy(base, tmp_path):
    answer = run_process(base, tmp_path / "s", [[["echo x > a.txt"], []]], kind="process")
    assert not answer["overlays"]
    assert [found["changes"] for found in answer["rounds"][0]] == [{"a.txt": "eAo="}, {}]


def test_inside_the_sandbox_of_an_evaluation(base, tmp_path, best_kind):
    """Its file system is read-only but for the scratch folder, and commands run in a sandbox inside it."""
    if best_kind.kind != "bwrap":
        pytest.skip("no bwrap here")
    scratch = tmp_path / "s"
    scratch.mkdir()
    shown = tuple((path, str(path)) for path in (ROOT / "evals", ROOT / "envs_archive", ROOT / "tests", base))
    view = View(readonly=shown, writable=((scratch, str(scratch)),), cwd=str(ROOT))
    argv, env = sandboxed_argv(best_kind, [sys.executable, "-m", "tests.env.tree_process"], view)
    asked = {"base": str(base), "scratch": str(scratch), "overlays": True, "kind": "auto"}
    asked["rounds"] = [[["rm -r docs; echo x > a.txt; git status --short"], ["cat a.txt docs/x/y.md"]]]
    done = subprocess.run(argv, env=env, input=json.dumps(asked), capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    assert answer["overlays"]
    writer, bystander = answer["rounds"][0]
    assert writer["outputs"] == [[0, " M a.txt\n D docs/x/y.md\n", None]]
    assert writer["changes"] == {"a.txt": "eAo=", "docs/x/y.md": None}
    assert bystander["outputs"] == [[0, "first\nsecond\ntext\n", None]] and bystander["changes"] == {}
    assert list(scratch.iterdir()) == []


def test_this_process_has_entered_nothing():
    assert not overlay.entered()
