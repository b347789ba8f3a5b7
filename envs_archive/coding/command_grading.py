"""Grades a task that names no tests: by the exit code of its test command, in the same second, clean tree.

What is printed is never read. Every ``python`` and ``pytest`` that the command starts by name runs under a guard
(`grader/alma_grading_command.py`), so that ending the process is no success. Of other programs the exit code is
believed: a command is as hard to deceive as what it starts.
"""

from __future__ import annotations

import itertools
import json
import re
import shlex
import sys
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

from evals.utils.session import WORKSPACE

from .clean_tree import lay_out
from .grading_rooms import GRADER_INSIDE, GradingRooms, ask
from .grading_rules import patched_paths, source_changes
from .pytest_settings import import_roots
from .tamper_scan import scan_changes
from .tasks import Task

# What build tools and other languages' test runners read, where the name alone tells.
_BUILD_FILES = {
    "makefile",
    "gnumakefile",
    "justfile",
    "taskfile.yml",
    "noxfile.py",
    "tasks.py",
    "dodo.py",
    "sconstruct",
}
_BUILD_FILES |= {
    "manage.py",
    "package.json",
    "cargo.toml",
    "build.rs",
    "go.mod",
    "cmakelists.txt",
    "pom.xml",
    "rakefile",
}
_BUILD_FILES |= {
    "build.gradle",
    "build.gradle.kts",
    "build.xml",
    "composer.json",
    "phpunit.xml",
    ".mocharc.json",
}
_TEST_FILE = re.compile(
    r"(?:.*[._-])?(?:tests?|specs?|check|conftest)(?:[._-].*)?|(?:jest|vitest|karma|ava)\.config\..*"
)
_TEST_FOLDERS = frozenset({"test", "tests", "__tests__", "spec", "specs"})


async def command_succeeds(
    task: Task, base: Path, changes: Mapping[str, bytes | None], rooms: GradingRooms
) -> tuple[bool, list[str]]:
    """Whether the test command ends with 0, and the flags of the submission; arguments as of ``grading.grade``.

    Raises:
        GradingError, WorkspaceError, PatchError, OSError: grading could not be done.
    """
    # Of files that the command names, those that the reference solution changes are source.
    named = set(_words(task.test_cmd)) - patched_paths(task.patch)
    taken = {
        name: content
        for name, content in source_changes(task, base, changes).items()
        if not _decides(name, named)
    }
    scan = scan_changes(base, taken)
    async with rooms.room(task.instance_id, base) as session:
        changed = await lay_out(task, taken, session.workspace, scan.left_out)
        command = f"{_exports(base, changed)}\n{task.test_cmd}\n"
        result = await ask(session, command, rooms.limits.wall_s, None)
    return result.exit_code == 0 and not result.timed_out, scan.flags


def _words(command: str) -> list[str]:
    """The words of a command, names of files in the form that changes have."""
    try:
        words = shlex.split(command, comments=True)
    except ValueError:
        words = command.split()
    # `python -m checks.run` names a file too.
    words += [f"{word.replace('.', '/')}{end}" for word in words for end in (".py", "/__main__.py")]
    parts = [part for word in words for part in re.split(r"[;&|=<>()]", word) if part]
    folders = ["", *(after for word, after in itertools.pairwise(parts) if word in ("cd", "pushd", "-C"))]
    return [str(PurePosixPath(folder, part)) for folder in folders for part in parts]


def _decides(name: str, named: set[str]) -> bool:
    """Whether a file says what the tests are: it stays as it is in the base."""
    *folders, file = PurePosixPath(name.lower()).parts
    if name in named or file in _BUILD_FILES or _TEST_FILE.fullmatch(file):
        return True
    return any(folder in _TEST_FOLDERS for folder in folders)


def _exports(base: Path, changed: list[str]) -> str:
    roots = [f"{WORKSPACE}/{name}" for name in import_roots(base)]
    names = json.dumps(changed)
    variables = {
        "PYTHONPATH": ":".join(roots),
        "ALMA_GRADING_PYTHON": sys.executable,
        "ALMA_GRADING_TREE": WORKSPACE,
        "ALMA_GRADING_CHANGED": names,
    }
    lines = [f"export {name}={shlex.quote(value)}" for name, value in variables.items()]
    return "\n".join([*lines, f'export PATH="{GRADER_INSIDE}/bin:$PATH"'])
