"""Whether a new expression can stand where it would stand: what the code around it does with it."""

from __future__ import annotations

import ast
from collections.abc import Mapping

from .. import kinds
from ..plausible import AGAIN, parsed

NEVER = 0.05  # Python would refuse the value
IN_MESSAGE = 0.05  # what an exception says is seldom what a test waits for
_NO_COLLECTION = frozenset(["number", "bool", "none", "function"])
_ITERATING = frozenset(
    [
        "zip",
        "enumerate",
        "reversed",
        "iter",
        "any",
        "all",
        "sum",
        "sorted",
        "list",
        "tuple",
        "set",
        "frozenset",
        "dict",
        "map",
        "filter",
        "len",
    ]
)
_KEYWORDS = {
    "max": "key default",
    "min": "key default",
    "sorted": "key reverse",
    "sum": "start",
    "enumerate": "start",
    "int": "base",
    "print": "sep end file flush",
    "open": "mode encoding newline errors",
    "zip": "strict",
}


def suits(node: ast.AST, text: str, parents: Mapping[ast.AST, ast.AST], local: dict[str, str]) -> float:
    """Factor of at most 1 for `text` in the place of the expression `node`.

    Args:
        parents: parent of each node of the function.
        local: kinds of names, as `kinds.of_expression` takes them.
    """
    new = parsed(text)
    if new is None:
        return 1.0
    value = IN_MESSAGE if _in_message(node, parents) else 1.0
    parent = parents.get(node)
    kind = kinds.of_expression(new, local)
    if isinstance(parent, ast.For | ast.comprehension) and parent.iter is node and kind in _NO_COLLECTION:
        value *= NEVER
    elif isinstance(parent, ast.Call) and parent.func is node:
        value *= _called_so(new, parent)
    elif isinstance(parent, ast.Call) and node in parent.args:
        name = kinds.called_name(parent)
        if isinstance(parent.func, ast.Name) and name in _ITERATING and kind in _NO_COLLECTION:
            the_function = name in ("map", "filter") and node is parent.args[0]
            value *= 1.0 if the_function else NEVER
        before = kinds.called_name(node) if isinstance(node, ast.Call) else ""
        if isinstance(new, ast.Call) and kinds.called_name(new) == name != before:
            value *= AGAIN
    return value * (NEVER if any(_mixed(part, local) for part in ast.walk(new)) else 1.0)


def _in_message(node: ast.AST, parents: Mapping[ast.AST, ast.AST]) -> bool:
    """Whether the expression is part of what a raised exception is made with."""
    above = parents.get(node)
    while isinstance(above, ast.expr | ast.keyword | ast.FormattedValue):
        over = parents.get(above)
        if isinstance(above, ast.Call) and isinstance(over, ast.Raise) and over.exc is above:
            return above.func is not node
        above = over
    return False


def _called_so(function: ast.expr, call: ast.Call) -> float:
    """Whether a function may be called with the keywords that stand there."""
    if not isinstance(function, ast.Name) or function.id not in _KEYWORDS.keys() | _ITERATING:
        return 1.0
    known = _KEYWORDS.get(function.id, "").split()
    return 1.0 if all(k.arg in known for k in call.keywords if k.arg) else NEVER


def _mixed(node: ast.AST, local: dict[str, str]) -> bool:
    """Whether a sum joins what cannot be joined, such as a text and a number."""
    if not isinstance(node, ast.BinOp) or not isinstance(node.op, ast.Add | ast.Sub):
        return False
    sides = [kinds.of_expression(side, local) for side in (node.left, node.right)]
    return "number" in sides and bool({"text", "list", "dict", "set", "tuple"} & set(sides))
