"""Slips in expressions: comparisons, arithmetic, boundaries, constants, boolean clauses, order of operands.

Relational, arithmetic, logical and constant replacement are the classic mutation operators (Offutt et al., An
Experimental Determination of Sufficient Mutant Operators, TOSEM 1996: ROR, AOR, LCR, UOI, CRP); missing clauses and
wrong expressions are among the field faults of Duraes and Madeira (Emulation of Software Faults, TSE 2006: MLAC, WVAV,
WAEP).
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from .base import Edit, Function, Module, between, find_token

_WORDS: dict[type, tuple[str, ...]] = {
    ast.Lt: ("<",),
    ast.LtE: ("<=",),
    ast.Gt: (">",),
    ast.GtE: (">=",),
    ast.Eq: ("==",),
    ast.NotEq: ("!=",),
    ast.Is: ("is",),
    ast.IsNot: ("is", "not"),
    ast.In: ("in",),
    ast.NotIn: ("not", "in"),
}
_BOUNDARY = {ast.Lt: "<=", ast.LtE: "<", ast.Gt: ">=", ast.GtE: ">"}
_OPPOSITE = {
    ast.Lt: ">",
    ast.LtE: ">=",
    ast.Gt: "<",
    ast.GtE: "<=",
    ast.Eq: "!=",
    ast.NotEq: "==",
    ast.Is: "is not",
    ast.IsNot: "is",
    ast.In: "not in",
    ast.NotIn: "in",
}
_SIGNS: dict[type, str] = {
    ast.Add: "+",
    ast.Sub: "-",
    ast.Mult: "*",
    ast.Div: "/",
    ast.FloorDiv: "//",
    ast.Mod: "%",
    ast.Pow: "**",
    ast.BitAnd: "&",
    ast.BitOr: "|",
    ast.BitXor: "^",
    ast.LShift: "<<",
    ast.RShift: ">>",
}
_OTHER_SIGNS = {
    ast.Add: "-",
    ast.Sub: "+",
    ast.Mult: "+",
    ast.Div: "//",
    ast.FloorDiv: "/",
    ast.Mod: "//",
    ast.Pow: "*",
    ast.BitAnd: "|",
    ast.BitOr: "&",
    ast.BitXor: "|",
    ast.LShift: ">>",
    ast.RShift: "<<",
}
_COMMUTATIVE = ast.Add | ast.Mult | ast.BitAnd | ast.BitOr | ast.BitXor


def comparison_boundary(module: Module, node: ast.AST) -> Iterator[Edit]:
    """``<`` for ``<=`` and the like."""
    yield from _compare(module, node, "comparison_boundary", _BOUNDARY)


def comparison_operator(module: Module, node: ast.AST) -> Iterator[Edit]:
    """``!=`` for ``==``, ``>`` for ``<``, ``in`` for ``not in`` ..."""
    yield from _compare(module, node, "comparison_operator", _OPPOSITE)


def _compare(module: Module, node: ast.AST, kind: str, table: dict[type, str]) -> Iterator[Edit]:
    if not isinstance(node, ast.Compare):
        return
    operands = [node.left, *node.comparators]
    for left, operator, right in zip(operands, node.ops, operands[1:], strict=False):
        place = find_token(module, between(module, left, right), _WORDS[type(operator)])
        if type(operator) in table and place is not None:
            yield module.edit(kind, place, table[type(operator)], node)


def arithmetic_operator(module: Module, node: ast.AST) -> Iterator[Edit]:
    """``-`` for ``+``, ``/`` for ``//``, ``|`` for ``&`` ...; not on texts."""
    if isinstance(node, ast.BinOp) and not _is_text(node.left) and not _is_text(node.right):
        place = find_token(module, between(module, node.left, node.right), (_sign(node.op),))
        if place is not None and type(node.op) in _OTHER_SIGNS:
            yield module.edit("arithmetic_operator", place, _OTHER_SIGNS[type(node.op)], node)


def augmented_assignment(module: Module, node: ast.AST) -> Iterator[Edit]:
    """``-=`` for ``+=``, or plain assignment."""
    if isinstance(node, ast.AugAssign):
        place = find_token(module, between(module, node.target, node.value), (f"{_sign(node.op)}=",))
        if place is not None:
            yield module.edit("augmented_assignment", place, "=", node)
            if isinstance(node.op, ast.Add | ast.Sub) and not _is_text(node.value):
                yield module.edit("augmented_assignment", place, f"{_OTHER_SIGNS[type(node.op)]}=", node)


def swapped_operands(module: Module, node: ast.AST) -> Iterator[Edit]:
    """``b - a`` for ``a - b``; also texts and lists, whose order counts in ``+``."""
    if not isinstance(node, ast.BinOp) or (isinstance(node.op, ast.Mod) and _is_text(node.left)):
        return
    if isinstance(node.op, _COMMUTATIVE) and not (_is_text(node.left) ^ _is_text(node.right)):
        return
    left, right = module.segment(node.left), module.segment(node.right)
    if left != right and "\n" not in left + right and _simple(node.left) and _simple(node.right):
        span = module.span(node.left)[0], module.span(node.right)[1]
        middle = module.source[slice(*between(module, node.left, node.right))]
        if "(" not in middle and ")" not in middle:
            yield module.edit("swapped_operands", span, right + middle + left, node)


def off_by_one(module: Module, node: ast.AST) -> Iterator[Edit]:
    """A whole number one too large or too small; ``+ 1`` forgotten; a bound of a range missed by one."""
    if isinstance(node, ast.Constant) and type(node.value) is int and 0 <= node.value < 1000:
        if not module.segment(node).isdigit():
            return
        yield module.replace("off_by_one", node, str(node.value + 1))
        if node.value > 0:
            yield module.replace("off_by_one", node, str(node.value - 1))
    elif isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add | ast.Sub) and _is_one(node.right):
        yield module.replace("off_by_one", node, module.segment(node.left))
    elif (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id == "range"
        and node.args
    ):
        bound = node.args[min(1, len(node.args) - 1)]
        if not isinstance(bound, ast.Constant | ast.Starred) and "\n" not in module.segment(bound):
            text = module.segment(bound)
            text = text if isinstance(bound, ast.Name | ast.Call | ast.Attribute | ast.BinOp) else f"({text})"
            yield module.replace("off_by_one", bound, f"{text} - 1")
            yield module.replace("off_by_one", bound, f"{text} + 1")


def changed_constant(module: Module, node: ast.AST) -> Iterator[Edit]:
    """Another number, the other truth value, a text with a slip in it."""
    if not isinstance(node, ast.Constant):
        return
    value, text = node.value, module.segment(node)
    if isinstance(value, bool):
        yield module.replace("changed_constant", node, str(not value))
    elif type(value) is int and value >= 10 and text.isdigit():
        yield module.replace("changed_constant", node, f"{text}0")
        yield module.replace("changed_constant", node, text[:-1])
    elif type(value) is float and 0 < value < 1e6 and "e" not in text.lower():
        yield module.replace("changed_constant", node, str(value * 10))
    elif isinstance(value, str) and text[:1] in "'\"" and text[:3] not in ("'''", '"""') and "\\" not in text:
        yield from _changed_text(module, node, value, text)


def _changed_text(module: Module, node: ast.Constant, value: str, text: str) -> Iterator[Edit]:
    if "\n" in text or len(text) != len(value) + 2 or not 0 < len(value) <= 40:
        return
    quote = text[0]
    for other in (
        value[:-1],
        value[1:] if value[0] == " " else value,
        value.swapcase() if len(value) == 1 else value,
    ):
        if other != value:
            yield module.replace("changed_constant", node, f"{quote}{other}{quote}")
    near = {" ": "", ",": ";", "-": "_", "_": "-", ".": ",", "/": "\\\\", "0": " "}.get(value)
    if near is not None and near != value[:-1]:
        yield module.replace("changed_constant", node, f"{quote}{near}{quote}")


def boolean_operator(module: Module, node: ast.AST) -> Iterator[Edit]:
    """``or`` for ``and``."""
    if isinstance(node, ast.BoolOp) and len(node.values) == 2:
        word, other = ("and", "or") if isinstance(node.op, ast.And) else ("or", "and")
        place = find_token(module, between(module, *node.values), (word,))
        if place is not None:
            yield module.edit("boolean_operator", place, other, node)


def missing_clause(module: Module, node: ast.AST) -> Iterator[Edit]:
    """A clause of ``and`` or ``or`` forgotten."""
    if isinstance(node, ast.BoolOp) and len(node.values) == 2:
        for kept in node.values:
            yield module.replace("missing_clause", node, module.segment(kept))


def dropped_negation(module: Module, node: ast.AST) -> Iterator[Edit]:
    """``not`` or a minus forgotten."""
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not | ast.USub):
        yield module.replace("dropped_negation", node, module.segment(node.operand))


def swapped_branches(module: Module, node: ast.AST) -> Iterator[Edit]:
    """``b if c else a`` for ``a if c else b``."""
    if isinstance(node, ast.IfExp):
        body, other = module.segment(node.body), module.segment(node.orelse)
        if body != other and not isinstance(node.orelse, ast.IfExp | ast.Lambda):
            yield module.replace(
                "swapped_branches", node, f"{other} if {module.segment(node.test)} else {body}"
            )


def slice_bounds(module: Module, node: ast.AST) -> Iterator[Edit]:
    """An end of a slice forgotten or missed by one."""
    if not isinstance(node, ast.Slice):
        return
    for bound in (node.lower, node.upper):
        if bound is None:
            continue
        yield module.edit("slice_bounds", module.span(bound), "", node)
        text = module.segment(bound)
        if isinstance(bound, ast.Name | ast.Attribute | ast.Call | ast.BinOp) and "\n" not in text:
            yield module.replace("slice_bounds", bound, f"{text} + 1")
            yield module.replace("slice_bounds", bound, f"{text} - 1")


def missing_filter(module: Module, node: ast.AST) -> Iterator[Edit]:
    """The ``if`` of a comprehension forgotten."""
    if isinstance(node, ast.comprehension) and len(node.ifs) == 1:
        parent = module.parents[node]
        span = module.span(node.iter)[1], module.span(node.ifs[0])[1]
        text = module.source[slice(*span)]
        if text.count("(") == text.count(")") and text.lstrip().startswith("if"):
            yield module.edit("missing_filter", span, "", parent)


def swapped_result(module: Module, node: ast.AST) -> Iterator[Edit]:
    """The elements of a returned or assigned pair in the wrong order."""
    if isinstance(node, ast.Tuple) and len(node.elts) == 2 and isinstance(node.ctx, ast.Load):
        first, second = node.elts
        texts = module.segment(first), module.segment(second)
        if texts[0] != texts[1] and isinstance(module.parents[node], ast.Return | ast.Assign | ast.Yield):
            middle = module.source[slice(*between(module, first, second))]
            if middle.strip() == ",":
                span = module.span(first)[0], module.span(second)[1]
                yield module.edit("swapped_result", span, texts[1] + middle + texts[0], node)


def wrong_default(module: Module, node: ast.AST) -> Iterator[Edit]:
    """Another default of a parameter."""
    if not isinstance(node, Function):
        return
    for default in (*node.args.defaults, *(d for d in node.args.kw_defaults if d is not None)):
        if not isinstance(default, ast.Constant):
            continue
        value, text = default.value, module.segment(default)
        if isinstance(value, bool):
            other = str(not value)
        elif type(value) is int:
            other = str(value + 1)
        elif isinstance(value, str) and value and len(text) == len(value) + 2 and "\n" not in text:
            other = f"{text[0]}{text[-1]}"
        else:
            continue
        span = module.span(default)
        yield module.edit("wrong_default", span, other, default)


def _sign(operator: ast.operator) -> str:
    return _SIGNS.get(type(operator), "\0")


def _is_text(node: ast.expr) -> bool:
    return isinstance(node, ast.JoinedStr) or (
        isinstance(node, ast.Constant) and isinstance(node.value, str | bytes)
    )


def _is_one(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and type(node.value) is int and node.value == 1


def _simple(node: ast.expr) -> bool:
    return isinstance(node, ast.Name | ast.Attribute | ast.Call | ast.Subscript | ast.Constant)


OPERATORS = (
    comparison_boundary,
    comparison_operator,
    arithmetic_operator,
    augmented_assignment,
    swapped_operands,
    off_by_one,
    changed_constant,
    boolean_operator,
    missing_clause,
    dropped_negation,
    swapped_branches,
    slice_bounds,
    missing_filter,
    swapped_result,
    wrong_default,
)
