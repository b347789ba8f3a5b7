"""Turns a project (a correct library and a list of planted bugs) into benchmark tasks.

A project is a folder ``projects/<project>/`` with ``repo/`` (the correct library with its whole test suite)
and ``bugs.yaml`` (see :func:`load_bugs`). A task's *visible tree* is that library with one bug planted and
some tests cut out; ``patch`` undoes the bug, ``test_patch`` brings the tests back. What fails is measured.

Everything here is a function of the files it reads: no clock, no random choice, no directory order.
"""

from __future__ import annotations

import ast
import asyncio
import difflib
import json
import os
import re
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from envs_archive.coding.tasks import DEFAULT_TEST_COMMAND, Task
from envs_archive.coding.workspace import CACHE_FOLDERS, prepare_base

RUN_TIMEOUT_S = 20
DIFFICULTIES = ("easy", "medium", "hard")

Tree = dict[str, str]  # relative POSIX path -> text
Outcomes = dict[str, str]  # pytest node id -> passed | failed | skipped

_IMPORTED_BY_PYTEST = {"pytest", "_pytest", "pluggy", "iniconfig", "packaging", "pygments"}


class DatasetError(Exception):
    """Sources or data on disk break a rule of the benchmark; ``problems`` has one line per violation."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


@dataclass(frozen=True)
class Edit:
    """One replacement that plants (part of) a bug: ``correct`` occurs exactly once in the clean file."""

    path: str
    correct: str
    buggy: str


@dataclass(frozen=True)
class Bug:
    """One entry of a ``bugs.yaml``; ``family`` is the authors' note: in no workspace.

    Attributes:
        contradicts: in a series, ids of earlier tasks whose lesson is wrong here.
        after: in a series, the decision that the library has changed by when the task comes.
    """

    id: str
    project: str
    difficulty: str
    family: str
    issue: str
    edits: tuple[Edit, ...]
    hidden: tuple[str, ...]
    contradicts: tuple[str, ...] = ()
    after: str = ""


def read_tree(root: Path) -> Tree:
    """All files under ``root`` as text, caches left out. Raises ``DatasetError`` unless they are text."""
    tree: Tree = {}
    for path in sorted(root.rglob("*")):
        relative = path.relative_to(root)
        if path.is_dir() or (CACHE_FOLDERS | {".git"}) & set(relative.parts):
            continue
        text = path.read_bytes().decode("utf-8", errors="replace")
        if "\ufffd" in text or "\r" in text or (text and not text.endswith("\n")):
            raise DatasetError([f"{path}: must be UTF-8 with \\n line ends, the last line included"])
        tree[relative.as_posix()] = text
    return tree


def write_tree(tree: Tree, root: Path) -> None:
    """Make ``root`` hold exactly ``tree``; files that are already right are left untouched."""
    if root.exists():
        for path in sorted(root.rglob("*"), reverse=True):
            if path.is_dir() and not path.is_symlink():
                if not any(path.iterdir()):
                    path.rmdir()
            elif path.relative_to(root).as_posix() not in tree:
                path.unlink()
    for name, text in tree.items():
        target = root / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if not target.exists() or target.read_bytes() != text.encode():
            target.write_bytes(text.encode())


def load_bugs(project: str, path: Path) -> list[Bug]:
    """Read a ``bugs.yaml``: list of {id, difficulty, family, issue, edits: [{path, correct, buggy}], hidden}; in a
    series also {contradicts, after}, which may be left out.

    Raises ``DatasetError`` naming the entry and the field that is wrong.
    """
    try:
        entries = yaml.safe_load(path.read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        raise DatasetError([f"{path}: not YAML: {' '.join(str(error).split())}"]) from error
    if not isinstance(entries, list) or not entries:
        raise DatasetError([f"{path}: a non-empty list of bugs is expected"])
    bugs, problems = [], []
    fields = {"id": str, "difficulty": str, "family": str, "issue": str, "edits": list, "hidden": list}
    of_series = {"contradicts": list, "after": str}
    for number, entry in enumerate(entries, 1):
        where = f"{path} entry {number}"
        if not isinstance(entry, dict) or set(entry) - set(of_series) != set(fields):
            problems.append(f"{where}: fields must be exactly {', '.join(fields)}")
            continue
        kinds = {name: kind for name, kind in (fields | of_series).items() if name in entry}
        wrong = [name for name, kind in kinds.items() if not isinstance(entry[name], kind)]
        if entry["difficulty"] not in DIFFICULTIES:
            wrong.append("difficulty")
        edits = entry["edits"] if isinstance(entry["edits"], list) else []
        if not edits or any(
            not isinstance(e, dict)
            or set(e) != {"path", "correct", "buggy"}
            or not all(isinstance(value, str) for value in e.values())
            for e in edits
        ):
            wrong.append("edits")
        if wrong:
            problems.append(f"{where}: bad {', '.join(sorted(set(wrong)))}")
            continue
        bugs.append(
            Bug(
                id=entry["id"],
                project=project,
                difficulty=entry["difficulty"],
                family=entry["family"],
                issue=entry["issue"].strip() + "\n",
                edits=tuple(Edit(**edit) for edit in edits),
                hidden=tuple(str(node) for node in entry["hidden"]),
                contradicts=tuple(str(other) for other in entry.get("contradicts", ())),
                after=entry.get("after", ""),
            )
        )
    if problems:
        raise DatasetError(problems)
    return bugs


def plant(clean: Tree, edits: tuple[Edit, ...]) -> Tree:
    """The clean tree with the bug in it. Raises ``DatasetError`` when an edit does not fit the clean tree."""
    tree = dict(clean)
    for edit in edits:
        if edit.path not in clean or edit.path.startswith("tests/"):
            raise DatasetError([f"edit of {edit.path}: not a source file of the project"])
        if clean[edit.path].count(edit.correct) != 1 or tree[edit.path].count(edit.correct) != 1:
            raise DatasetError(
                [f"edit of {edit.path}: `correct` must occur exactly once: {edit.correct.strip()!r}"]
            )
        tree[edit.path] = tree[edit.path].replace(edit.correct, edit.buggy)
        try:
            ast.parse(tree[edit.path])
        except SyntaxError as error:
            raise DatasetError([f"edit of {edit.path}: the buggy file is no Python: {error}"]) from error
    return tree


def cut_functions(source: str, names: set[str]) -> str:
    """``source`` without the module-level functions ``names``: decorators and the comment above go with them.

    Raises ``DatasetError`` when a name is no module-level function, or when no test would be left.
    """
    lines = source.splitlines(keepends=True)
    functions = {
        n.name: n for n in ast.parse(source).body if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef)
    }
    missing = sorted(names - set(functions))
    if missing:
        raise DatasetError([f"no module-level function {name}" for name in missing])
    if not any(name.startswith("test") for name in set(functions) - names):
        raise DatasetError(["no visible test would be left in the file"])
    drop: set[int] = set()
    for name in names:
        node = functions[name]
        first = min([node.lineno, *(d.lineno for d in node.decorator_list)]) - 1
        while first > 0 and lines[first - 1].startswith("#"):
            first -= 1
        while first > 0 and not lines[first - 1].strip():
            first -= 1
        drop.update(range(first, node.end_lineno or node.lineno))
    return "".join(line for number, line in enumerate(lines) if number not in drop)


def hide(clean: Tree, hidden: tuple[str, ...]) -> Tree:
    """The clean tree without the hidden tests, given as ``tests/test_x.py::test_y``."""
    by_file: dict[str, set[str]] = {}
    for node in hidden:
        path, _, name = node.partition("::")
        if path not in clean or not name:
            raise DatasetError([f"hidden test {node}: no such file"])
        by_file.setdefault(path, set()).add(name)
    tree = dict(clean)
    for path, names in by_file.items():
        try:
            tree[path] = cut_functions(clean[path], names)
        except DatasetError as error:
            raise DatasetError(
                [f"hidden tests of {path}: {problem}" for problem in error.problems]
            ) from error
    return tree


def unified_diff(before: Tree, after: Tree) -> str:
    """A diff that ``git apply`` accepts, files in sorted order; both trees hold the same files."""
    parts = []
    for path in sorted(before):
        if before[path] != after[path]:
            parts.append(f"diff --git a/{path} b/{path}\n")
            old, new = before[path].splitlines(keepends=True), after[path].splitlines(keepends=True)
            parts.extend(difflib.unified_diff(old, new, f"a/{path}", f"b/{path}"))
    return "".join(parts)


def apply_patch(folder: Path, patch: str) -> None:
    """Apply a unified diff with ``git apply``. Raises ``DatasetError`` when it does not fit."""
    env = {
        "PATH": os.environ.get("PATH", os.defpath),
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": os.devnull,
        # Inside some other checkout git would take the folder for a part of it.
        "GIT_CEILING_DIRECTORIES": str(folder.resolve().parent),
    }
    command = ["git", "apply", "--whitespace=nowarn", "-"]
    done = subprocess.run(command, cwd=folder, env=env, input=patch, text=True, capture_output=True)
    if done.returncode:
        raise DatasetError([f"git apply: {' '.join(done.stderr.split())}"])


def base_commit(tree: Tree) -> str:
    """Id of the one commit of the repository that an episode on ``tree`` starts from."""
    task = Task(instance_id="base", problem_statement="", fail_to_pass=(), pass_to_pass=(), files=tree)
    with tempfile.TemporaryDirectory() as scratch:
        base = asyncio.run(prepare_base(task, Path(scratch) / "base"))
        return (base / ".git" / "refs" / "heads" / "main").read_text(encoding="utf-8").strip()


# Forks once per order, so that pytest is imported once and no run sees another's module state. The alarm ends
# a run that hangs. stdout belongs to the code under test; the outcomes travel in a file of their own. Only outcomes
# are wanted, so asserts are not rewritten.
_RUNNER = """
import json, os, random, signal, sys
import pytest

class Recorder:
    def __init__(self, seed):
        self.seed, self.outcomes = seed, {}
    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items):
        if self.seed is not None:
            random.Random(self.seed).shuffle(items)
    def pytest_runtest_logreport(self, report):
        if report.outcome != "passed" or report.when == "call":
            if self.outcomes.get(report.nodeid, "passed") == "passed":
                self.outcomes[report.nodeid] = report.outcome

target, timeout, seeds = sys.argv[1], int(sys.argv[2]), json.loads(sys.argv[3])
del sys.argv[1:]
results = []
for seed in seeds:
    child = os.fork()
    if not child:
        signal.alarm(timeout)
        recorder = Recorder(seed)
        options = ["-q", "-p", "no:cacheprovider", "--rootdir=.", "--tb=no", "--assert=plain"]
        code = pytest.main(options, plugins=[recorder])
        with open(target, "w") as handle:
            json.dump({"code": int(code), "outcomes": recorder.outcomes}, handle)
        os._exit(0)
    status = os.waitpid(child, 0)[1]
    if os.WIFSIGNALED(status) or not os.path.exists(target):
        results.append({"code": None, "outcomes": {}})
    else:
        with open(target) as handle:
            results.append(json.load(handle))
        os.unlink(target)
with open(target, "w") as handle:
    json.dump(results, handle)
"""


def run_suite(folder: Path, orders: list[int | None]) -> list[Outcomes]:
    """Run the whole suite in ``folder`` once per entry of ``orders`` (a shuffling seed; None: file order).

    Raises ``DatasetError`` when a run exceeds ``RUN_TIMEOUT_S`` seconds, dies, or cannot collect the tests.
    """
    with tempfile.TemporaryDirectory() as scratch:
        target = Path(scratch) / "outcomes.json"
        env = {
            "PATH": os.environ.get("PATH", os.defpath),
            "PYTHONDONTWRITEBYTECODE": "1",
            "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
            "PYTHONHASHSEED": "0",
            "TZ": "UTC",
        }
        done = subprocess.run(
            [sys.executable, "-c", _RUNNER, str(target), str(RUN_TIMEOUT_S), json.dumps(orders)],
            cwd=folder,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        if done.returncode:
            raise DatasetError([f"the test run broke: {' '.join(done.stdout.split())[-300:]}"])
        results = json.loads(target.read_text(encoding="utf-8"))
    for result in results:
        if result["code"] is None:
            raise DatasetError([f"the test run took more than {RUN_TIMEOUT_S} s or died"])
        if result["code"] not in (0, 1):
            raise DatasetError([f"pytest could not run the suite: {' '.join(done.stdout.split())[-300:]}"])
    return [result["outcomes"] for result in results]


def measure(tree: Tree, orders: list[int | None]) -> list[Outcomes]:
    """:func:`run_suite` on a throw-away copy of ``tree``."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "tree"
        write_tree(tree, folder)
        return run_suite(folder, orders)


def shadowing(clean: Tree) -> list[str]:
    """Names of modules in a tree that hide one of the standard library or one that pytest needs, sorted."""
    top = {path.split("/")[0] for path in clean if path.endswith(".py")}
    beside_tests = {path.split("/")[1] for path in clean if path.startswith("tests/")}
    names = {name.removesuffix(".py") for name in top | beside_tests}
    return sorted(names & (sys.stdlib_module_names | _IMPORTED_BY_PYTEST))


def check_bug(bug: Bug, visible: Tree, row: dict[str, Any]) -> list[str]:
    """What is wrong with a task: tests that miss the bug, text that gives the fix or a hidden test away."""
    problems = []
    hidden_failing = [node for node in row["FAIL_TO_PASS"] if node.split("[")[0] in bug.hidden]
    if len(row["FAIL_TO_PASS"]) == len(hidden_failing):
        problems.append("no visible test fails")
    if not row["PASS_TO_PASS"]:
        problems.append("no test passes on the buggy tree")
    if bug.hidden and not hidden_failing:
        problems.append("no hidden test fails on the buggy tree")
    added = [
        line[1:].strip() for line in row["patch"].splitlines() if line.startswith("+") and line[1:2] != "+"
    ]
    told = " ".join(bug.issue.split())
    problems += [
        f"the issue quotes the fix: {line}"
        for line in added
        if len(line) > 8 and " ".join(line.split()) in told
    ]
    if re.search(r"[\w/]+\.py\b", bug.issue):
        problems.append("the issue names a file")
    text = "".join(visible.values()) + bug.issue
    for node in bug.hidden:
        if re.search(rf"\b{re.escape(node.split('::')[1])}\b", text):
            problems.append(f"hidden test {node} is named in the visible tree or the issue")
    return [f"{bug.id}: {problem}" for problem in problems]


def build_task(
    bug: Bug, clean: Tree, fixed: Outcomes, folder: str = "sample_repos"
) -> tuple[dict[str, Any], Tree]:
    """The row and the visible tree of one task.

    Args:
        fixed: outcomes of the correct library.
        folder: where the visible trees of its file are.

    Raises ``DatasetError`` when the task breaks a rule.
    """
    try:
        with_bug, without_tests = plant(clean, bug.edits), hide(clean, bug.hidden)
        visible = {
            path: without_tests[path] if path.startswith("tests/") else with_bug[path] for path in clean
        }
        (broken,) = measure(with_bug, [None])
    except DatasetError as error:
        raise DatasetError([f"{bug.id}: {problem}" for problem in error.problems]) from error
    row = {
        "instance_id": bug.id,
        "repo": f"alma-bench/{bug.project}",
        "base_commit": base_commit(visible),
        "problem_statement": bug.issue,
        "hints_text": "",
        "patch": unified_diff(
            visible, {**visible, **{p: t for p, t in clean.items() if not p.startswith("tests/")}}
        ),
        "test_patch": unified_diff(
            visible, {**visible, **{p: t for p, t in clean.items() if p.startswith("tests/")}}
        ),
        "FAIL_TO_PASS": sorted(node for node in fixed if broken.get(node) != "passed"),
        "PASS_TO_PASS": sorted(node for node in fixed if broken.get(node) == "passed"),
        "version": "1.0",
        "project": bug.project,
        "difficulty": bug.difficulty,
        "repo_path": f"{folder}/{bug.id}",
        "test_cmd": DEFAULT_TEST_COMMAND,
    }
    problems = check_bug(bug, visible, row)
    if problems:
        raise DatasetError(problems)
    return row, visible


def dump_row(row: dict[str, Any]) -> str:
    """One line of a tasks file."""
    return json.dumps(row, ensure_ascii=False) + "\n"
