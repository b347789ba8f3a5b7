"""What to read before editing: the files of the traceback, of the test's names, and their helpers."""

from __future__ import annotations

import re

from .conversation import State
from .localize import called_names, locate, test_source
from .operators.base import BUILTINS
from .source import SourceFile, is_test_path, parse_source, resolve_import, words
from .testlog import TestRun

MAX_FILES = 4
MAX_HELPERS = 12
ASK_FOR_USES = "How does the project use its helpers?"
SED_CHARACTERS = 7_500


def budget(limit: int) -> int:
    """Steps to spend on looking around, the first test run included."""
    return max(2, min(8, limit // 4 + 1))


def next_look(state: State, run: TestRun) -> dict | None:
    """The next read or search, or None when enough is known or the budget is used."""
    looks = sum(1 for s in state.steps if s.action.get("action") != "edit_file")
    if any(s.action.get("action") == "edit_file" for s in state.steps):
        return None
    if not run.failures or looks >= budget(state.step_limit) or state.remaining < 5:
        return None
    for path, file in state.files.items():
        if not file.complete and path not in state.unreadable:
            if state.task.reads_lines:
                offset = file.original.count("\n") + 1
                thought = "Read the rest of it."
                return {"thought": thought, "action": "read_file", "path": path, "offset": offset}
            return _read_on(path, file.original, file.total)
    path = _wanted(state, run)
    if not path and (helpers := _unseen_helpers(state, run)):
        folder, names = helpers
        return {
            "thought": ASK_FOR_USES,
            "action": "search",
            "pattern": rf"\b({'|'.join(names)})\(",
            "path": folder,
            "glob": "*.py",
        }
    if path == "?":
        names = sorted(_test_names(state, run))[:30]
        pattern = rf"^ *(def|class) ({'|'.join(names)})\b"  # means the same to grep and to re
        return {
            "thought": "Where is it defined?",
            "action": "search",
            "pattern": pattern,
            "path": ".",
            "glob": "*.py",
        }
    return {"thought": "Read the likely source.", "action": "read_file", "path": path} if path else None


def _unseen_helpers(state: State, run: TestRun) -> tuple[str, list[str]] | None:
    """(folder, names) of the helpers that the most suspicious file imports, to see how others call them; once."""
    if any(step.action.get("thought") == ASK_FOR_USES for step in state.steps):
        return None
    parsed = tuple(parse_source(p, f.original) for p, f in sorted(state.files.items()) if not is_test_path(p))
    tests = _tests_read(state)
    if not parsed or not set(_sources(state)) - set(state.files):
        return None
    weights = locate(run, state.task.issue, parsed, tests)
    source = max(parsed, key=lambda s: max((weights.get(f, 0.0) for f in s.functions if f.name), default=0.0))
    imported = [
        name
        for name, target in source.imports.items()
        if name.islower() and len(name) > 1 and resolve_import(source.path, target, state.task.files)
    ]
    own = [f.name for f in source.functions if f.name and not f.owner and not f.name.startswith("__")]
    names = [n for n in dict.fromkeys([*imported, *own]) if n.isidentifier()][:MAX_HELPERS]
    folder = source.path.rpartition("/")[0].partition("/")[0] or "."
    return (folder, names) if imported and names else None


def lines_of_others(state: State) -> tuple[str, ...]:
    """Lines that searches found in source files which have not been read."""
    return tuple(
        dict.fromkeys(
            text
            for rows in state.found.values()
            for path, _, text in rows
            if path not in state.files and not is_test_path(path)
        )
    )


def _read_on(path: str, known: str, total: int) -> dict:
    lines = known.count("\n")
    width = max(len(known) / max(lines, 1), 1.0)
    count = max(20, min(int(SED_CHARACTERS / width), int((total - len(known)) / width * 1.5) + 40))
    command = f"sed -n '{lines + 1},{lines + count}p' {path}"
    return {"thought": "Read the rest of it.", "action": "run_command", "command": command, "timeout": 20}


def _sources(state: State) -> list[str]:
    skipped = {"setup.py", "conf.py", "conftest.py"}
    return [
        f
        for f in state.task.files
        if f.endswith(".py") and not is_test_path(f) and f.rpartition("/")[2] not in skipped
    ]


def _tests_read(state: State) -> tuple[SourceFile, ...]:
    return tuple(parse_source(p, f.original) for p, f in state.files.items() if is_test_path(p))


def _test_names(state: State, run: TestRun) -> frozenset[str]:
    tests = _tests_read(state)
    names: set[str] = set()
    for failure in run.failures[:6]:
        names |= called_names(test_source(failure, tests)[0])
    return frozenset(n for n in names if len(n) > 2 and not n.startswith("test_") and n not in _NOISE)


_NOISE = frozenset(
    [
        "assert",
        "with",
        "def",
        "for",
        "not",
        "and",
        "import",
        "from",
        "None",
        "True",
        "False",
        "pytest",
        "raises",
        "len",
        "list",
        "dict",
        "set",
        "str",
        "int",
        "sorted",
        "range",
        "isinstance",
        "mark",
        "parametrize",
        "approx",
        "in",
        "is",
        "as",
        "tuple",
        "print",
        "type",
        "match",
        "return",
        "class",
        "value",
        "result",
    ]
)


_DEFINED = re.compile(r"(?:def|class)\s+(\w+)")


def _readable(state: State, path: str) -> bool:
    return bool(path) and path not in state.files and path not in state.unreadable


def _wanted(state: State, run: TestRun) -> str:
    """The path to read next, "?" to search for definitions first, "" for enough."""
    sources = _sources(state)
    read = [p for p in state.files if not is_test_path(p) and not p.endswith("__init__.py")]
    if len(read) >= MAX_FILES:
        return ""
    for failure in run.failures[:4]:
        for frame in reversed(failure.frames):
            match = next((s for s in sources if frame.path == s or frame.path.endswith("/" + s)), "")
            if _readable(state, match):
                return match
    if deeper := _explains_more(state, run, sources):
        return deeper
    first = run.failures[0]
    expects_error = "raises" in first.failing_line
    if expects_error and _readable(state, first.path):
        return first.path  # what should have raised stands below the line that is shown
    known = {f.name for p in read for f in parse_source(p, state.files[p].original).functions}
    silent = expects_error or not called_names(first.failing_line) & known
    if called := _called_module(state, run, everything=silent):
        return called
    if read and (found := _defines_called(state, run, known, everything=silent)):
        return found
    if not read:
        return _first_source(state, run, sources)
    if any(failure.frames and not is_test_path(failure.frames[-1].path) for failure in run.failures[:4]):
        return _helper_module(state, run)
    if own := _test_with_helpers(state, run):
        return own
    defined = {f.name for p in read for f in parse_source(p, state.files[p].original).functions}
    defined |= {f.owner for p in read for f in parse_source(p, state.files[p].original).functions}
    if not _test_names(state, run) & (defined - {""}):
        return _defining(state, run, sources) or ("" if state.found else "?")
    return _helper_module(state, run)


def _explains_more(state: State, run: TestRun, sources: list[str]) -> str:
    """A module that one read imports and that has failing tests of its own: its fault would explain both."""
    tested = {_tested_stem(failure.path) for failure in run.failures}
    for path, file in state.files.items():
        if is_test_path(path) or _tested_stem(path) not in tested:
            continue
        for target in parse_source(path, file.original).imports.values():
            found = resolve_import(path, target, state.task.files)
            if found in sources and _tested_stem(found) in tested and _readable(state, found):
                return found
    return ""


def _tested_stem(path: str) -> str:
    """What a test file is named after, or a source file is called."""
    stem = path.rpartition("/")[2].removesuffix(".py")
    return stem.removeprefix("test_").removesuffix("_test").removesuffix("_tests")


def _called_module(state: State, run: TestRun, everything: bool) -> str:
    """The module behind what the failing line calls (or, with `everything`, the failing test), by the imports of the
    test file; a package that only hands the name on is read and followed."""
    tests = _tests_read(state)
    for failure in run.failures[:2]:
        body, line = test_source(failure, tests)
        asked = called_names(line) | (called_names(body) if everything else frozenset())
        for test in (t for t in tests if t.path == failure.path):
            for name in sorted(asked & set(test.imports), key=lambda n: (n not in called_names(line), n)):
                path = resolve_import(test.path, test.imports[name], state.task.files)
                while path in state.files and path.endswith("__init__.py"):
                    handed = parse_source(path, state.files[path].original).imports.get(name, "")
                    follow = resolve_import(path, handed, state.task.files) if handed else ""
                    path = "" if follow == path else follow
                if _readable(state, path) and not is_test_path(path):
                    return path
    return ""


def _defines_called(state: State, run: TestRun, known: set[str], everything: bool) -> str:
    """The file in which a search found what the failing line (or the whole failing test) calls."""
    tests = _tests_read(state)
    body, line = test_source(run.failures[0], tests)
    called = set(_CALLED.findall(body if everything else line)) - known
    for rows in state.found.values():
        for path, _, text in rows:
            match = re.match(r"def (\w+)", text.lstrip())
            if match and match.group(1) in called and _readable(state, path) and not is_test_path(path):
                return path
    return ""


_CALLED = re.compile(r"([A-Za-z_]\w*)\(")
_CALL = re.compile(r"(?<![\w.])([a-z_]\w*)\(")


def _test_with_helpers(state: State, run: TestRun) -> str:
    """The test file, when the failing test uses functions or fixtures that are not in the sources read."""
    failure = run.failures[0]
    if not _readable(state, failure.path) or not failure.body:
        return ""
    known = {f.name for p, s in state.files.items() for f in parse_source(p, s.original).functions}
    body = re.sub(r"(\"[^\"\n]*\"|'[^'\n]*')", "", failure.body)
    signature = re.search(r"def test\w*\((.*?)\)", body, re.S)
    fixtures = signature and "[" not in failure.test and signature.group(1).replace("self", "").strip(" ,")
    called = {n for n in _CALL.findall(body) if not n.startswith("test")} - BUILTINS - known
    return failure.path if called or fixtures else ""


def _defining(state: State, run: TestRun, sources: list[str]) -> str:
    """The file with the most definitions found; what the failing line names counts most."""
    asked = frozenset().union(*(called_names(f.failing_line) for f in run.failures[:2]))
    counts: dict[str, int] = {}
    for rows in state.found.values():
        for path, _, text in rows:
            if path in sources and _readable(state, path):
                named = asked & set(_DEFINED.findall(text))
                counts[path] = counts.get(path, 0) + (5 if named and text.lstrip().startswith("def") else 1)
    return max(counts, key=lambda p: counts[p]) if counts else ""


def _first_source(state: State, run: TestRun, sources: list[str]) -> str:
    if state.found:
        found = _defining(state, run, sources)
        if found:
            return found
    stem = _tested_stem(run.failures[0].path)
    same = [s for s in sources if s.rpartition("/")[2] == f"{stem}.py" and _readable(state, s)]
    if len(same) == 1:
        return same[0]
    if not state.found and _test_names(state, run):
        return "?"
    if not any(is_test_path(p) for p in state.files) and _readable(state, run.failures[0].path):
        return run.failures[0].path  # nothing of the test was shown: its imports will tell
    imported = _imports_of_tests(state)
    if imported:
        return imported
    hints = words(state.task.issue) | words(run.failures[0].test)
    left = [s for s in sources if _readable(state, s)]
    left.sort(key=lambda s: (-len(words(s.replace("/", " ")) & hints), s.endswith("__init__.py"), s))
    return left[0] if left else ""


def _imports_of_tests(state: State) -> str:
    for path, file in state.files.items():
        if is_test_path(path):
            for target in parse_source(path, file.original).imports.values():
                found = resolve_import(path, target, state.task.files)
                if _readable(state, found) and not is_test_path(found):
                    return found
    return ""


def _helper_module(state: State, run: TestRun) -> str:
    """A module that the suspicious functions import from: the fault or the needed helper may be there."""
    parsed = tuple(parse_source(p, f.original) for p, f in state.files.items() if not is_test_path(p))
    tests = _tests_read(state)
    weights = locate(run, state.task.issue, parsed, tests)
    best, best_weight = "", 0.3
    for source in parsed:
        for local, target in source.imports.items():
            path = resolve_import(source.path, target, state.task.files)
            if not _readable(state, path) or is_test_path(path):
                continue
            users = [weights.get(f, 0.0) for f in source.functions if local in f.calls]
            if max(users, default=0.0) > best_weight:
                best, best_weight = path, max(users)
    return best
