"""Builds the coding benchmark under data/coding from its sources, and validates it; makes tasks of any repository.

python generate_dataset.py                         write tasks.jsonl, samples.jsonl, longitudinal.jsonl, their trees
python generate_dataset.py --check                 re-validate them; one line per violation and exit code 1
python generate_dataset.py --repo PATH             plant bugs in a copy of a repository with pytest tests
python generate_dataset.py --repo PATH --from_git  take the bug fixes of its history
"""

from __future__ import annotations

import argparse
import asyncio
import collections
import json
import shutil
import signal
import sys
import tempfile
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from core.own_repository import add_flags, make
from envs_archive.coding.dataset import (
    DIFFICULTIES,
    Bug,
    DatasetError,
    Outcomes,
    Tree,
    apply_patch,
    base_commit,
    build_task,
    dump_row,
    load_bugs,
    measure,
    read_tree,
    run_suite,
    shadowing,
    write_tree,
)
from envs_archive.coding.series import check_series, decide, load_decisions, notes

# Tasks per project (easy, medium, hard), in the order of tasks.jsonl: 17 + 23 + 14 = 54.
PROJECTS = {
    "mathlib": (4, 5, 2),
    "textprocessor": (3, 4, 3),
    "collections": (3, 3, 3),
    "taskmanager": (2, 4, 2),
    "httptools": (2, 3, 2),
    "dateutils": (3, 4, 2),
}
SAMPLES = ("calc_bug", "string_util", "data_processor")
SERIES = ("clubledger", "probelog")
REPOS = {
    "tasks.jsonl": "sample_repos",
    "samples.jsonl": "sample_repos",
    "longitudinal.jsonl": "longitudinal_repos",
}
"""Folder of the visible trees of each tasks file."""
WORKERS = 2  # each spends its time in a test process
ORDERS = (11, 22, 33)  # seeds of the three test orders of --check
# A series has many tasks of one suite: one order beside that of the files, which building takes.
SERIES_ORDERS = ORDERS[:1]
MAX_SHARE_WITHOUT_HIDDEN = 1 / 3
NEED_REPO = ("tasks", "out", "package", "test_cmd", "from_git", "series", "model")
ROW_FIELDS = {
    "instance_id", "repo", "base_commit", "problem_statement", "hints_text", "patch", "test_patch", "version",
    "FAIL_TO_PASS", "PASS_TO_PASS", "project", "difficulty", "repo_path", "test_cmd",
}  # fmt: skip


def _each(function: Any, items: Iterable[Any]) -> list[Any]:
    """``function`` over ``items`` on the workers, in order; the problems of all items are raised together."""
    problems: list[str] = []

    def guarded(item: Any) -> Any:
        try:
            return function(item)
        except DatasetError as error:
            problems.extend(error.problems)

    with ThreadPoolExecutor(WORKERS) as pool:
        results = list(pool.map(guarded, items))
    if problems:
        raise DatasetError(sorted(problems))
    return results


def _sources(data: Path) -> dict[str, dict[str, Path]]:
    """Tasks file -> its projects that exist -> their folders."""
    projects = {name: data / "projects" / name for name in PROJECTS}
    samples = {name: data / "projects" / "samples" / name for name in SAMPLES}
    series = {name: data / "projects" / "longitudinal" / name for name in SERIES}
    return {
        file: {name: folder for name, folder in group.items() if (folder / "bugs.yaml").is_file()}
        for file, group in zip(REPOS, (projects, samples, series), strict=True)
    }


def _check_bugs(project: str, bugs: list[Bug]) -> list[str]:
    if project in SAMPLES:
        return (
            [] if [bug.id for bug in bugs] == [project] else [f"{project}: one bug with that id is expected"]
        )
    problems = []
    if [bug.id for bug in bugs] != [f"{project}-{number:02}" for number in range(1, len(bugs) + 1)]:
        problems.append(f"{project}: ids must be {project}-01, {project}-02, ... in order")
    count = collections.Counter(bug.difficulty for bug in bugs)
    found = tuple(count[level] for level in DIFFICULTIES)
    if project in PROJECTS and found != PROJECTS[project]:
        problems.append(f"{project}: easy/medium/hard is {found}, must be {PROJECTS[project]}")
    if project not in SERIES:
        problems += [
            f"{bug.id}: only a series has contradictions" for bug in bugs if bug.contradicts or bug.after
        ]
    if sum(not bug.hidden for bug in bugs) > len(bugs) * MAX_SHARE_WITHOUT_HIDDEN:
        problems.append(f"{project}: more than a third of the tasks have no hidden test")
    return problems


def build(data: Path) -> tuple[dict[str, str], dict[str, Tree]]:
    """All tasks files, and all visible trees by path, from the sources under ``data``. Raises ``DatasetError``."""
    sources = _sources(data)
    if not any(sources.values()):
        raise DatasetError([f"{data / 'projects'}: no project with a bugs.yaml"])
    folders = {name: folder for group in sources.values() for name, folder in group.items()}

    def load(project: str) -> list[tuple[Bug, Tree, Outcomes, str]]:
        bugs = load_bugs(project, folders[project] / "bugs.yaml")
        clean = read_tree(folders[project] / "repo")
        problems = _check_bugs(project, bugs)
        problems += [f"{project}: {name} shadows a module of that name" for name in shadowing(clean)]
        decisions = load_decisions(folders[project] / "decisions.yaml") if project in SERIES else {}
        if project in SERIES:
            problems += check_series(project, bugs, decisions)
        if problems:
            raise DatasetError(problems)
        try:
            libraries = {"": clean, **{name: decide(clean, edits) for name, edits in decisions.items()}}
            fixed = {name: measure(tree, [None])[0] for name, tree in libraries.items()}
        except DatasetError as error:
            raise DatasetError([f"{project}: {problem}" for problem in error.problems]) from error
        wrong = [
            (name, n) for name, nodes in fixed.items() for n, outcome in nodes.items() if outcome != "passed"
        ]
        if wrong:
            raise DatasetError(
                [f"{project}: {n} does not pass on the correct library {name}".rstrip() for name, n in wrong]
            )
        return [(bug, libraries[bug.after], fixed[bug.after], _repos_of(project)) for bug in bugs]

    built = _each(lambda item: build_task(*item), [item for work in _each(load, folders) for item in work])
    bugs = {bug.id: bug for project in folders for bug in load_bugs(project, folders[project] / "bugs.yaml")}
    for row, _ in built:
        if row["project"] in SERIES:
            row.update(notes(bugs[row["instance_id"]]))
    files = {
        file: "".join(dump_row(row) for row, _ in built if row["project"] in group)
        for file, group in sources.items()
        if group
    }
    return files, {row["repo_path"]: visible for row, visible in built}


def _repos_of(project: str) -> str:
    file = "longitudinal.jsonl" if project in SERIES else "tasks.jsonl"
    return REPOS[file]


def _on_disk(data: Path) -> set[str]:
    """Paths of the visible trees there are."""
    return {f"{repos}/{path.name}" for repos in set(REPOS.values()) for path in (data / repos).glob("*")}


def write(data: Path, files: dict[str, str], trees: dict[str, Tree]) -> None:
    """Make tasks files and the folders of visible trees hold exactly what was built."""
    for path in _on_disk(data) - set(trees):
        shutil.rmtree(data / path)
    for path, tree in trees.items():
        write_tree(tree, data / path)
    for file, text in files.items():
        (data / file).write_bytes(text.encode())


def check_row(data: Path, row: dict[str, Any]) -> list[str]:
    """Validate one row against its visible tree on disk, in several test orders; returns the violations."""
    orders = SERIES_ORDERS if row["project"] in SERIES else ORDERS
    if not (data / row["repo_path"]).is_dir():
        return [f"{row['instance_id']}: {row['repo_path']} is missing"]
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "tree"
        visible = read_tree(data / row["repo_path"])
        write_tree(visible, folder)
        problems = (
            [] if base_commit(visible) == row["base_commit"] else ["base_commit is not the id of the tree"]
        )
        try:
            for stage, patch in (("buggy", row["test_patch"]), ("fixed", row["patch"])):
                if patch:
                    apply_patch(folder, patch)
                expected = dict.fromkeys(row["PASS_TO_PASS"], True)
                expected |= dict.fromkeys(row["FAIL_TO_PASS"], stage == "fixed")
                for seed, outcomes in zip(orders, run_suite(folder, list(orders)), strict=True):
                    wrong = [n for n in expected if (outcomes.get(n) == "passed") is not expected[n]]
                    extra = sorted(set(outcomes) - set(expected))
                    problems += [
                        f"{n}: {outcomes.get(n, 'missing')} on the {stage} tree, order {seed}" for n in wrong
                    ]
                    problems += [f"{n}: in neither list, {stage} tree, order {seed}" for n in extra]
        except DatasetError as error:
            problems += [f"{stage} tree: {problem}" for problem in error.problems]
    return [f"{row['instance_id']}: {problem}" for problem in problems]


def check_counts(rows: list[dict[str, Any]]) -> list[str]:
    """Order, number and difficulties of the tasks; violations in words."""
    order = [row["project"] for row in rows]
    if order != sorted(order, key=list(PROJECTS).index):
        return ["tasks.jsonl: rows are not grouped by project in the order " + ", ".join(PROJECTS)]
    problems = []
    count = collections.Counter((row["project"], row["difficulty"]) for row in rows)
    for project in dict.fromkeys(order):
        found = tuple(count[project, level] for level in DIFFICULTIES)
        if found != PROJECTS[project]:
            problems.append(f"{project}: easy/medium/hard is {found}, must be {PROJECTS[project]}")
    return problems


def check(data: Path) -> list[str]:
    """Validate everything on disk; returns the violations. Raises ``DatasetError`` for unreadable files."""
    problems: list[str] = []
    rows: dict[str, list[dict[str, Any]]] = {}
    for file in _sources(data):
        path = data / file
        lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
        try:
            rows[file] = [json.loads(line) for line in lines]
            missing = [ROW_FIELDS - set(row) for row in rows[file]]
        except (ValueError, TypeError):
            raise DatasetError([f"{file}: every line must be a JSON object"]) from None
        if any(missing):
            raise DatasetError([f"{file}: a row lacks {', '.join(sorted(set().union(*missing)))}"])
    unknown = [row["project"] for row in rows["tasks.jsonl"] if row["project"] not in PROJECTS]
    problems += [f"tasks.jsonl: unknown project {name}" for name in sorted(set(unknown))]
    if not unknown:
        problems += check_counts(rows["tasks.jsonl"])
    everything = [row for group in rows.values() for row in group]
    problems += [p for found in _each(lambda row: check_row(data, row), everything) for p in found]
    try:
        files, trees = build(data)
    except DatasetError as error:
        return problems + error.problems
    for file, text in files.items():
        if not (data / file).is_file() or (data / file).read_bytes() != text.encode():
            problems.append(f"{file}: differs from what the sources give; run generate_dataset.py")
    on_disk = _on_disk(data)
    for path in sorted(set(trees) | on_disk):
        if path not in trees or path not in on_disk or read_tree(data / path) != trees[path]:
            problems.append(f"{path}: differs from what the sources give; run generate_dataset.py")
    return problems


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="generate_dataset.py",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--check", action="store_true", help="validate what is on disk instead of writing it")
    default = Path(__file__).resolve().parent / "data" / "coding"
    parser.add_argument("--data", type=Path, default=default, help="data folder (default: data/coding)")
    add_flags(parser)
    options = parser.parse_args(arguments)
    if options.repo is not None:
        if options.check:
            parser.error("--check validates the benchmark; it does not go with --repo")
        # A polite kill is an interruption like Ctrl-C, which shells have what runs in the background ignore.
        signal.signal(signal.SIGINT, signal.default_int_handler)
        signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))
        try:
            return asyncio.run(make(options))
        except KeyboardInterrupt:
            print("generate_dataset.py: interrupted; nothing was written", file=sys.stderr)
            return 130
    given = [f"--{name}" for name in NEED_REPO if getattr(options, name)]
    if given:
        parser.error(f"{', '.join(given)} needs --repo PATH")
    if not (options.data / "projects").is_dir():
        parser.error(f"{options.data}: no projects/ folder in it")
    try:
        if options.check:
            problems = check(options.data)
            if problems:
                raise DatasetError(problems)
            print("ok")
        else:
            files, trees = build(options.data)
            write(options.data, files, trees)
            print(", ".join(f"{file}: {text.count(chr(10))} tasks" for file, text in files.items()))
    except DatasetError as error:
        print("\n".join(error.problems), file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
