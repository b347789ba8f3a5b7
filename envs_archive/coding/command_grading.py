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
_BUILD_FILES = {"makefile", "gnumakefile", "justfile", "taskfile.yml", "noxfile.py", "dodo.py", "sconstruct"}
_BUILD_FILES |= {"package.json", "cargo.toml", "build.rs", "go.mod", "cmakelists.txt", "pom.xml", "rakefile"}
_BUILD_FILES |= {"build.gradle", "build.gradle.kts", "build.xml", "composer.json", "phpunit.xml"}
_TEST_FILE = re.compile(
    r"(?:test[._-].*|.*[._-])?tests?(?:\.[^.]+)?|test[._-].*|.*\.test\.[^.]+|.*[._]spec\.[^.]+|"
    r"\.mocharc\..*|(?:jest|vitest|karma|ava)\.config\..*"
)
# What follows an interpreter, or a script as a command, in a line of a script or a build file.
_RUNS = re.compile(
    r"(?:(?<![\w./-])(?:python[\d.]*|sh|bash|node|ruby|perl|php|deno|bun|source)\s|\./)[^\n;&|#]*",
    re.MULTILINE,
)
MOST_SCRIPTS, SCRIPT_BYTES = 50, 200_000
_TEST_FOLDERS = frozenset({"__tests__", "spec", "specs"})  # besides those of Python


async def command_succeeds(
    task: Task, base: Path, changes: Mapping[str, bytes | None], rooms: GradingRooms
) -> tuple[bool, list[str]]:
    """Whether the test command ends with 0, and the flags of the submission; arguments as of ``grading.grade``.

    Raises:
        GradingError, WorkspaceError, PatchError, OSError: grading could not be done.
    """
    named, source = _named(task.test_cmd, base), patched_paths(task.patch) - patched_paths(task.test_patch)
    taken = {
        name: content
        for name, content in source_changes(task, base, changes).items()
        if not _decides(name, named, source)
    }
    scan = scan_changes(base, taken)
    async with rooms.room(task.instance_id, base) as session:
        changed = await lay_out(task, taken, session.workspace, scan.left_out)
        command = f"{_exports(base, changed)}\n{task.test_cmd}\n"
        result = await ask(session, command, rooms.limits.wall_s, None)
    return result.exit_code == 0 and not result.timed_out, scan.flags


def _named(command: str, base: Path) -> set[str]:
    """The files that a command names, and those that scripts and build files among them have run."""
    named = set(_words(command))
    known = {path.name for path in base.iterdir() if path.name.lower() in _BUILD_FILES}
    waiting = [name for name in named | known if not name.endswith(".py")]
    seen: set[str] = set()
    while waiting and len(seen) < MOST_SCRIPTS:
        name = waiting.pop()
        path = base / name
        if name in seen or not path.is_file() or path.stat().st_size > SCRIPT_BYTES:
            continue
        seen.add(name)
        text = path.read_text(encoding="utf-8", errors="replace").replace("\\\n", " ")
        ran = {word for line in _RUNS.findall(text) for word in _words(line) if (base / word).is_file()}
        waiting += [word for word in ran if not word.endswith(".py")]
        named |= ran
    return named


def _words(command: str) -> list[str]:
    """The words of a command, names of files in the form that changes have."""
    try:
        words = shlex.split(command, comments=True)
    except ValueError:
        words = command.split()
    # `python -m checks.run` names a file too.
    words = [word.strip("\"',") for word in words]
    words += [f"{word.replace('.', '/')}{end}" for word in words for end in (".py", "/__main__.py")]
    parts = [part for word in words for part in re.split(r"[;&|=<>()]", word) if part]
    folders = ["", *(after for word, after in itertools.pairwise(parts) if word in ("cd", "pushd", "-C"))]
    return [str(PurePosixPath(folder, part)) for folder in folders for part in parts]


def _decides(name: str, named: set[str], source: set[str]) -> bool:
    """Whether a file says what the tests are: it stays as it is in the base.

    Args:
        named: files that the command names.
        source: files that the reference solution changes.
    """
    *folders, file = PurePosixPath(name.lower()).parts
    if file in _BUILD_FILES:
        return True
    if name in source:
        return False
    in_tests = not name.endswith(".py") and any(folder in _TEST_FOLDERS for folder in folders)
    return name in named or bool(_TEST_FILE.fullmatch(file)) or in_tests


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
