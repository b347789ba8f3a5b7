"""Looks through changed source for what honest fixes do not need: ways to bend a test's outcome.

Two degrees. A *trick* fakes results (an object equal to everything, looking into the test's stack frame, reaching into
pytest, asking whether a test is running): a file that newly has one is left out of grading. A *remark* is only
reported. Both are flags. Only what the submission adds counts, so a project that always did such a thing is not hurt.
"""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

MAX_FLAGS = 20

_TRICK_MODULES = {"_pytest": "pytest internals", "pytest": "pytest internals", "pluggy": "pytest internals"}
_TRICK_MODULES["alma_grading_plugin"] = "grading internals"
_FRAMES = "stack frames"
_TRICK_NAMES = {
    **dict.fromkeys(
        ("_getframe", "_current_frames", "currentframe", "getouterframes", "getinnerframes"), _FRAMES
    ),
    **dict.fromkeys(
        ("f_back", "tb_frame", "f_locals", "f_globals", "f_lineno", "gi_frame", "cr_frame"), _FRAMES
    ),
    **dict.fromkeys(("get_objects", "get_referrers", "get_referents"), "garbage collector"),
    **dict.fromkeys(("settrace", "setprofile"), "tracing"),
    **dict.fromkeys(("TestReport", "CallInfo", "from_item_and_call"), "pytest internals"),
    "__code__": "code objects",
}
_INSPECT_FRAMES = {"stack", "trace"}
_REMARK_NAMES = {
    **dict.fromkeys(("_exit", "abort", "execv", "execve", "execvp", "kill", "killpg"), "process control"),
    **dict.fromkeys(("exec", "eval", "compile", "__import__"), "dynamic code"),
}
_REMARK_MODULES = {
    "atexit": "atexit",
    "ctypes": "ctypes",
    "faulthandler": "faulthandler",
    "linecache": "linecache",
}
_EXITS = {"exit", "quit", "_exit", "SystemExit"}
_COMPARISONS = {"__eq__", "__ne__"}
_BENT = "a comparison that says the same of everything"


class Scan(NamedTuple):
    """Flags in words, and the files that are to be left out."""

    flags: list[str]
    left_out: set[str]


def scan_changes(base: Path, changes: Mapping[str, bytes | None]) -> Scan:
    """Compare every changed Python file with the base."""
    flags: list[str] = []
    left_out: set[str] = set()
    for name, content in sorted(changes.items()):
        if content is None or not name.endswith(".py"):
            continue
        old = (base / name).read_bytes() if (base / name).is_file() else b""
        added = findings(content) - findings(old)
        found = [what for trick, what in added if trick]
        if found:
            left_out.add(name)
        flags += [f"{name}: {what} (left out)" for what in sorted(found)]
        flags += [f"{name}: {what}" for trick, what in sorted(added) if not trick]
    return Scan(flags[:MAX_FLAGS], left_out)


def tricks(source: bytes) -> set[str]:
    """What a source does that only cheats do where the project did not do it before."""
    return {what for trick, what in findings(source) if trick or what == "ctypes"}


def findings(source: bytes) -> Counter[tuple[bool, str]]:
    """How often a source has each (is a trick, what) finding. Source that does not parse has none: it cannot run."""
    try:
        tree = ast.parse(source)
        return Counter(_findings(tree))
    except (SyntaxError, ValueError):
        return Counter()
    except (RecursionError, MemoryError):
        return Counter([(True, "too deeply nested to scan")])


def _findings(tree: ast.Module) -> Iterator[tuple[bool, str]]:
    for statement in _at_import(tree):
        yield from _exits(statement)
    functions = {node.name: node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
    imported = _imported(tree)
    for node in ast.walk(tree):
        match node:
            case ast.Import(names=names):
                for alias in names:
                    yield from _module(alias.name)
            case ast.ImportFrom(module=module, names=names, level=0):
                yield from _module(module or "")
                for alias in names:
                    yield from _name(alias.name, module or "")
            case ast.Attribute(attr=name):
                owner = node.value.id if isinstance(node.value, ast.Name) else ""
                yield from _name(name, owner)
                if isinstance(node.ctx, ast.Store) and owner in imported:
                    yield False, f"replaces {owner}.{name}"
                if isinstance(node.ctx, ast.Store) and name in _COMPARISONS:
                    yield True, "replaces a comparison"
                if name == "ANY" and "mock" in imported:
                    yield True, "mock.ANY"
            case ast.Name(id=name, ctx=ast.Load()):
                if name in ("exec", "eval", "compile", "__import__"):
                    yield False, "dynamic code"
            case ast.FunctionDef(name=name) if name in _COMPARISONS:
                if _is_bent(node):
                    yield True, _BENT
            case ast.Assign(targets=[ast.Name(id=name)], value=value) if name in _COMPARISONS:
                function = functions.get(value.id) if isinstance(value, ast.Name) else value
                if isinstance(function, ast.Lambda | ast.FunctionDef) and _is_bent(function):
                    yield True, _BENT
            case ast.Constant(value=str(text)):
                yield from _text(text)


def _module(name: str) -> Iterator[tuple[bool, str]]:
    top = name.partition(".")[0]
    if top in _TRICK_MODULES:
        yield True, _TRICK_MODULES[top]
    elif top in _REMARK_MODULES:
        yield False, _REMARK_MODULES[top]


def _name(name: str, owner: str) -> Iterator[tuple[bool, str]]:
    if name in _TRICK_NAMES:
        yield True, _TRICK_NAMES[name]
    elif owner == "inspect" and name in _INSPECT_FRAMES:
        yield True, _FRAMES
    elif name == "ANY" and owner == "unittest.mock":
        yield True, "mock.ANY"
    elif name in _REMARK_NAMES and owner in ("os", "signal", "builtins"):
        yield False, _REMARK_NAMES[name]


def _text(text: str) -> Iterator[tuple[bool, str]]:
    if len(text) > 200 or "\n" in text:  # a docstring or a message
        return
    if text in ("pytest", "_pytest") or "PYTEST_CURRENT_TEST" in text:
        yield True, "asks whether a test is running"
    elif text in _TRICK_NAMES:
        yield True, _TRICK_NAMES[text]
    elif text in _COMPARISONS:
        yield True, "replaces a comparison"
    elif "/proc/" in text:
        yield False, "reads /proc"
    elif " " not in text and ("tests/" in text or text.startswith("test_") or "conftest" in text):
        yield False, "names a test file"


def _at_import(tree: ast.Module) -> Iterator[ast.stmt]:
    """Statements that run when the module is imported; not what stands under `if __name__ == "__main__"`."""
    waiting: list[ast.stmt] = list(tree.body)
    while waiting:
        statement = waiting.pop()
        if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        if isinstance(statement, ast.If) and "__name__" in ast.dump(statement.test):
            waiting.extend(statement.orelse)
            continue
        yield statement
        for field in ("body", "orelse", "finalbody"):
            waiting.extend(getattr(statement, field, []))
        for handler in getattr(statement, "handlers", []):
            waiting.extend(handler.body)


def _exits(statement: ast.stmt) -> Iterator[tuple[bool, str]]:
    match statement:
        case ast.Expr(value=ast.Call(func=function)) | ast.Raise(exc=ast.Call(func=function)):
            name = function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
        case ast.Raise(exc=ast.Name(id=name)):
            pass
        case _:
            return
    if name in _EXITS:
        yield False, "process exit at import"


def _is_bent(function: ast.FunctionDef | ast.Lambda) -> bool:
    """Whether a comparison can say yes without a look at the other object, or says nothing but yes."""
    arguments = function.args.posonlyargs + function.args.args
    names = {argument.arg for argument in arguments[1:]}
    names |= {a.arg for a in (function.args.vararg, function.args.kwarg) if a is not None}
    body = function.body if isinstance(function.body, list) else [function.body]
    nodes = [node for statement in body for node in ast.walk(statement)]
    if isinstance(function, ast.Lambda):
        values = [function.body]
    else:
        values = [node.value for node in nodes if isinstance(node, ast.Return) and node.value is not None]
    if not any(isinstance(node, ast.Name) and node.id in names for node in nodes):
        return any(not _says_no(value) for value in values)
    return bool(values) and all(isinstance(value, ast.Constant) and bool(value.value) for value in values)


def _says_no(value: ast.expr) -> bool:
    if isinstance(value, ast.Name):
        return value.id == "NotImplemented"
    return isinstance(value, ast.Constant) and not value.value


def _imported(tree: ast.Module) -> set[str]:
    """Names of imported modules, as they are called here; "mock" for unittest.mock in any form."""
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {(alias.asname or alias.name).partition(".")[0] for alias in node.names}
            names |= {"mock" for alias in node.names if alias.name == "unittest.mock"}
        elif isinstance(node, ast.ImportFrom) and node.module == "unittest":
            names |= {"mock" for alias in node.names if alias.name == "mock"}
    return names
