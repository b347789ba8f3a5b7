"""Slips in names and calls: swapped arguments, the wrong variable, attribute or method, a step forgotten.

Swapped arguments, wrong names and wrong functions are the bugs of DeepBugs (Pradel and Sen, OOPSLA 2018) and of
ManySStuBs4J (Karampatsis and Sutton, MSR 2020: change identifier, wrong function name, same function more or less
arguments, swap arguments); a missing call or a wrong variable in a call are MFC and WPFV of Duraes and Madeira
(Emulation of Software Faults, TSE 2006).
"""

from __future__ import annotations

import ast
import builtins
from collections.abc import Iterator
from functools import lru_cache

from .base import Edit, Function, Module

FAMILIES = (
    ("strip", "lstrip", "rstrip"),
    ("lower", "upper", "title", "capitalize"),
    ("startswith", "endswith"),
    ("find", "rfind"),
    ("index", "rindex"),
    ("split", "rsplit"),
    ("partition", "rpartition"),
    ("ljust", "rjust"),
    ("isdigit", "isalpha", "isalnum"),
    ("append", "appendleft", "extend"),
    ("pop", "popleft"),
    ("add", "discard"),
    ("keys", "values"),
    ("union", "intersection"),
    ("issubset", "issuperset"),
    ("match", "search", "fullmatch"),
    ("update", "setdefault"),
    ("bisect_left", "bisect_right"),
    ("floor", "ceil"),
    ("insert", "append"),
)
FUNCTION_FAMILIES = (
    ("min", "max"),
    ("any", "all"),
    ("int", "float"),
    ("str", "repr"),
    ("isinstance", "issubclass"),
    ("zip", "zip_longest"),
    ("bisect_left", "bisect_right"),
    ("floor", "ceil"),
    ("islice", "takewhile"),
)
STEPS = frozenset(
    {
        "sorted",
        "list",
        "tuple",
        "set",
        "frozenset",
        "dict",
        "reversed",
        "abs",
        "round",
        "int",
        "str",
        "float",
        "len",
        "iter",
    }
)
COPIES = frozenset({"copy", "deepcopy", "list", "dict", "set"})
METHOD_STEPS = frozenset(
    {
        "strip",
        "lstrip",
        "rstrip",
        "lower",
        "upper",
        "casefold",
        "title",
        "capitalize",
        "copy",
        "encode",
        "decode",
    }
    | {
        "expandtabs",
        "splitlines",
        "resolve",
        "normalize",
        "total_seconds",
        "replace",
        "removeprefix",
        "removesuffix",
    }
)
_EMPTY_DEFAULTS = ("get", "pop", "setdefault", "getattr", "next")


def swapped_arguments(module: Module, node: ast.AST) -> Iterator[Edit]:
    """Two neighbouring arguments in the wrong order."""
    if not isinstance(node, ast.Call) or _is_name(
        node.func, "isinstance", "issubclass", "getattr", "hasattr"
    ):
        return
    for one, two in zip(node.args, node.args[1:], strict=False):
        texts = module.segment(one), module.segment(two)
        starred = isinstance(one, ast.Starred) or isinstance(two, ast.Starred)
        if not starred and texts[0] != texts[1] and not isinstance(two, ast.GeneratorExp):
            middle = module.source[module.span(one)[1] : module.span(two)[0]]
            if middle.strip() == ",":
                span = module.span(one)[0], module.span(two)[1]
                yield module.edit("swapped_arguments", span, texts[1] + middle + texts[0], node)


def dropped_step(module: Module, node: ast.AST) -> Iterator[Edit]:
    """A conversion, a normalization or one of the project's own helpers forgotten."""
    if not isinstance(node, ast.Call) or isinstance(module.parents[node], ast.Expr):
        return
    function = node.func
    if isinstance(function, ast.Name) and len(node.args) == 1 and not isinstance(node.args[0], ast.Starred):
        if isinstance(node.args[0], ast.GeneratorExp):
            return
        if function.id in STEPS or (function.id in _functions(module) and not node.keywords):
            kind = "dropped_copy" if function.id in COPIES else "dropped_step"
            yield module.replace(kind, node, module.segment(node.args[0]))
    elif isinstance(function, ast.Attribute) and function.attr in METHOD_STEPS and not node.keywords:
        kind = "dropped_copy" if function.attr == "copy" else "dropped_step"
        yield module.replace(kind, node, module.segment(function.value))
    elif isinstance(function, ast.Attribute) and function.attr in COPIES and len(node.args) == 1:
        yield module.replace("dropped_copy", node, module.segment(node.args[0]))
    elif (
        isinstance(function, ast.Attribute)
        and _is_name(function.value, "self", "cls")
        and len(node.args) == 1
    ) and not isinstance(node.args[0], ast.Starred | ast.GeneratorExp):
        yield module.replace("dropped_step", node, module.segment(node.args[0]))


def dropped_await(module: Module, node: ast.AST) -> Iterator[Edit]:
    """``await`` forgotten."""
    if isinstance(node, ast.Await):
        yield module.replace("dropped_await", node, module.segment(node.value))


def dropped_argument(module: Module, node: ast.AST) -> Iterator[Edit]:
    """An argument given by name, or the last of several, forgotten."""
    if not isinstance(node, ast.Call) or _is_name(
        node.func, "isinstance", "hasattr", "setattr", "issubclass"
    ):
        return
    given = [*node.args, *(keyword.value for keyword in node.keywords)]
    for place, value in enumerate(given):
        if isinstance(value, ast.Starred) or place == 0 or (place < len(node.args) - 1):
            continue
        if place >= len(node.args) and node.keywords[place - len(node.args)].arg is None:
            continue
        span = module.span(given[place - 1])[1], module.span(value)[1]
        text = module.source[slice(*span)]
        if text.lstrip().startswith(",") and "#" not in text and text.count("(") == text.count(")"):
            kind = "missing_default" if _method(node) in _EMPTY_DEFAULTS else "dropped_argument"
            yield module.edit(kind, span, "", node)


def missing_key_handling(module: Module, node: ast.AST) -> Iterator[Edit]:
    """``d[k]`` for ``d.get(k)``: a key that is not there is an error."""
    if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute) or node.func.attr != "get":
        return
    if 1 <= len(node.args) <= 2 and not node.keywords and not isinstance(node.args[0], ast.Starred):
        text = f"{module.segment(node.func.value)}[{module.segment(node.args[0])}]"
        yield module.replace("missing_key_handling", node, text)


def wrong_method(module: Module, node: ast.AST) -> Iterator[Edit]:
    """Another method or function of the same family."""
    if not isinstance(node, ast.Call):
        return
    function = node.func
    if isinstance(function, ast.Attribute):
        end = module.span(function)[1]
        for family in FAMILIES:
            if function.attr in family:
                others = [name for name in family if name != function.attr]
                for other in others[:2]:
                    yield module.edit("wrong_method", (end - len(function.attr), end), other, node)
    elif isinstance(function, ast.Name):
        for family in FUNCTION_FAMILIES:
            if function.id in family:
                for other in family:
                    if other != function.id and (hasattr(builtins, other) or other in module.source):
                        yield module.replace("wrong_method", function, other)


def wrong_attribute(module: Module, node: ast.AST) -> Iterator[Edit]:
    """Another attribute that the class assigns a value of the same form."""
    if (
        not isinstance(node, ast.Attribute)
        or not _is_name(node.value, "self")
        or not isinstance(node.ctx, ast.Load)
    ):
        return
    known = _attributes(module, _class_of(module, node))
    same = [name for name, form in known.items() if name != node.attr and form == known.get(node.attr)]
    for name in sorted(same, key=lambda name: (-_likeness(name, node.attr), name))[:2]:
        end = module.span(node)[1]
        yield module.edit("wrong_attribute", (end - len(node.attr), end), name, node)


def wrong_variable(module: Module, node: ast.AST) -> Iterator[Edit]:
    """Another variable of the function that was bound in the same way."""
    function = module.function_of(node)
    if not isinstance(node, ast.Name) or not isinstance(node.ctx, ast.Load) or function is None:
        return
    parent = module.parents[node]
    if isinstance(parent, ast.Call) and parent.func is node:
        return
    bound = _bound(function)
    form = bound.get(node.id)
    if form is None:
        return
    others = [
        name
        for name, (how, line) in bound.items()
        if name != node.id and how == form[0] and line <= node.lineno and name not in ("self", "cls")
    ]
    for name in sorted(others, key=lambda name: (-_likeness(name, node.id), name))[:2]:
        yield module.replace("wrong_variable", node, name)


def _is_name(node: ast.AST, *names: str) -> bool:
    return isinstance(node, ast.Name) and node.id in names


def _method(node: ast.Call) -> str:
    return node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")


def _functions(module: Module) -> frozenset[str]:
    return frozenset(node.name for node in module.tree.body if isinstance(node, Function))


def _class_of(module: Module, node: ast.AST) -> ast.ClassDef | None:
    while node in module.parents and not isinstance(node, ast.ClassDef):
        node = module.parents[node]
    return node if isinstance(node, ast.ClassDef) else None


@lru_cache(maxsize=64)
def _attributes(module: Module, owner: ast.ClassDef | None) -> dict[str, str]:
    """Attributes that a class's methods assign, with the form of the value."""
    found: dict[str, str] = {}
    for node in ast.walk(owner) if owner is not None else ():
        if isinstance(node, ast.Assign):
            for target in node.targets:
                if isinstance(target, ast.Attribute) and _is_name(target.value, "self"):
                    found.setdefault(target.attr, _form(node.value))
    return found


@lru_cache(maxsize=256)
def _bound(function: Function) -> dict[str, tuple[str, int]]:
    """Names that a function binds: how, and in which line first."""
    arguments = function.args
    plain = (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)
    found = {a.arg: ("parameter", function.lineno) for a in plain}
    for node in ast.walk(function):
        if isinstance(node, ast.Assign):
            for target in node.targets:
                for name in ast.walk(target):
                    if isinstance(name, ast.Name) and isinstance(name.ctx, ast.Store):
                        found.setdefault(name.id, (_form(node.value), node.lineno))
        elif isinstance(node, ast.For | ast.AsyncFor):
            for name in ast.walk(node.target):
                if isinstance(name, ast.Name):
                    found.setdefault(name.id, ("loop", node.lineno))
    return found


def _form(value: ast.expr) -> str:
    """Roughly what kind of value an expression gives."""
    if isinstance(value, ast.Constant):
        return type(value.value).__name__
    return type(value).__name__


def _likeness(one: str, two: str) -> float:
    common = set(one.split("_")) & set(two.split("_"))
    return len(common) + (one[:3] == two[:3]) / 2


OPERATORS = (
    swapped_arguments,
    dropped_step,
    dropped_await,
    dropped_argument,
    missing_key_handling,
    wrong_method,
    wrong_attribute,
    wrong_variable,
)
