"""Where the fault probably is: a weight in (0, 1] for every function of the files that were read."""

from __future__ import annotations

import re
from functools import lru_cache

from .source import Function, SourceFile, is_test_path, words
from .testlog import Failure, TestRun

DEEPEST_FRAME, OTHER_FRAME = 1.0, 0.6
ASSERTED, CALLED = 1.0, 0.6  # called on the failing line / elsewhere in the failing test
CALLEE_DECAY = 0.55
FLOOR = 0.03
_NAME = re.compile(r"[A-Za-z_]\w*")
# Attribute names too common to tell which project function is meant.
_COMMON = frozenset(
    [
        "append",
        "get",
        "items",
        "keys",
        "values",
        "add",
        "join",
        "format",
        "strip",
        "lower",
        "upper",
        "split",
        "copy",
        "update",
        "pop",
    ]
)


@lru_cache(maxsize=1024)
def called_names(body: str) -> frozenset[str]:
    """Identifiers in a piece of test source that may be project functions, strings left out."""
    text = re.sub(r"(\"\"\".*?\"\"\"|'''.*?'''|\"[^\"\n]*\"|'[^'\n]*')", " ", body, flags=re.S)
    return frozenset(_NAME.findall(re.sub(r"#.*", "", text)))


def test_source(failure: Failure, tests: tuple[SourceFile, ...]) -> tuple[str, str]:
    """(whole source of the failing test, its failing line) from the output or from the test file read."""
    body = failure.body
    for source in tests:
        if source.path == failure.path:
            for function in source.functions:
                if function.name and function.name == failure.function:
                    body = _lines(source, function)
    # Helpers and fixtures of the test files belong to the test.
    helpers: dict[str, str] = {}
    for source in tests:
        for function in source.functions:
            if function.name and not function.name.startswith("test"):
                helpers.setdefault(function.name, _lines(source, function))
    added: set[str] = set()
    for _ in range(2):
        for name in sorted(called_names(body) & set(helpers) - added):
            added.add(name)
            body += "\n" + helpers[name]
    return body, failure.failing_line


def _lines(source: SourceFile, function: Function) -> str:
    return "\n".join(source.lines[function.first - 1 : function.last])


def _frame_weights(failure: Failure, sources: tuple[SourceFile, ...]) -> dict[Function, float]:
    out: dict[Function, float] = {}
    frames = [f for f in failure.frames if not is_test_path(f.path)]
    by_path = {s.path: s for s in sources}
    known = [f for f in frames if any(f.path.endswith(p) for p in by_path)]
    for index, frame in enumerate(known):
        source = next(s for p, s in by_path.items() if frame.path.endswith(p))
        weight = DEEPEST_FRAME if index == len(known) - 1 else OTHER_FRAME
        for function in source.functions:
            if function.name and function.first <= frame.line <= function.last:
                out[function] = max(out.get(function, 0.0), weight)
    return out


def _one(failure: Failure, sources: tuple[SourceFile, ...], tests: tuple[SourceFile, ...]) -> dict:
    weights = _frame_weights(failure, sources)
    body, asserted = test_source(failure, tests)
    near, far = called_names(asserted), called_names(body)
    name_words = words(failure.function)
    functions = [f for s in sources for f in s.functions if f.name]
    classes = {f.owner for f in functions if f.owner}
    for function in functions:
        key = function.name
        if key == "__init__" and function.owner in far:
            weight = CALLED
        elif key.startswith("__") and key.endswith("__") and function.owner in far | near:
            weight = 0.4
        elif key in near:
            weight = ASSERTED
        elif key in far:
            weight = CALLED
        else:
            continue
        if key in _COMMON and function.owner and function.owner not in far | words_of_classes(far, classes):
            weight *= 0.5
        weights[function] = max(weights.get(function, 0.0), weight)
    _spread(weights, functions)
    for function in list(weights):
        own = words(function.name)
        if own and own <= name_words:
            weights[function] = min(1.0, weights[function] * 1.4)
    return weights


def words_of_classes(names: frozenset[str], classes: set[str]) -> frozenset[str]:
    """Classes that the names of a test suggest (a fixture `task_list` suggests `TaskList`)."""
    flat = {n.replace("_", "").lower() for n in names}
    return frozenset(c for c in classes if c.lower() in flat)


def _spread(weights: dict[Function, float], functions: list[Function]) -> None:
    """Give callees a share of their callers' weight, three levels deep."""
    by_name: dict[str, list[Function]] = {}
    for function in functions:
        by_name.setdefault(function.name, []).append(function)
        if function.name == "__init__":
            by_name.setdefault(function.owner, []).append(function)
    frontier = list(weights)
    for _ in range(3):
        following = []
        for caller in frontier:
            for name in caller.calls:
                targets = by_name.get(name, ())
                same = [t for t in targets if t.owner == caller.owner] or targets
                for callee in same:
                    share = weights[caller] * CALLEE_DECAY
                    if name in _COMMON and len(targets) > 1:
                        share *= 0.5
                    if callee is not caller and share > weights.get(callee, 0.0) + 1e-9:
                        weights[callee] = share
                        following.append(callee)
        frontier = following


@lru_cache(maxsize=256)
def locate(
    run: TestRun, issue: str, sources: tuple[SourceFile, ...], tests: tuple[SourceFile, ...]
) -> dict[Function, float]:
    """Weight of each function, highest 1: the mean over the failing tests, raised by words of the issue."""
    total: dict[Function, float] = {}
    failures = run.samples
    for failure in failures:
        for function, weight in _one(failure, sources, tests).items():
            total[function] = total.get(function, 0.0) + weight / len(failures)
    named = called_names(issue)
    for source in sources:
        for function in source.functions:
            weight = total.get(function, 0.0)
            if function.name and function.name in named and len(function.name) > 2:
                weight = max(weight * 1.5, 0.35)
            elif function.name and words(function.name) and words(function.name) <= words(issue):
                weight = max(weight * 1.15, 0.1)
            if not function.name:
                weight = max(weight, 0.12)  # constants and tables of the module
            total[function] = max(weight, FLOOR)
    top = max(total.values(), default=1.0)
    return {function: weight / top for function, weight in total.items()}


def error_lines(run: TestRun, path: str) -> dict[int, float]:
    """Lines of `path` that the tracebacks name, with 1.0 for the deepest frame of a failure."""
    out: dict[int, float] = {}
    for failure in run.samples:
        frames = [f for f in failure.frames if not is_test_path(f.path)]
        for index, frame in enumerate(frames):
            if frame.path.endswith(path):
                weight = 1.0 if index == len(frames) - 1 else 0.5
                out[frame.line] = max(out.get(frame.line, 0.0), weight)
    return out
