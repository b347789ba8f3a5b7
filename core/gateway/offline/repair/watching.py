"""What the values were: one run of the failing tests in which the suspicious functions tell what they do.

An edit of a line that did not run repairs nothing, nor does a helper that leaves the value as it was. This is the
dynamic information that fault localization is known to profit from (Wong et al. 2016, "A survey on software fault
localization"), asked for as a developer asks a debugger.
"""

from __future__ import annotations

import ast
import json
import re
import shlex
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

from .source import Function

MARK = "<<'WATCH'"
WATCH_TIMEOUT_S = 20
MAX_FUNCTIONS, MAX_LINES, MAX_TESTS, MAX_FILES = 8, 200, 3, 400
LEAST_WEIGHT = 0.2  # of the most suspicious function, from which on a function is watched
_PYTEST = re.compile(r"^((?:[\w./-]*/)?python[\d.]*) -m pytest\b")
_KINDS = {
    "str": "text", "int": "number", "float": "number", "complex": "number", "Decimal": "number", "Fraction": "number",
    "bool": "bool", "list": "list", "dict": "dict", "set": "set", "frozenset": "set", "tuple": "tuple",
    "generator": "iterator", "NoneType": "none",
}  # fmt: skip


@dataclass(frozen=True)
class Seen:
    """Of one expression in one function.

    Attributes:
        kind: coarse kind of its values; "" for several or an unknown one.
        changed: helpers that would have changed one of its values.
        instead: helpers whose result, for what this call was given, differs from the call's.
        each: the same for a helper applied to each item.
    """

    kind: str
    changed: frozenset[str]
    instead: frozenset[str]
    each: frozenset[str]


@dataclass(frozen=True, eq=False)
class Watched:
    """Everything a watched run told, by path or by (path, qualified name of the function)."""

    helpers: Mapping[str, frozenset[str]] = field(default_factory=dict)
    lines: Mapping[tuple[str, str], frozenset[int]] = field(default_factory=dict)
    values: Mapping[tuple[str, str], Mapping[str, Seen]] = field(default_factory=dict)


def command(
    test_command: str,
    tests: list[str],
    functions: Mapping[str, Mapping[str, int]],
    helpers: Mapping[str, list[str]],
    expected: Collection[str] = (),
) -> str:
    """The shell command of a watched run; "" when the tests are not run by pytest of a known Python.

    Args:
        expected: names of the exceptions that the tests miss: a helper that raises one has an effect.
    """
    python = _PYTEST.match(test_command)
    if not python:
        return ""
    asked = json.dumps(
        {"tests": tests, "functions": functions, "helpers": helpers, "expected": sorted(expected)}
    )
    script = Path(__file__).with_name("watch_script.py").read_text(encoding="utf-8")
    return f"{python.group(1)} - {shlex.quote(asked)} {MARK}\n{script}WATCH"


def missed(errors: Iterable[str]) -> set[str]:
    """Names of the exceptions that were expected and not raised, from pytest's messages."""
    said = [error.partition("DID NOT RAISE")[2] for error in errors]
    return {name for text in said for name in re.findall(r"(\w+)(?='>|[,)]|\s*$)", text)}


@lru_cache(maxsize=512)
def normal(text: str) -> str:
    """An expression in one spelling."""
    try:
        return ast.unparse(ast.parse(text.strip(), mode="eval"))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return text


@lru_cache(maxsize=64)
def read_watched(output: str) -> Watched:
    """Parse what the script printed; lines that are not its own, or cut, are left out."""
    helpers: dict[str, frozenset[str]] = {}
    lines: dict[tuple[str, str], frozenset[int]] = {}
    values: dict[tuple[str, str], dict[str, Seen]] = {}
    for line in output.splitlines():
        try:
            match json.loads(line):
                case ["helpers", str(path), list(names)]:
                    helpers[path] = frozenset(names)
                case ["lines", str(path), str(function), list(ran)]:
                    lines[path, function] = frozenset(ran)
                case ["value", str(path), str(function), str(text), list(kinds), *sets] if len(sets) == 3:
                    known = {_KINDS.get(kind, "") for kind in kinds}
                    kind = known.pop() if len(known) == 1 else ""
                    seen = Seen(kind, *(frozenset(s) for s in sets))
                    values.setdefault((path, function), {})[normal(text)] = seen
        except (ValueError, TypeError, RecursionError):
            continue
    return Watched(helpers, lines, values)


_CHANGES = frozenset(
    [
        *("append", "extend", "insert", "add", "update", "pop", "popitem"),
        *("remove", "discard", "clear", "setdefault", "sort"),
    ]
)


_FRESH = frozenset(
    ["list", "dict", "set", "sorted", "tuple", "bytearray", "deque", "Counter", "defaultdict", "copy"]
)
_LITERALS = ast.List | ast.Dict | ast.Set | ast.ListComp | ast.SetComp | ast.DictComp | ast.Constant


def _made_here(function: ast.AST) -> set[str]:
    """Variables that only ever hold what the function made itself, so that nobody else sees them change."""
    stores = Counter(
        n.id for n in ast.walk(function) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)
    )
    for node in ast.walk(function):
        if isinstance(node, ast.Assign):
            called = node.value.func if isinstance(node.value, ast.Call) else None
            name = getattr(called, "id", getattr(called, "attr", ""))
            if isinstance(node.value, _LITERALS) or name in _FRESH or name[:1].isupper():
                stores.subtract(target.id for target in node.targets if isinstance(target, ast.Name))
        elif isinstance(node, ast.AugAssign) and isinstance(node.target, ast.Name):
            stores[node.target.id] -= 1
    return {name for name, others in stores.items() if not others}


def pure(function: ast.AST) -> bool:
    """Whether a function looks as if it changed nothing but what it made itself: only such are called for a try."""
    own = _made_here(function)
    for node in ast.walk(function):
        if isinstance(node, ast.Global | ast.Nonlocal | ast.Yield | ast.YieldFrom | ast.Await):
            return False
        call = node.value if isinstance(node, ast.Expr) else node
        if isinstance(node, ast.Attribute | ast.Subscript) and not isinstance(node.ctx, ast.Load):
            changed = node.value
        elif (
            isinstance(call, ast.Call)
            and isinstance(call.func, ast.Attribute)
            and (
                call is not node or call.func.attr in _CHANGES
            )  # a call whose result nobody takes does something
        ):
            changed = call.func.value
        else:
            continue
        while isinstance(changed, ast.Attribute | ast.Subscript | ast.Call):
            changed = changed.func if isinstance(changed, ast.Call) else changed.value
        if not isinstance(changed, ast.Name) or changed.id not in own:
            return False
    return True


def wanted(
    weights: Mapping[Function, float], functions: list[tuple[str, Function]]
) -> list[tuple[str, Function]]:
    """(path, function) of those worth watching, the most suspicious first."""
    ranked = sorted(functions, key=lambda pair: -weights.get(pair[1], 0.0))
    out, length = [], 0
    for path, function in ranked:
        length += function.last - function.first + 1
        if not function.name or weights.get(function, 0.0) < LEAST_WEIGHT or length > MAX_LINES:
            continue
        out.append((path, function))
    return out[:MAX_FUNCTIONS]
