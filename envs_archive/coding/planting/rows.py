"""A bug as a task: its tree, its hidden tests, its issue and its row, proved by real gradings."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

from envs_archive.coding.dataset import unified_diff
from envs_archive.coding.grading import GradingError, changes_from_patch, passing_tests
from envs_archive.coding.grading_rooms import GradingRooms
from envs_archive.coding.tasks import Task
from envs_archive.coding.workspace import PatchError, WorkspaceError, make_workspace, prepare_base

from .difficulty import Functions
from .hidden_tests import NodeFunction, choose_hidden, function_of, without
from .issue_text import Observation, gives_away, observe, write_issue
from .planted import Bug, Rejected, planted
from .repository import Repository, editable_text

Rewrite = Callable[[str], Awaitable[str]]


@dataclass(frozen=True)
class Draft:
    """A task that is proved but has no name yet.

    Attributes:
        row: as in a tasks file; ``instance_id`` and ``repo_path`` are still to be given.
        tree: its visible tree.
        modules: source files that its solution changes.
        record: how it was made and measured; no agent may see it.
    """

    row: dict[str, Any]
    tree: Path
    modules: frozenset[str]
    record: dict[str, Any]


async def draft_of(
    bug: Bug,
    repository: Repository,
    functions: Functions,
    test_cmd: str,
    folder: Path,
    rooms: GradingRooms,
    rng: Random,
    rewrite: Rewrite | None,
) -> Draft | Rejected:
    """Make a task of a bug.

    Args:
        folder: not there yet; its tree is made in it.
        rewrite: has a model write the issue anew; its text is looked at like any other.
    """
    broken = planted(repository, bug.edits)
    assert broken is not None
    clean = {path: repository.text(path) for path in broken}
    hidden = choose_hidden(bug.failing, _test_texts(repository, bug.failing), rng)
    tests = {function.path: repository.text(function.path) for function in hidden}
    cut = {path: without(text, [f for f in hidden if f.path == path]) for path, text in tests.items()}
    patch, test_patch = unified_diff(broken, clean), unified_diff(cut, tests)
    seen = frozenset(test for test in bug.failing if function_of(test) not in hidden)
    issue = await issue_of(repository, bug.failures, seen, patch, hidden, rng, rewrite)
    if isinstance(issue, Rejected):
        return issue
    tree = folder / "tree"
    await asyncio.to_thread(make_workspace, repository.base, tree, with_git=False)
    for path, text in {**broken, **cut}.items():
        (tree / path).write_bytes(text.encode())
    places = {(edit.path, edit.function) for edit in bug.edits}
    measured = functions.measure(places, seen, bug.failures)
    row = {
        "repo": repository.name,
        "problem_statement": issue,
        "hints_text": "",
        "patch": patch,
        "test_patch": test_patch,
        "FAIL_TO_PASS": sorted(bug.failing),
        "PASS_TO_PASS": sorted(bug.passing),
        "version": "",
        "project": repository.name,
        "difficulty": measured.level,
        "test_cmd": test_cmd,
    }
    record = {
        "kinds": [edit.kind for edit in bug.edits],
        "places": [f"{edit.path}:{edit.function or '(module)'}" for edit in bug.edits],
        "failing": len(bug.failing),
        "hidden": len(bug.failing) - len(seen),
        **{
            name: value
            for name, value in dataclasses.asdict(measured).items()
            if name not in ("level", "places")
        },
    }
    return await proved(Draft(row, tree, bug.modules, record), folder, rooms)


async def issue_of(
    repository: Repository,
    failures: Mapping[str, Mapping[str, Any]],
    seen: frozenset[str],
    patch: str,
    hidden: set[NodeFunction],
    rng: Random,
    rewrite: Rewrite | None,
    opening: str = "",
) -> str | Rejected:
    """The issue of a task from the failures that its agent sees; ``opening`` goes before it.

    A text that tells too much is made shorter, and a model's one is left for ours.
    """
    observed: list[Observation] = []
    for test in sorted(seen & failures.keys()):
        text = editable_text(repository.base / test.partition("::")[0])
        found = observe(test, failures[test], text) if text is not None else None
        observed += [found] if found is not None and found.snippet else []
    # What a user would tell first: values before errors, short before long.
    observed.sort(key=lambda o: (not o.clear, o.kind == "other", len(o.snippet.splitlines()), len(o.snippet)))
    names = [function.names[-1] for function in hidden]
    for start in range(min(len(observed), 4)):
        text = opening + write_issue(observed[start:], repository.name, len(seen), rng)
        if gives_away(text, patch, names):
            text = opening + write_issue(observed[start : start + 1], repository.name, len(seen), rng)
        if gives_away(text, patch, names):
            continue
        if rewrite is not None:
            other = (await rewrite(text)).strip() + "\n"
            text = text if len(other) < 20 or gives_away(other, patch, names) else other
        return text
    return Rejected("no issue can be written that does not give it away")


async def proved(draft: Draft, folder: Path, rooms: GradingRooms) -> Draft | Rejected:
    """Grade doing nothing and the reference solution, as an agent's work is graded; also gives the row its commit."""
    row = draft.row
    task = Task(
        instance_id=folder.name,
        problem_statement=row["problem_statement"],
        fail_to_pass=tuple(row["FAIL_TO_PASS"]),
        pass_to_pass=tuple(row["PASS_TO_PASS"]),
        patch=row["patch"],
        test_patch=row["test_patch"],
        test_cmd=row["test_cmd"],
        repo_path=draft.tree,
    )
    try:
        base = await prepare_base(task, folder / "base")
        idle, _ = await passing_tests(task, base, {}, rooms)
        solved, _ = await passing_tests(task, base, await changes_from_patch(base, task.patch), rooms)
    except (GradingError, PatchError, WorkspaceError) as error:
        return Rejected(f"cannot be graded ({type(error).__name__})")
    if idle != set(task.pass_to_pass):
        return Rejected("other tests pass in a grading than were measured")
    if solved != set(task.expected):
        return Rejected("its own solution is not graded as solved")
    row["base_commit"] = (base / ".git" / "refs" / "heads" / "main").read_text(encoding="utf-8").strip()
    return draft


def _test_texts(repository: Repository, tests: Sequence[str] | frozenset[str]) -> dict[str, str]:
    files = {test.partition("::")[0] for test in tests}
    texts = {path: editable_text(repository.base / path) for path in sorted(files)}
    return {path: text for path, text in texts.items() if text is not None}
