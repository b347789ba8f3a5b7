"""`--tasks swebench:FILE`: rows, a folder of repositories and an environments file become tasks.

Nothing is fetched: a commit comes from the folder, packages from an environment that was built with pip; or both are
in the image of the instance. A row that
cannot be used says why and is left out; it never stops the others.
"""

from __future__ import annotations

import itertools
import json
import re
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ..grading_rules import patched_paths
from ..pytest_settings import pytest_arguments
from ..tasks import DEFAULT_TEST_COMMAND, REPOSITORY, Task, task_from_row
from .counting import parser_of
from .environments import Entry, Environments, load_environments
from .images import image_name
from .official import IN_IMAGE, Environment, Official
from .rows import read_rows

PREFIX = "swebench:"
ENVIRONMENTS = REPOSITORY / "data" / "swebench" / "environments.yaml"
_START, _END = ">>>>> Start Test Output", ">>>>> End Test Output"
# What the harness does not take for a test module (`NON_TEST_EXTS`).
_NO_TESTS = (".json", ".png", "csv", ".txt", ".md", ".jpg", ".jpeg", ".pkl", ".yml", ".yaml", ".toml")
_COMMANDS = {
    "django": "./tests/runtests.py --verbosity 2 --settings=test_sqlite --parallel 1",
    "sympy": "bin/test -C --verbose",
}
_COMMIT = re.compile(r"[0-9a-f]{7,40}")
_NEEDED = ("instance_id", "repo", "base_commit", "problem_statement", "test_patch", "patch")


@dataclass(frozen=True)
class BadRow:
    """A row that cannot be used.

    Attributes:
        name: its instance, or ``row N``.
    """

    name: str
    reason: str


@dataclass
class Source:
    """What was read: tasks, and the rows that are none."""

    tasks: list[Task] = field(default_factory=list)
    bad: list[BadRow] = field(default_factory=list)
    rows: dict[str, dict[str, Any]] = field(default_factory=dict)


def load_source(tasks: str, repo_cache: str | None, environments: str | None, images: bool = False) -> Source:
    """Read what ``--tasks swebench:...`` names.

    Args:
        tasks: with the prefix.
        images: every instance is to run in its own image, which brings repository and environment; of the environments
            file only variables, test command and limits are taken.
        repo_cache: folder of repositories.
        environments: an environments file; default ``data/swebench/environments.yaml``.

    Raises:
        ValueError: the rows or the environments cannot be read at all.
    """
    known = load_environments(Path(environments or ENVIRONMENTS).expanduser())
    cache = Path(repo_cache).expanduser() if repo_cache else None
    if cache is not None and not cache.is_dir():
        raise ValueError(f"--repo_cache {cache} is no folder")
    read = Source()
    seen: set[str] = set()
    for number, row in enumerate(read_rows(tasks.removeprefix(PREFIX)), 1):
        name = row.get("instance_id") if isinstance(row, dict) else None
        name = name if isinstance(name, str) and name else f"row {number}"
        try:
            if name in seen:
                raise ValueError("its instance_id has occurred before")
            task = _task(row, cache, known, images)
        except ValueError as error:
            read.bad.append(BadRow(name, str(error)))
        else:
            seen.add(name)
            read.tasks.append(task)
            read.rows[name] = row
    if not read.tasks and not read.bad:
        raise ValueError(f"{tasks.removeprefix(PREFIX)}: holds no row")
    return read


def _task(row: Any, cache: Path | None, environments: Environments, images: bool) -> Task:
    if not isinstance(row, dict):
        raise ValueError(row if isinstance(row, str) else "a row must be an object")
    for name in _NEEDED:
        if not isinstance(row.get(name), str) or not row[name].strip():
            raise ValueError(f"field {name!r} is missing or empty")
    if not _COMMIT.fullmatch(row["base_commit"]):
        raise ValueError(f"base_commit {row['base_commit'][:50]!r} is no commit id")
    if row.get("eval_type") not in (None, "", "pass_and_fail"):
        raise ValueError(f"its eval_type {row['eval_type']} is not for Python tests")
    version = str(row.get("version") or "")
    parser = parser_of(str(row.get("log_parser") or ""), row["repo"])
    entry = environments.entry(row["repo"], version, row["instance_id"])
    if images:
        entry = _in_image(entry, row["repo"])
    elif entry is None:
        raise ValueError(
            f"no environment for {row['repo']} {version or '(no version)'}: add one to --environments"
        )
    command = _command(row, entry)
    made = {
        **{name: row[name] for name in _NEEDED},
        "version": version,
        "hints_text": str(row.get("hints_text") or ""),
        "FAIL_TO_PASS": _distinct(row.get("FAIL_TO_PASS")),
        "PASS_TO_PASS": _distinct(row.get("PASS_TO_PASS")),
        "test_cmd": DEFAULT_TEST_COMMAND if _is_pytest(command) else _without_tests(command, row),
        "official": Official(command, parser, entry.environment, image_name(row) if images else "").to_row(),
    }
    if images:
        return task_from_row(made, Path())
    made["git_url"] = row.get("git_url") or str(find_repository(cache, row["repo"], row["base_commit"]))
    if Path(made["git_url"]).is_dir() and not is_git(Path(made["git_url"])):
        made["repo_path"] = made.pop("git_url")
    return task_from_row(made, Path())


def _in_image(entry: Entry | None, repo: str) -> Entry:
    """What an entry says of tests, without what it says of the Python they run with."""
    if entry is None:
        return Entry(Environment(IN_IMAGE, repo, IN_IMAGE, install=()), frozenset(), frozenset())
    environment = replace(entry.environment, name=IN_IMAGE, python=IN_IMAGE, packages=(), install=())
    return replace(entry, environment=environment)


def _distinct(ids: Any) -> Any:
    """A list of test ids without repetitions: ids that were cut can have become the same."""
    if isinstance(ids, str):
        try:
            ids = json.loads(ids)
        except ValueError:
            return ids
    return list(dict.fromkeys(ids)) if isinstance(ids, list) and all(isinstance(i, str) for i in ids) else ids


def _command(row: dict[str, Any], entry: Entry) -> str:
    """The command that runs the tests of a row."""
    own = _own_command(str(row.get("eval_script") or ""))
    if own and not entry.test_cmd:
        command = own
    else:
        name = row["repo"].rpartition("/")[2]
        command = entry.test_cmd or _COMMANDS.get(name, "pytest -rA")
        command = " ".join([command, *map(shlex.quote, _directives(row, command))])
    launch(command)  # refuses what cannot be run
    return command


def _own_command(script: str) -> str:
    """What stands between the marks of the row's evaluation script."""
    if _START not in script:
        return ""
    lines = script.partition(_START)[2].partition(_END)[0].splitlines()
    lines = [line.strip() for line in lines[1:]]
    lines = [line for line in lines if line and not line.startswith((":", "#"))]
    if len(lines) > 1:
        raise ValueError("its evaluation script has several test commands: give test_cmd in --environments")
    return lines[0] if lines else ""


def _directives(row: dict[str, Any], command: str) -> Iterator[str]:
    """The test files that the test patch touches, as the command takes them."""
    for path in re.findall(r"^diff --git a/.* b/(.*)$", row["test_patch"], re.MULTILINE):
        if not path.endswith(_NO_TESTS):
            modules = "runtests.py" in command
            yield path.removesuffix(".py").removeprefix("tests/").replace("/", ".") if modules else path


@dataclass(frozen=True)
class Launch:
    """How the launcher runs a command: ``module``, ``script`` or ``unittest``, its words, its variables."""

    how: str
    words: tuple[str, ...]
    variables: dict[str, str]
    functions_only: bool = False


def launch(command: str) -> Launch:
    """Take a test command to pieces.

    pytest wrapped in tox is run without tox; sympy's own runner is replaced by pytest, told as that runner tells it.

    Raises:
        ValueError: it is none of pytest, tox with pytest, Django's runner, or sympy's.
    """
    try:
        words = shlex.split(command)
    except ValueError as error:
        raise ValueError(f"its test command cannot be read ({error}): {command[:200]}") from None
    assigned = list(itertools.takewhile(lambda word: re.match(r"\w+=", word), words))
    variables = dict(word.partition("=")[::2] for word in assigned)
    words = words[len(assigned) :]
    asked = pytest_arguments(shlex.join(words))
    if asked is not None:
        how = "script" if words[0].rpartition("/")[2] == "pytest" else "module"
        return Launch(how, tuple(asked), variables)
    program = words[0].rpartition("/")[2] if words else ""
    if program == "tox" and "--" in words:
        return Launch("module", tuple(words[words.index("--") + 1 :]), variables)
    if words and words[0].removeprefix("./") == "bin/test":
        files = tuple(word for word in words[1:] if not word.startswith("-"))
        return Launch("script", files, variables, functions_only=True)
    python = program.startswith("python") and len(words) > 1 and words[1].endswith(".py")
    if program.endswith(".py") or python:
        return Launch("unittest", tuple(words[1:] if python else words), variables)
    raise ValueError(f"its test command is neither pytest nor a unittest script: {command[:200]}")


def _is_pytest(command: str) -> bool:
    return launch(command).how != "unittest" and not launch(command).functions_only


def _without_tests(command: str, row: dict[str, Any]) -> str:
    hidden = set(_directives(row, command)) | patched_paths(row["test_patch"])
    return " ".join(word for word in command.split() if word.strip("'\"") not in hidden)


def find_repository(cache: Path | None, repo: str, commit: str) -> Path:
    """A repository in the folder: ``owner__name``, ``owner/name``, ``owner+name`` or ``name``, with or without
    ``.git``, bare or not; or the tree of one commit, ``owner__name/COMMIT``.

    Raises:
        ValueError: there is none.
    """
    owner, _, name = repo.partition("/")
    if cache is None:
        raise ValueError(f"no repository: give --repo_cache, a folder with a clone {owner}__{name} in it")
    for stem in (f"{owner}__{name}", f"{owner}/{name}", f"{owner}+{name}", name):
        for path in (cache / f"{stem}.git", cache / stem, cache / stem / "repo", cache / stem / commit):
            if path.is_dir() and (is_git(path) or path.name == commit):
                return path.resolve()
    raise ValueError(f"{repo} is not in {cache}: put a clone there as {owner}__{name}")


def is_git(path: Path) -> bool:
    """Whether a folder is a repository, bare or with a work tree."""
    return (path / ".git").exists() or ((path / "objects").is_dir() and (path / "HEAD").is_file())


def skipped(bad: Sequence[BadRow]) -> Iterator[str]:
    """A line for each row that is left out."""
    return (f"left out: {row.name}: {row.reason}" for row in bad)
