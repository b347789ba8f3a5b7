"""Somebody's repository: a private copy to work on, which files are source, and proof that it was not touched."""

from __future__ import annotations

import ast
import contextlib
import os
import re
import shutil
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from envs_archive.coding.grading_rules import CONFIGURATION, IGNORED_FOLDERS
from envs_archive.coding.tasks import Task
from envs_archive.coding.workspace import WorkspaceError, prepare_base

MAX_FILE = 8 << 20  # bytes; larger files are data that no test of a library needs
MAX_TREE = 256 << 20
LEFT_OUT_AT_TOP = frozenset({"build", "dist"})
NO_SOURCE = frozenset(
    {"docs", "doc", "examples", "example", "benchmarks", "benchmark", "scripts", "tools", "tasks"}
)
TEST_FOLDERS = frozenset({"test", "tests", "testing"})
_TEST_NAME = re.compile(r"(?:test_.*|.*_tests?|tests?|conftest)\.py")

Fingerprint = dict[str, tuple[int, int, int]]


class RepositoryError(ValueError):
    """Tasks cannot be made of this repository. One line that says why and what to do."""


@dataclass(frozen=True)
class Repository:
    """A private copy of a repository.

    Attributes:
        name: for ids and the rows' ``repo`` and ``project``.
        base: its prepared base (see ``workspace.prepare_base``).
        sources: Python files of the library that can be edited as text, sorted.
        left_out: what was not copied, in words.
    """

    name: str
    base: Path
    sources: tuple[str, ...]
    left_out: tuple[str, ...] = ()

    def text(self, path: str) -> str:
        return (self.base / path).read_text(encoding="utf-8")


def is_test_path(path: str) -> bool:
    """Whether a file belongs to the tests by its name or place, data files of tests included."""
    *folders, file = PurePosixPath(path).parts
    return bool(_TEST_NAME.fullmatch(file)) or any(folder.lower() in TEST_FOLDERS for folder in folders)


def is_source_path(path: str) -> bool:
    """Whether a file may be a module of the library, going by its name and place."""
    *folders, file = PurePosixPath(path).parts
    return (
        file.endswith(".py")
        and not is_test_path(path)
        and file.lower() not in CONFIGURATION | {"noxfile.py", "__main__.py"}
        and not (folders and folders[0].lower() in NO_SOURCE)
    )


def editable_text(path: Path) -> str | None:
    """The text of a Python file in which lines can be exchanged and told by a unified diff; else None."""
    try:
        text = path.read_bytes().decode("utf-8")
        ast.parse(text)
    except (OSError, UnicodeDecodeError, SyntaxError, ValueError):
        return None
    # Form feeds and the like end a line for some programs and not for others.
    return text if text.endswith("\n") and text.splitlines() == text[:-1].split("\n") else None


def fingerprint(root: Path) -> Fingerprint:
    """Mode, size and time of change of everything in a folder, its history included."""
    found = {}
    for folder, folders, files in os.walk(root):
        for name in (*folders, *files):
            path = os.path.join(folder, name)
            with contextlib.suppress(FileNotFoundError):  # gone in this moment
                status = os.lstat(path)
                found[os.path.relpath(path, root)] = (status.st_mode, status.st_size, status.st_mtime_ns)
    return found


def repository_name(root: Path) -> str:
    """A folder's name as the name of a project: without a version, in characters that file names have."""
    name = re.sub(r"[-_]v?\d+(\.\w+)*$", "", root.resolve().name.removesuffix(".git"))
    return re.sub(r"[^\w.-]+", "-", name).strip("-.") or "repository"


async def copy_repository(root: Path, scratch: Path, only: str | None = None) -> Repository:
    """Copy a repository's tree, without its history, and prepare the base that tasks start from.

    Args:
        only: a folder or file in it; bugs are planted nowhere else.

    Raises:
        RepositoryError: it is no Python project, too large, or ``only`` is not in it.
    """
    if not root.is_dir():
        raise RepositoryError(
            f"{root}: {'is no directory' if root.exists() else 'there is no such directory'}"
        )
    tree = scratch / "tree"
    left_out = _copy(root, tree)
    return await make_repository(repository_name(root), tree, scratch / "base", only, left_out, shown=root)


async def make_repository(
    name: str,
    tree: Path,
    base: Path,
    only: str | None = None,
    left_out: tuple[str, ...] = (),
    shown: Path | None = None,
) -> Repository:
    """The repository of a tree that is ours already; ``shown`` is how messages call it. Raises as above."""
    shown = shown or tree
    files = sorted(path.relative_to(tree).as_posix() for path in tree.rglob("*.py") if path.is_file())
    if not files:
        bare = (shown / "HEAD").is_file() and (shown / "objects").is_dir()
        hint = ": a bare git repository; give a work tree, or --from_git" if bare else ""
        raise RepositoryError(f"{shown}: is no Python project: it has no .py file{hint}")
    task = Task(instance_id="base", problem_statement="-", fail_to_pass=(), pass_to_pass=(), repo_path=tree)
    try:
        await prepare_base(task, base)
    except WorkspaceError as error:
        raise RepositoryError(f"{shown}: {error}") from error
    chosen = [path for path in files if is_source_path(path)]
    if only is not None:
        inside = PurePosixPath(os.path.normpath(only))
        chosen = [path for path in chosen if PurePosixPath(path).is_relative_to(inside)]
        if not chosen:
            raise RepositoryError(f"--package {only}: no source file of {shown} is in it")
    sources = tuple(path for path in chosen if editable_text(base / path) is not None)
    odd = len(chosen) - len(sources)
    if not sources:
        why = f"{odd} are no UTF-8 text with \\n line ends" if odd else "there are only tests and scripts"
        raise RepositoryError(f"{shown}: has no module that a bug can be planted in: {why}")
    if odd:
        left_out += (f"{odd} source files that are no UTF-8 text with \\n line ends",)
    return Repository(name, base, sources, left_out)


def _copy(root: Path, target: Path) -> tuple[str, ...]:
    """Copy what tests may need; returns what was left out, in words."""
    large, links = [], []
    total = 0
    inside = root.resolve()
    target.mkdir(parents=True)
    for folder, folders, files in os.walk(root):
        here = target / os.path.relpath(folder, root)
        for name in list(folders):
            path = Path(folder, name)
            built = folder == str(root) and name in LEFT_OUT_AT_TOP
            if built or name in IGNORED_FOLDERS or (path / "pyvenv.cfg").exists():
                folders.remove(name)
            elif path.is_symlink():
                folders.remove(name)
                files.append(name)
            else:
                (here / name).mkdir()
        for name in files:
            path = Path(folder, name)
            if name == ".git" or name.endswith((".pyc", ".pyo")) or name == ".coverage":
                continue
            if path.is_symlink():
                if os.path.isabs(os.readlink(path)) or not path.resolve().is_relative_to(inside):
                    links.append(name)
                    continue
            elif not path.is_file():
                continue
            elif path.stat().st_size > MAX_FILE:
                large.append(name)
                continue
            shutil.copy2(path, here / name, follow_symlinks=False)
            total += path.lstat().st_size
            if total > MAX_TREE:
                raise RepositoryError(
                    f"{root}: holds more than {MAX_TREE >> 20} MiB besides its history: give the folder of one library"
                )
    said = [(large, f"files over {MAX_FILE >> 20} MiB"), (links, "links that lead out of the folder")]
    return tuple(f"{len(names)} {what} ({', '.join(names[:3])})" for names, what in said if names)
