"""The next action: look at the failures, read the likely files, try edits in order, submit.

One edit and one test run per candidate; an edit undoes the one before it in the same action where both
are in one file. The workspace is left clean or with an edit that only helped.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from dataclasses import dataclass, field
from functools import lru_cache

from . import explore, localize, memory_similarity, note_edits, ranking
from .candidates import Candidate, pool, trimmed
from .conversation import State, read_state
from .operators import build_scope
from .plausible import usage_of
from .source import SourceFile, is_test_path, parse_source
from .testlog import TestRun
from .watching import MARK, MAX_FILES, MAX_TESTS, WATCH_TIMEOUT_S, command, missed, pure, wanted

FIRST_TIMEOUT_S, TIMEOUT_S, TIMEOUT_PER_TEST_S = 60, 6, 0.1
OTHER_FILE = 0.67  # a candidate in another file costs three steps instead of two
SAME_EFFECT, BROKE_MORE, MOVED = 0.75, 0.85, 1.1  # what a failed try says about its line
TRIED = 0.95  # and about its function
LOOK_AHEAD = 200
MAX_EDIT_ERRORS = 4
PATIENCE = 3  # further tries before the search goes on from one that repaired some of the tests
LEAST_TO_WATCH = 7  # steps that must be left


def act(messages: list[dict], seed: int) -> str:
    """The next action of the repair agent, as one JSON object. Never raises; deterministic."""
    try:
        action = choose(read_state(messages), int(seed) if isinstance(seed, int) else 0)
    except Exception as error:  # the agent must always answer: ending the episode loses least
        action = {"thought": f"I cannot go on ({type(error).__name__}).", "action": "submit"}
    return json.dumps(action)


@dataclass
class Search:
    """Where the search stands: the texts it starts from and what was tried on them."""

    run: TestRun  # what failed with the base texts
    base: dict[str, str] = field(default_factory=dict)  # path -> text, only where not the original
    tried: dict[tuple[str, int, int, str], TestRun] = field(default_factory=dict)
    better: Search | None = None  # where a try would lead that repaired some tests and broke none

    @property
    def kept(self) -> dict[str, str]:
        """The texts to leave behind when nothing better is found."""
        return self.better.base if self.better else self.base


def choose(state: State, seed: int) -> dict:
    """Decide on the next action from the replayed conversation."""
    if state.remaining <= 1:
        return _submit("No steps left.")
    start = next((t.run for t in state.trials if not t.changed), None)
    if start is None:
        if len(state.trials) + sum(s.error for s in state.steps) >= 2:
            return _submit("The tests cannot be run.")
        return _run_tests(state)
    if state.trials[-1].run.green and state.tested:
        return _submit("All visible tests pass.")
    search = _replay(state, start)
    if dict(state.changed) not in (search.base, search.kept) and not state.tested:
        return _after_edit(state, search)
    looked = explore.next_look(state, search.run)
    if looked:
        return looked
    return _watch(state, search.run) or _next_edit(state, search, seed)


def _submit(thought: str) -> dict:
    return {"thought": thought, "action": "submit"}


def _run_tests(state: State, base: TestRun | None = None) -> dict:
    """Run the test command: for the first time, or after an edit of what failed as in ``base``."""
    command = state.task.test_command
    if "pytest" in command:
        for option in ("-q", "-p no:cacheprovider"):
            if option not in command:
                command += f" {option}"
        if base and "--tb" not in command:
            command += " --tb=short"
    return {
        "thought": "Does this edit repair it?" if base else "Run the tests to see what fails.",
        "action": "run_command",
        "command": command,
        "timeout": _patience(state, base) if base else FIRST_TIMEOUT_S,
    }


def _patience(state: State, base: TestRun) -> int:
    """Seconds for the tests after an edit, which may have made a loop endless."""
    tries = [trial.run.timed_out for trial in state.trials if trial.changed]
    if len(tries) >= 2 and all(tries):  # no such bad luck: this suite is slow
        return FIRST_TIMEOUT_S
    return math.ceil(
        min(FIRST_TIMEOUT_S, TIMEOUT_S + TIMEOUT_PER_TEST_S * (base.passed + len(base.failures)))
    )


def _watch(state: State, run: TestRun) -> dict | None:
    """Run the failing tests once with the suspicious functions watched, before the first edit."""
    if state.watched is not None or state.remaining < LEAST_TO_WATCH or state.changed:
        return None
    if any(MARK in str(step.action.get("command", "")) for step in state.steps):
        return None
    if not run.failures or len(state.task.files) > MAX_FILES:
        return None
    sources, tests = sources_of(state, {})
    weights = localize.locate(run, state.task.issue, sources, tests)
    usage = usage_of(sources, explore.lines_of_others(state))
    by_path = {source.path: source for source in sources}
    functions: dict[str, dict[str, int]] = {}
    helpers: dict[str, list[str]] = {}
    for path, function in wanted(weights, [(s.path, f) for s in sources for f in s.functions]):
        scope = build_scope(by_path[path], function, by_path, state.task.files, usage)
        functions.setdefault(path, {})[function.qualname] = function.node.lineno
        names = helpers.setdefault(path, [])
        for helper in scope.helpers:
            known = usage.functions.get(helper.name.rpartition(".")[2])
            if not helper.many and helper.name not in names and (known is None or pure(known.node)):
                names.append(helper.name)
    tests_to_run = [failure.test for failure in run.samples[:MAX_TESTS]]
    expected = missed(failure.error for failure in run.failures)
    asked = command(state.task.test_command, tests_to_run, functions, helpers, expected)
    if not asked or not functions:
        return None
    return {
        "thought": "What are the values there?",
        "action": "run_command",
        "command": asked,
        "timeout": WATCH_TIMEOUT_S,
    }


def _after_edit(state: State, search: Search) -> dict:
    """The files are in a state no test run has seen: test it if a restore still fits afterwards."""
    last = state.steps[-1]
    if last.error or last.action.get("action") != "edit_file" or state.remaining <= 2:
        return _restore_or_submit(state, search.kept)
    return _run_tests(state, search.run)


def _better(run: TestRun, than: TestRun) -> bool:
    return run.collected and not run.timed_out and run.failing < than.failing


def _replay(state: State, start: TestRun) -> Search:
    """Go through the test runs: an edit that repairs some tests and breaks none becomes the new base, but not at once:
    taking out what raises an error repairs a test too, and the right edit may be the next to try."""
    search = Search(start)
    waited = 0
    for trial in state.trials:
        changed = dict(trial.changed)
        if changed == search.base:
            continue
        if _better(trial.run, search.better.run if search.better else search.run):
            search.better = Search(trial.run, changed)
        waited += search.better is not None
        if waited > PATIENCE and search.better:
            search, waited = search.better, 0
            continue
        paths = {p for p in {*changed, *search.base} if changed.get(p) != search.base.get(p)}
        if len(paths) == 1:
            path = paths.pop()
            original = state.files[path].original
            search.tried[_key(path, search.base.get(path, original), changed.get(path, original))] = trial.run
    return search


@lru_cache(maxsize=4096)
def _key(path: str, base: str, text: str) -> tuple[str, int, int, str]:
    return (path, *trimmed(base, 0, len(base), text))


def sources_of(state: State, base: dict[str, str]) -> tuple[tuple[SourceFile, ...], tuple[SourceFile, ...]]:
    """(source files, test files) read so far, parsed with the texts the search starts from."""
    parsed = [
        parse_source(path, base.get(path, file.original))
        for path, file in sorted(state.files.items())
        if path.endswith(".py")
    ]
    return (
        tuple(s for s in parsed if not is_test_path(s.path)),
        tuple(s for s in parsed if is_test_path(s.path)),
    )


@lru_cache(maxsize=64)
def _scored(
    run: TestRun,
    issue: str,
    memory: str,
    sources: tuple[SourceFile, ...],
    tests: tuple[SourceFile, ...],
    files: tuple[str, ...],
    seen: tuple[str, ...],
    watched: str,
) -> tuple[tuple[Candidate, ...], tuple[float, ...]]:
    weights = localize.locate(run, issue, sources, tests)
    usage = usage_of(sources, seen, watched)
    candidates = pool(weights, sources, files, usage)
    names = frozenset(re.findall(r"[A-Za-z_]\w{2,}", issue + "\n".join(s.text for s in sources)))
    functions = frozenset(f.name for s in sources for f in s.functions if f.name and not f.owner)
    notes = memory_similarity.read_notes(memory, frozenset(files), names, functions)
    candidates += note_edits.suggested(notes, weights, sources, files, usage, {c.key for c in candidates})
    return tuple(candidates), tuple(ranking.score(candidates, weights, run, issue, notes))


@lru_cache(maxsize=128)
def _ordered(
    candidates: tuple[Candidate, ...], scores: tuple[float, ...], seed: int, salt: str
) -> tuple[int, ...]:
    return tuple(ranking.order(scores, seed, salt))


def _learned(search: Search, candidates: tuple[Candidate, ...]) -> dict[tuple[str, int | str], float]:
    """Multipliers of lines and functions from the tries there: no effect, more broken, or the error moved."""
    by_key = {c.key: c for c in candidates}
    out: dict[tuple[str, int | str], float] = {}
    for key, run in search.tried.items():
        if key not in by_key:
            continue
        if run.digest == search.run.digest:
            factor = SAME_EFFECT
        elif run.failing <= search.run.failing and run.collected:
            factor = MOVED
        else:
            factor = BROKE_MORE
        line, function = (key[0], by_key[key].line), (key[0], by_key[key].function.qualname)
        out[line] = out.get(line, 1.0) * factor
        out[function] = out.get(function, 1.0) * TRIED
    return out


def _next_edit(state: State, search: Search, seed: int) -> dict:
    sources, tests = sources_of(state, search.base)
    if not sources or not search.run.failures or state.remaining < 4:
        return _restore_or_submit(state, search.kept)
    if sum(s.error for s in state.steps if s.action.get("action") == "edit_file") > MAX_EDIT_ERRORS:
        return _restore_or_submit(state, search.kept)
    task = state.task
    candidates, scores = _scored(
        search.run,
        task.issue,
        task.memory,
        sources,
        tests,
        task.files,
        explore.lines_of_others(state),
        state.watched or "",
    )
    salt = hashlib.sha256(f"{task.issue}{task.memory}".encode(errors="replace")).hexdigest()
    refused = _refused(state)
    dirty = {p for p, f in state.files.items() if f.current != search.base.get(p, f.original)}
    learned = _learned(search, candidates)
    chosen = _pick(
        candidates, scores, _ordered(candidates, scores, seed, salt), search, learned, dirty, refused
    )
    if chosen is None:
        return _restore_or_submit(state, search.kept)
    others = dirty - {chosen.path}
    if others:
        if state.remaining < 5:
            return _restore_or_submit(state, search.kept)
        path = sorted(others)[0]
        file = state.files[path]
        return replace_text(path, file.current, search.base.get(path, file.original), "Undo the last try.")
    place = f" in {chosen.function.qualname}" if chosen.function.name else ""
    thought = f"Try{place}: {chosen.before[:300]!r} -> {chosen.after[:300]!r}"
    return replace_text(chosen.path, state.files[chosen.path].current, chosen.result(), thought)


def _pick(
    candidates: tuple[Candidate, ...],
    scores: tuple[float, ...],
    order: tuple[int, ...],
    search: Search,
    learned: dict[tuple[str, int | str], float],
    dirty: set[str],
    refused: set[str],
) -> Candidate | None:
    """The best candidate not tried yet, looking down the order as far as the tries may have changed it."""
    found: list[tuple[float, int]] = []
    for rank, index in enumerate(order):
        candidate = candidates[index]
        if candidate.key in search.tried:
            continue
        value = scores[index] * learned.get((candidate.path, candidate.line), 1.0)
        value *= learned.get((candidate.path, candidate.function.qualname), 1.0)
        value *= 0.998**rank  # the seeded order decides between near ties
        if dirty and candidate.path not in dirty:
            value *= OTHER_FILE
        found.append((-value, index))
        if len(found) >= LOOK_AHEAD:
            break
    for _, index in sorted(found):
        candidate = candidates[index]
        digest = hashlib.sha256(candidate.result().encode(errors="replace")).hexdigest()
        if candidate.parses and digest not in refused:
            return candidate
    return None


def _refused(state: State) -> set[str]:
    """Digests of whole texts that an edit aimed at and the tool refused."""
    out = set()
    for step in state.steps:
        action = step.action
        path = action.get("path")
        if not step.error or action.get("action") != "edit_file" or path not in state.files:
            continue
        text, old, new = state.files[path].current, action.get("old"), action.get("new")
        if isinstance(old, str) and isinstance(new, str) and text.count(old) == 1:
            out.add(hashlib.sha256(text.replace(old, new).encode(errors="replace")).hexdigest())
    return out


def _restore_or_submit(state: State, base: dict[str, str]) -> dict:
    """Bring the files back to the wanted texts, one edit a step, then submit."""
    for path, file in sorted(state.files.items()):
        wanted = base.get(path, file.original)
        if file.current != wanted and state.remaining >= 2:
            if state.steps and state.steps[-1].error and state.remaining >= 2:
                return {
                    "thought": "Restore the file.",
                    "action": "edit_file",
                    "path": path,
                    "content": wanted,
                }
            return replace_text(path, file.current, wanted, "No repair found: restore the file.")
    return _submit("Leave it at this.")


def replace_text(path: str, current: str, wanted: str, thought: str) -> dict:
    """The edit_file action that turns `current` into `wanted`: whole lines, unique in the file."""
    start, end, _ = trimmed(current, 0, len(current), wanted)
    first = current.rfind("\n", 0, start) + 1
    last = current.find("\n", end)
    last = len(current) if last < 0 else last
    # find and rfind, not count: overlapping occurrences would be replaced at the wrong place.
    while first == last or not current.find(old := current[first:last]) == first == current.rfind(old):
        if first == 0 and last == len(current):
            return {"thought": thought, "action": "edit_file", "path": path, "content": wanted}
        first = current.rfind("\n", 0, max(first - 1, 0)) + 1
        following = current.find("\n", last + 1)
        last = len(current) if following < 0 else following
    new = wanted[first : len(wanted) - (len(current) - last)]
    return {"thought": thought, "action": "edit_file", "path": path, "old": current[first:last], "new": new}
