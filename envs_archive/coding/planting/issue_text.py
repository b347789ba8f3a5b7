"""The issue of a task, as a user would report it: what was called, what was expected, what came instead.

It is made from the failures that an agent can see, never from the edit; `gives_away` looks at every text once more.
"""

from __future__ import annotations

import ast
import dataclasses
import re
import textwrap
import unittest
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

from .hidden_tests import find_function, function_of

MAX_SNIPPET_LINES = 14
OTHER_CASES = 2
SHORT_VALUE = 60
_SHORT = 8  # characters of a changed line that are found anywhere
_HELPERS = frozenset(
    {"list", "tuple", "set", "dict", "sorted", "len", "str", "repr", "int", "type", "next", "isinstance"}
)
_OF_BUILTINS = frozenset(name for kind in (str, bytes, list, dict, set, int, float) for name in dir(kind))


@dataclass(frozen=True)
class Observation:
    """One failure in the words of its test.

    Attributes:
        called: name of what was called.
        snippet: code that shows it.
        kind: value, error, no_error or other: what ``expected`` and ``actual`` are.
        given: values of names in the snippet.
        clear: every value of the test's parameters in it can be told.
    """

    called: str
    snippet: str
    kind: str
    expected: str = ""
    actual: str = ""
    given: str = ""
    clear: bool = True


def observe(test: str, failure: Mapping[str, Any], source: str) -> Observation | None:
    """What a test's failure shows; None when its code cannot be read."""
    try:
        tree = ast.parse(source)
    except SyntaxError:
        return None
    function = find_function(tree, function_of(test).names)
    if function is None:
        return None
    path = _path_to(function, failure["line"])
    helped = not path or any(
        isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) for n in path
    )
    if helped:  # it went wrong in a helper of the tests: what the test asked of it is all there is to show
        path = _path_to(function, failure["own_line"])
    if not path:
        return None
    found = _Reader(source, failure, path, helped).observation(_setup(source, function, path[0], helped))
    if helped:
        found = dataclasses.replace(found, called="")
    elif not found.called:
        found = dataclasses.replace(found, called=_last_call(found.snippet))
    snippet, left = _filled_in(found.snippet, failure["parameters"])
    given = ", ".join(f"{name} = {value}" for name, value in left.items() if value)
    return dataclasses.replace(found, snippet=snippet, given=given, clear=all(left.values()))


def _elements(value: str) -> str | None:
    """What a list or tuple gives as arguments."""
    node = ast.parse(value, mode="eval").body if value[:1] in "[(" else None
    if not isinstance(node, ast.List | ast.Tuple):
        return None
    return ", ".join(ast.get_source_segment(value, element) or "" for element in node.elts)


def _last_call(snippet: str) -> str:
    """Name of the last function of the library that code calls; empty when there is none."""
    try:
        calls = [node for node in ast.walk(ast.parse(snippet)) if isinstance(node, ast.Call)]
    except SyntaxError:
        return ""
    calls.sort(key=lambda node: (node.lineno, node.col_offset))
    names = [name for node in calls if (name := _called(node)) not in _HELPERS and not _is_check(node)]
    return names[-1] if names else ""


def _filled_in(snippet: str, parameters: Mapping[str, str]) -> tuple[str, dict[str, str]]:
    """Code with the values of a test's parameters in place of their names, and the values too long for that."""
    try:
        names = [
            node
            for node in ast.walk(ast.parse(snippet))
            if isinstance(node, ast.Name) and node.id in parameters
        ]
    except SyntaxError:
        return snippet, {name: value for name, value in parameters.items() if name in snippet}
    bound = {node.id for node in names if not isinstance(node.ctx, ast.Load)}
    short = {node.id for node in names if 0 < len(parameters[node.id]) <= SHORT_VALUE} - bound
    lines = snippet.splitlines()
    for node in sorted(names, key=lambda node: (node.lineno, -node.col_offset)):
        line = lines[node.lineno - 1]
        if node.id in short and line.isascii():
            before, after = line[: node.col_offset], line[node.end_col_offset :]
            spread = (
                _elements(parameters[node.id]) if before.endswith("*") and not before.endswith("**") else None
            )
            value = parameters[node.id] if spread is None else spread
            lines[node.lineno - 1] = (before if spread is None else before[:-1]) + value + after
    left = {node.id: parameters[node.id] for node in names if node.id not in short}
    return "\n".join(lines), left


def _path_to(function: ast.AST, line: int | None) -> list[ast.stmt]:
    """The statements of a function around a line, from the outermost to the innermost; none for a line elsewhere."""
    path: list[ast.stmt] = []
    body = function.body if line is not None else []
    while body:
        inner = next((n for n in body if n.lineno <= line <= (n.end_lineno or n.lineno)), None)
        if inner is None:
            break
        path.append(inner)
        blocks = [getattr(inner, name, []) for name in ("body", "orelse", "finalbody")]
        body = [n for block in blocks if isinstance(block, list) for n in block if isinstance(n, ast.stmt)]
    return path


def _setup(source: str, function: ast.AST, failing: ast.stmt, helped: bool) -> list[str]:
    """What the test does before, without what it checks on the way (``helped``: by the helper that failed at last)."""
    helper = _called(failing.value) if helped and isinstance(failing, ast.Expr) else None
    lines: list[str] = []
    for node in function.body:
        if node is failing:
            break
        text = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        helper_too = helper is not None and isinstance(node, ast.Expr) and _called(node.value) == helper
        nested = isinstance(node, ast.FunctionDef) and helped
        if not (text or helper_too or nested or _checks(node)):
            lines += _dedented(source, node).splitlines()
    return lines


def _checks(node: ast.stmt) -> bool:
    """Whether a statement, or one in it, is a check of a test."""
    return any(
        isinstance(n, ast.Assert) or (isinstance(n, ast.Call) and _is_check(n)) for n in ast.walk(node)
    )


def _is_check(node: ast.Call) -> bool:
    name = _called(node)
    return name.startswith("assert") or name in ("raises", "warns", "fail")


def _called(node: ast.AST) -> str:
    function = node.func if isinstance(node, ast.Call) else node
    return function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")


def _dedented(source: str, node: ast.stmt, last: int | None = None) -> str:
    lines = source.splitlines()[node.lineno - 1 : last or node.end_lineno]
    return textwrap.dedent("\n".join(lines))


class _Reader:
    def __init__(
        self, source: str, failure: Mapping[str, Any], path: Sequence[ast.stmt], helped: bool
    ) -> None:
        self.source, self.failure, self.path, self.helped = source, failure, path, helped
        self.statement = path[-1]

    def text(self, node: ast.AST) -> str:
        return textwrap.dedent(ast.get_source_segment(self.source, node) or "")

    def observation(self, setup: list[str]) -> Observation:
        statement = self.statement
        check = (
            statement.value
            if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Call)
            else None
        )
        raised = self.failure["type"]
        if raised == "Failed" and "DID NOT RAISE" in self.failure["message"]:
            return self._no_error(setup)
        own = check is not None and _is_check(check) and not hasattr(unittest.TestCase, _called(check))
        if raised == "AssertionError" and (self.helped or own):
            return self._in_helper(setup)
        if raised == "AssertionError" and isinstance(statement, ast.Assert):
            return self._asserted(setup, statement.test)
        if raised == "AssertionError" and check is not None and _is_check(check) and check.args:
            return self._unittest(setup, check)
        return self._error(setup)

    def _asserted(self, setup: list[str], test: ast.expr) -> Observation:
        if isinstance(test, ast.Compare) and len(test.ops) == 1:
            left, right = test.left, test.comparators[0]
            _, got, wanted = self.failure["compared"] or ["", "", ""]
            if _calls(right) > _calls(left):
                left, right, got, wanted = right, left, wanted, got
            if isinstance(test.ops[0], ast.Eq):
                return self._make(setup, left, "value", wanted or self.text(right), got)
            return self._make(setup, left, "other", self.text(test), got)
        return self._make(setup, test, "other", self.text(test), "")

    def _unittest(self, setup: list[str], check: ast.Call) -> Observation:
        first, *more = check.args
        if "Equal" in _called(check) and more:
            if _calls(more[0]) > _calls(first):
                first, more = more[0], [first]
                return self._make(setup, first, "value", *self._compared(self.text(more[0]))[::-1])
            return self._make(setup, first, "value", *self._compared(self.text(more[0])))
        return self._make(
            setup, first, "other", f"{_called(check)}({', '.join(map(self.text, check.args))})", ""
        )

    def _compared(self, expected: str) -> tuple[str, str]:
        """(second, first) value of a comparison of unittest's, from its message; else (``expected``, nothing)."""
        message = re.sub(r"^\w+ differ: | : .*$", "", self._message())
        first, found, second = message.partition(" != ")
        return (second, first) if found and " != " not in second else (expected, "")

    def _in_helper(self, setup: list[str]) -> Observation:
        operator, got, wanted = self.failure["compared"] or ["", "", ""]
        snippet = _dedented(self.source, self.path[0], self.statement.end_lineno).splitlines()
        if operator == "==" and wanted:
            return Observation("", _joined(setup, snippet), "value", wanted, got)
        return Observation("", _joined(setup, snippet), "other", "", self._message())

    def _no_error(self, setup: list[str]) -> Observation:
        wanted = re.search(r"DID NOT RAISE.*?(\w+)'?>?\)?$", self.failure["message"])
        block = next((s for s in reversed(self.path) if isinstance(s, ast.With)), self.statement)
        body = block.body if isinstance(block, ast.With) else [block]
        snippet = [line for node in body for line in _dedented(self.source, node).splitlines()]
        name = self._name(body[-1])
        return Observation(
            name, _joined(setup, snippet), "no_error", wanted.group(1) if wanted else "an error"
        )

    def _error(self, setup: list[str]) -> Observation:
        outer = self.path[0]
        text = _dedented(self.source, outer, self.statement.end_lineno)
        node: ast.AST = self.statement
        check = getattr(self.statement, "value", None)
        if isinstance(check, ast.Call) and _is_check(check) and check.args and outer is self.statement:
            node = max(check.args, key=_calls)
            text = self.text(node)
        if isinstance(self.statement, ast.Assert):
            node = self.statement.test
            if isinstance(node, ast.Compare):
                node = max((node.left, *node.comparators), key=_calls)
            text = self.text(node) if outer is self.statement else text
        error = ": ".join(part for part in (self.failure["type"], self._message()) if part)
        return Observation(self._name(node), _joined(setup, text.splitlines()), "error", "", error)

    def _make(self, setup: list[str], node: ast.expr, kind: str, expected: str, actual: str) -> Observation:
        outer = self.path[0]
        if outer is self.statement:
            lines = self.text(node).splitlines()
        else:  # in a loop or a block: shown as it stands
            lines = _dedented(self.source, outer, self.statement.end_lineno).splitlines()
        return Observation(self._name(node), _joined(setup, lines), kind, expected, actual)

    def _name(self, node: ast.AST) -> str:
        names = [_called(n) for n in ast.walk(node) if isinstance(n, ast.Call)]
        names = [name for name in names if name and name not in _HELPERS and not name.startswith("assert")]
        return next((name for name in names if name not in _OF_BUILTINS), names[0] if names else "")

    def _message(self) -> str:
        lines = self.failure["message"].splitlines()
        return lines[0][:200] if lines else ""


def _calls(node: ast.AST) -> int:
    """0 for an expression that calls nothing, 2 for one that calls something of the library, 1 for others."""
    names = {_called(n) for n in ast.walk(node) if isinstance(n, ast.Call)}
    return 2 if names - _HELPERS - _OF_BUILTINS else min(len(names), 1)


def _joined(setup: list[str], lines: list[str]) -> str:
    kept = [*setup, *lines]
    if len(kept) > MAX_SNIPPET_LINES:
        kept = ["...", *kept[-MAX_SNIPPET_LINES:]]
    return textwrap.dedent("\n".join(kept)).strip("\n")


def write_issue(observations: Sequence[Observation], project: str, failing: int, rng: Random) -> str:
    """The text of an issue; the first observation is told in full, a few others in a line each.

    Args:
        failing: how many tests fail, for how far the trouble goes.
    """
    first = observations[0]
    parts = [_title(first, project, rng), ""]
    parts += [
        rng.choice(("What I ran:", "This shows it:", "To see it:")),
        "",
        textwrap.indent(first.snippet, "    "),
        "",
    ]
    if first.given:
        parts += [f"with {first.given}.", ""]
    parts.append(_outcome(first, rng))
    others = [o for o in observations[1:] if o.snippet != first.snippet][:OTHER_CASES]
    told = [_in_a_line(o) for o in others]
    if any(told):
        parts += ["", rng.choice(("The same trouble elsewhere:", "Also wrong:", "Other cases I met:"))]
        parts += [f"- {line}" for line in dict.fromkeys(told) if line]
    return "\n".join(parts).rstrip() + "\n"


def _title(first: Observation, project: str, rng: Random) -> str:
    what = f"`{first.called}`" if first.called else f"{project}"
    if first.kind == "error":
        error = first.actual.partition(":")[0]
        return rng.choice(
            (f"{what} fails with {error}", f"{error} from {what}", f"Unexpected {error} in {what}")
        )
    if first.kind == "no_error":
        return rng.choice((f"{what} accepts what it should refuse", f"No {first.expected} from {what}"))
    return rng.choice((f"Wrong result from {what}", f"{what} gives an unexpected result", f"{what} is off"))


def _outcome(seen: Observation, rng: Random) -> str:
    if seen.kind == "error":
        return f"It ends with `{seen.actual}`; it should simply work."
    if seen.kind == "no_error":
        return f"I expected {seen.expected}, but nothing is raised."
    if seen.kind == "value" and seen.actual and seen.actual != seen.expected:
        return rng.choice(
            (
                f"Expected: {seen.expected}\nActual: {seen.actual}",
                f"I expected {seen.expected}, but got {seen.actual}.",
            )
        )
    if seen.kind == "value":
        return f"I expected {seen.expected}, but that is not what comes out."
    if not seen.expected:
        return "This goes wrong" + (f": {seen.actual}" if seen.actual else ".")
    return f"This should hold, and does not: `{' '.join(seen.expected.split())}`" + (
        f" (the value is {seen.actual})" if seen.actual else ""
    )


def _in_a_line(seen: Observation) -> str:
    if len(seen.snippet.splitlines()) != 1:
        return ""
    case = f"`{seen.snippet}`" + (f" with {seen.given}" if seen.given else "")
    if seen.kind == "error":
        return f"{case}: {seen.actual}"
    if seen.kind == "no_error":
        return f"{case}: no {seen.expected}"
    if seen.kind == "value":
        return f"{case}: expected {seen.expected}" + (f", got {seen.actual}" if seen.actual else "")
    return ""


def gives_away(issue: str, patch: str, hidden: Sequence[str] = ()) -> str | None:
    """Why a text tells more than a user knows: a changed line, a changed file, a hidden test; None when it does not."""
    told = " ".join(issue.split())
    for line in patch.splitlines():
        if line.startswith(("--- ", "+++ ")):
            name = line[4:].removeprefix("a/").removeprefix("b/")
            if name in issue or re.search(rf"(?<![\w/]){re.escape(name.rpartition('/')[2])}\b", issue):
                return f"it names the changed file {name}"
        elif line.startswith(("+", "-")):
            changed = " ".join(line[1:].split())
            if len(changed) > _SHORT and changed in told:
                return f"it quotes a changed line: {changed}"
    for name in hidden:
        if re.search(rf"\b{re.escape(name)}\b", issue):
            return f"it names the hidden test {name}"
    return None
