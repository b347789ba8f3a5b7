"""Reads a repository's history without touching it: objects are borrowed, nothing is checked out, none of its hooks or
settings is heard."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from .repository import RepositoryError, is_source_path, is_test_path

MOST_COMMITS = 5000


@dataclass(frozen=True)
class Commit:
    """One commit with one parent.

    Attributes:
        changed: path -> A, M, D or T.
    """

    sha: str
    parent: str
    message: str
    changed: dict[str, str]

    @property
    def sources(self) -> list[str]:
        return [path for path in self.changed if is_source_path(path)]

    @property
    def tests(self) -> list[str]:
        """Changed files of the tests, data included."""
        return [path for path in self.changed if is_test_path(path)]


class History:
    """Args:
    path: a work tree or a bare repository.
    scratch: an existing folder for what we need.

    Raises:
        RepositoryError: there is no history, or it cannot be read.
    """

    def __init__(self, path: Path, scratch: Path) -> None:
        self._folder = scratch / "history.git"
        inside = ["rev-parse", "--git-path", "objects", "--git-path", "shallow", "--show-cdup", "HEAD"]
        try:
            objects, shallow, *above, head = self._git(path, *inside).splitlines()
        except (RepositoryError, ValueError):
            raise RepositoryError(f"{path}: has no git history to take bug fixes from (--from_git)") from None
        if any(above) and above[0]:
            raise RepositoryError(f"{path}: is inside a git repository; give its top folder")
        self.head = head
        self._git(scratch, "init", "-q", "--bare", "--template=", str(self._folder))
        borrowed = (path / objects).resolve()
        (self._folder / "objects" / "info").mkdir(exist_ok=True)
        (self._folder / "objects" / "info" / "alternates").write_text(f"{borrowed}\n")
        if (path / shallow).is_file():
            (self._folder / "shallow").write_bytes((path / shallow).read_bytes())

    def commits(self) -> Iterator[Commit]:
        """Commits with one parent, the newest first."""
        form = "%x01%H%x00%P%x00%B%x00"
        log = [
            "log",
            "--no-merges",
            f"-n{MOST_COMMITS}",
            "--no-renames",
            "--name-status",
            "-z",
            f"--format={form}",
        ]
        for entry in self._git(self._folder, *log, self.head).split("\x01")[1:]:
            sha, parents, message, *names = entry.split("\0")
            names = [name.strip("\n") for name in names if name.strip("\n")]
            if len(parents.split()) == 1:
                yield Commit(sha, parents, message, dict(zip(names[1::2], names[::2], strict=False)))

    def export(self, commit: str, target: Path) -> None:
        """Write the tree of a commit into a folder that is not there yet."""
        target.mkdir(parents=True)
        places = {
            "GIT_DIR": str(self._folder),
            "GIT_WORK_TREE": str(target),
            "GIT_INDEX_FILE": str(target.with_name(f"{target.name}.index")),
        }
        self._git(target, "read-tree", commit, more=places)
        self._git(target, "checkout-index", "-a", "-f", more=places)

    def diff(self, commit: Commit, paths: Sequence[str]) -> str:
        """A patch from a commit's parent to it, of some files; empty for none."""
        if not paths:
            return ""
        options = ["--no-color", "--no-ext-diff", "--no-textconv", "--no-renames", "--binary", "--full-index"]
        return self._git(self._folder, "diff", *options, commit.parent, commit.sha, "--", *paths)

    def files(self, commit: str) -> set[str]:
        return set(self._git(self._folder, "ls-tree", "-r", "--name-only", "-z", commit).split("\0"))

    def _git(self, folder: Path, *arguments: str, more: dict[str, str] | None = None) -> str:
        environment = {
            "PATH": os.environ.get("PATH", os.defpath),
            "HOME": "/nonexistent",
            "LC_ALL": "C",
            "GIT_CONFIG_GLOBAL": os.devnull,
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_TERMINAL_PROMPT": "0",
            "GIT_NO_LAZY_FETCH": "1",
            "GIT_OPTIONAL_LOCKS": "0",
            "GIT_LITERAL_PATHSPECS": "1",
            "GIT_CEILING_DIRECTORIES": str(folder.resolve().parent),
            **(more or {}),
        }
        command = ["git", "-c", "safe.directory=*", *arguments]
        try:
            done = subprocess.run(
                command, cwd=folder, env=environment, stdin=subprocess.DEVNULL, capture_output=True
            )
        except OSError as error:
            raise RepositoryError(f"git cannot be started in {folder}: {error.strerror}") from error
        if done.returncode:
            said = " ".join(done.stderr.decode("utf-8", "replace").split())[:200]
            raise RepositoryError(f"git {arguments[0]}: {said}")
        return done.stdout.decode("utf-8", "replace")
