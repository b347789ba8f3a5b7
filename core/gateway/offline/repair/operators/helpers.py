"""Operators that bring in what the project has of its own, helpers and sentinels, where a general form stands."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from .. import kinds
from ..source import FUNCTION
from .base import BUILTINS, Proposal, Scope, arity, names_in

MOST_OF_UNREAD = 2  # arguments that an imported function whose file was not read may take
STANDS_IN = 4.0  # a value that the compared variable is given in place of none

COLLECTIONS = {
    "set": "{%s}",
    "list": "[%s]",
    "sorted": "sorted(%s)",
    "tuple": "tuple(%s)",
    "frozenset": "frozenset(%s)",
}


def own_forms(scope: Scope, node: ast.AST) -> Iterator[Proposal]:
    """The project's form of a call or comparison."""
    if isinstance(node, ast.Call):
        yield from _helper_for_builtin(scope, node)
        yield from _helper_for_method(scope, node)
        yield from _helper_for_each(scope, node)
    elif isinstance(node, ast.Compare):
        yield from _sentinels(scope, node)


def _single_helpers(scope: Scope) -> list[str]:
    return [helper.name for helper in scope.helpers if not helper.many]


def _helper_for_builtin(scope: Scope, call: ast.Call) -> Iterator[Proposal]:
    """``len(x)`` -> ``width(x)``: a project function that takes the same arguments."""
    if not isinstance(call.func, ast.Name) or call.func.id not in BUILTINS or call.keywords or not call.args:
        return
    for name, arguments in scope.functions.items():
        low, high = arity(arguments, bound=False)
        if low <= len(call.args) <= high and name != scope.function.name:
            yield scope.replace("helper_for_builtin", call.func, name)
    unread = [h.name for h in scope.helpers if "." not in h.name and h.name not in scope.functions]
    for name in unread if len(call.args) <= MOST_OF_UNREAD else ():
        yield scope.replace("helper_for_builtin", call.func, name)


def _helper_for_method(scope: Scope, call: ast.Call) -> Iterator[Proposal]:
    """``x.lower()`` -> ``fold(x)``."""
    if not isinstance(call.func, ast.Attribute) or call.args or call.keywords:
        return
    receiver = call.func.value
    if isinstance(receiver, ast.Name) and receiver.id in ("self", "cls", *scope.source.imports):
        return
    for name in _single_helpers(scope):
        yield scope.replace("helper_for_method", call, f"{name}({scope.text(receiver)})")


def _helper_for_each(scope: Scope, call: ast.Call) -> Iterator[Proposal]:
    """``set(xs)`` -> ``{fold(item) for item in xs}``."""
    if not isinstance(call.func, ast.Name) or call.func.id not in COLLECTIONS or call.keywords:
        return
    if len(call.args) != 1 or isinstance(call.args[0], ast.GeneratorExp | ast.ListComp | ast.Starred):
        return
    for name in _single_helpers(scope):
        each = f"{name}(item) for item in {scope.text(call.args[0])}"
        yield scope.replace("helper_for_each", call, COLLECTIONS[call.func.id] % each)


def _sentinels(scope: Scope, compare: ast.Compare) -> Iterator[Proposal]:
    """``is None`` -> ``is MISSING`` and back, with the constants of the module that are objects of their own."""
    if len(compare.ops) != 1 or not isinstance(compare.ops[0], ast.Is | ast.IsNot):
        return
    right = compare.comparators[0]
    if isinstance(right, ast.Constant) and right.value is None:
        for name, value in scope.constants.items():
            if isinstance(value, ast.Call):
                fit = STANDS_IN if name in _stand_ins(scope, compare.left) else 1.0
                yield scope.replace("sentinel", right, name)._replace(fit=fit)
    elif isinstance(right, ast.Name) and isinstance(scope.constants.get(right.id), ast.Call):
        yield scope.replace("sentinel", right, "None")


def _stand_ins(scope: Scope, compared: ast.expr) -> frozenset[str]:
    """Names that a variable may hold: of its default as a parameter, and in what it is assigned."""
    if not isinstance(compared, ast.Name):
        return frozenset()
    held: list[ast.AST] = []
    if isinstance(scope.function.node, FUNCTION):
        held += [d for name, d in kinds.defaults(scope.function.node.args).items() if name == compared.id]
    for node in scope.nodes:
        if isinstance(node, ast.Assign) and any(
            isinstance(target, ast.Name) and target.id == compared.id for target in node.targets
        ):
            held.append(node.value)
    return frozenset().union(*map(names_in, held))
