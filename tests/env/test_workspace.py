"""Bases are deterministic and bare of history; workspaces are copies; changes are found without running git."""

import asyncio
import dataclasses
import os
import subprocess

import pytest
from env_project import BUGGY, FILES, FIXED, TASK

from envs_archive.coding.workspace import (
    PatchError,
    WorkspaceError,
    apply_patch,
    changed_files,
    list_files,
    make_workspace,
    prepare_base,
)


def git(folder, *arguments):
    command = ["git", "-c", "safe.directory=*", *arguments]
    return subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture
def source(tmp_path):
    """A repository with history: the fix is in its second commit."""
    folder = tmp_path / "source"
    for name, text in FILES.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    git(folder, "init", "-q")
    for message, text in (("one", BUGGY), ("two", FIXED)):
        (folder / "shapes" / "area.py").write_text(text)
        git(folder, "add", "-A")
        git(folder, "-c", "user.name=x", "-c", "user.email=x@y", "commit", "-qm", message)
    git(folder, "tag", "v1")
    return folder


def prepared(tmp_path, name, **fields):
    task = dataclasses.replace(TASK, **{"files": None, **fields})
    return asyncio.run(prepare_base(task, tmp_path / name))


def test_the_three_kinds_give_the_same_commit(source, tmp_path, monkeypatch):
    first = git(source, "rev-list", "--max-parents=0", "HEAD")
    # The user's own git settings must not matter.
    (tmp_path / "gitconfig").write_text("[core]\n\tautocrlf = true\n[init]\n\tdefaultBranch = other\n")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(tmp_path / "gitconfig"))
    from_git = prepared(tmp_path, "git", git_url=str(source), base_commit=first)
    (source / "shapes" / "area.py").write_text(BUGGY)
    (source / "shapes" / "__pycache__").mkdir()
    (source / "shapes" / "__pycache__" / "area.pyc").write_bytes(b"the fix")
    from_folder = prepared(tmp_path, "folder", repo_path=source)
    from_files = prepared(tmp_path, "files", files=FILES)
    commits = {git(base, "rev-parse", "HEAD") for base in (from_git, from_folder, from_files)}
    assert len(commits) == 1
    for base in (from_git, from_folder, from_files):
        assert list_files(base) == sorted(FILES)
        assert git(base, "rev-list", "--all", "--count") == "1"
        assert git(base, "status", "--porcelain") == ""
        assert (
            git(base, "remote") == git(base, "tag") == git(base, "reflog") == git(base, "stash", "list") == ""
        )
        everything = b"".join(path.read_bytes() for path in base.rglob("*") if path.is_file())
        assert str(source).encode() not in everything
        objects = git(base, "cat-file", "--batch-all-objects", "--batch-check")
        assert len(objects.splitlines()) == 9  # one commit, three folders, five files: not the fix


def test_a_base_is_made_once_and_whole(tmp_path):
    base = prepared(tmp_path, "base", files=FILES)
    stamp = (base / ".git" / "HEAD").stat().st_ino
    assert prepared(tmp_path, "base", files=FILES) == base
    assert (base / ".git" / "HEAD").stat().st_ino == stamp
    assert [path.name for path in tmp_path.iterdir()] == ["base"]


def test_a_base_that_cannot_be_made(tmp_path, source):
    with pytest.raises(WorkspaceError, match="fetch failed"):
        prepared(tmp_path, "a", git_url=str(tmp_path / "nowhere"), base_commit="abc")
    with pytest.raises(WorkspaceError, match=r"commit 0+ is not in"):
        prepared(tmp_path, "b", git_url=str(source), base_commit="0" * 40)
    (source / "link").symlink_to("/etc")
    with pytest.raises(WorkspaceError, match="the link link leads out"):
        prepared(tmp_path, "c", repo_path=source)
    assert [path.name for path in tmp_path.iterdir()] == ["source"]


def test_a_workspace_is_a_copy_that_git_finds_clean(base, tmp_path):
    (base / "README.md").chmod(0o755)
    try:
        tree = make_workspace(base, tmp_path / "tree")
    finally:
        (base / "README.md").chmod(0o644)
    assert os.access(tree / "README.md", os.X_OK)
    assert changed_files(tree, base) == {}
    assert git(make_workspace(base, tmp_path / "other"), "status", "--porcelain") == ""
    assert not (make_workspace(base, tmp_path / "bare", with_git=False) / ".git").exists()
    (tree / "README.md").write_text("x")
    assert (base / "README.md").read_text() == FILES["README.md"]
    with pytest.raises(WorkspaceError, match="is missing"):
        make_workspace(tmp_path / "none", tmp_path / "more")


def test_changes_are_regular_files_only(workspace, base, tmp_path):
    (workspace / "shapes" / "area.py").write_text(FIXED)
    (workspace / "shapes" / "new.bin").write_bytes(b"\0\xff")
    (workspace / "README.md").unlink()
    (workspace / "shapes" / "outline.py").touch()
    (workspace / "link.py").symlink_to(tmp_path)
    os.mkfifo(workspace / "pipe")
    (workspace / os.fsdecode(b"\xff.py")).write_text("")
    (workspace / "large.txt").write_bytes(b"x" * (4 * 2**20 + 1))
    (workspace / "__pycache__").mkdir()
    (workspace / "__pycache__" / "a.pyc").write_text("")
    (workspace / "locked").mkdir()
    (workspace / "locked" / "a.py").write_text("a")
    (workspace / "locked" / "a.py").chmod(0)
    (workspace / "locked").chmod(0)
    assert changed_files(workspace, base) == {
        "README.md": None,
        "locked/a.py": b"a",
        "shapes/area.py": FIXED.encode(),
        "shapes/new.bin": b"\0\xff",
    }


def test_git_of_the_workspace_is_never_run(workspace, base, tmp_path):
    (workspace / ".git" / "config").write_text(f"[core]\n\tfsmonitor = touch {tmp_path}/owned\n")
    changed_files(workspace, base)
    assert not (tmp_path / "owned").exists()


def test_apply_patch(tmp_path, base):
    tree = make_workspace(base, tmp_path / "tree", with_git=False)
    asyncio.run(apply_patch(tree, TASK.patch.rstrip("\n")))
    assert (tree / "shapes" / "area.py").read_text() == FIXED
    asyncio.run(apply_patch(tree, ""))
    with pytest.raises(PatchError, match=r"does not apply: .*shapes/area.py"):
        asyncio.run(apply_patch(tree, TASK.patch))
    with pytest.raises(PatchError):
        asyncio.run(apply_patch(tree, TASK.patch.replace("b/shapes", "b/../shapes")))
