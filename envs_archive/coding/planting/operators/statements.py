"""Slips in statements: something forgotten, inverted, too early, in the wrong order, or the wrong exception.

Missing constructs are the largest group of the field faults of Duraes and Madeira (TSE 2006: MIFS missing if and its
statements, MIA missing if around statements, MFC missing call, MVAV missing assignment); checking faults are a type of
Orthogonal Defect Classification (Chillarege et al., TSE 1992); removed and shuffled statements and inverted conditions
are among the procedural bugs of SWE-smith (Yang et al. 2025); exception kinds are after ManySStuBs4J (Karampatsis and
Sutton, MSR 2020).
"""

from __future__ import annotations

import ast
import textwrap
from collections.abc import Iterator

from .base import Edit, Module

_LEAVING = ast.Raise | ast.Return | ast.Continue | ast.Break
_SIMPLE = ast.Assign | ast.AugAssign | ast.Expr | ast.AnnAssign
_EXCEPTIONS = {
    "KeyError": ("IndexError",),
    "IndexError": ("KeyError",),
    "ValueError": ("TypeError", "KeyError"),
    "TypeError": ("ValueError",),
    "AttributeError": ("KeyError", "TypeError"),
    "StopIteration": ("ValueError",),
    "NotImplementedError": ("ValueError",),
    "RuntimeError": ("ValueError",),
    "OverflowError": ("ValueError",),
    "ZeroDivisionError": ("ValueError",),
    "FileNotFoundError": ("PermissionError",),
}


def missing_guard(module: Module, node: ast.AST) -> Iterator[Edit]:
    """An early ``raise``, ``return`` or ``continue`` under a condition forgotten."""
    if isinstance(node, ast.If) and not node.orelse and isinstance(node.body[-1], _LEAVING):
        yield from _without(module, "missing_guard", node)


def missing_condition(module: Module, node: ast.AST) -> Iterator[Edit]:
    """What stands under a condition done always."""
    if not isinstance(node, ast.If) or node.orelse or isinstance(node.body[-1], _LEAVING):
        return
    lines = module.whole_lines(node)
    first, last = module.whole_lines(node.body[0]), module.whole_lines(node.body[-1])
    if lines and first and last and _has_no_long_text(node):
        body = textwrap.dedent(module.source[first[0] : last[1]])
        yield module.edit("missing_condition", lines, textwrap.indent(body, module.indent(node)), node)


def missing_case(module: Module, node: ast.AST) -> Iterator[Edit]:
    """An ``else`` forgotten, or a case of a chain."""
    if not isinstance(node, ast.If) or not node.orelse:
        return
    last = module.whole_lines(node.orelse[-1])
    body = module.whole_lines(node.body[-1])
    chained = len(node.orelse) == 1 and isinstance(node.orelse[0], ast.If)
    if last and body and not chained:
        yield module.edit("missing_case", (body[1], last[1]), "", node)
    elif chained and body:
        case = node.orelse[0]
        end = module.whole_lines(case.body[-1])
        # `elif` begins the line that ast gives to the inner `if`.
        if end and module.source[body[1] : module.span(case)[0] + 4].strip() == "elif":
            yield module.edit("missing_case", (body[1], end[1]), "", case)


def missing_statement(module: Module, node: ast.AST) -> Iterator[Edit]:
    """A call, or an assignment to something that has a value already, forgotten."""
    call = isinstance(node, ast.Expr) and isinstance(node.value, ast.Call | ast.Await)
    again = isinstance(node, ast.Assign) and _is_bound_before(module, node)
    if call or again or isinstance(node, ast.AugAssign):
        yield from _without(module, "missing_statement", node)


def inverted_condition(module: Module, node: ast.AST) -> Iterator[Edit]:
    """The condition of an ``if`` negated."""
    if isinstance(node, ast.If | ast.IfExp) and not isinstance(
        node.test, ast.UnaryOp | ast.Compare | ast.NamedExpr
    ):
        text = module.segment(node.test)
        text = (
            text
            if isinstance(node.test, ast.Name | ast.Call | ast.Attribute | ast.Subscript)
            else f"({text})"
        )
        yield module.edit("inverted_condition", module.span(node.test), f"not {text}", node)


def early_return(module: Module, node: ast.AST) -> Iterator[Edit]:
    """The result returned in the first round of a loop."""
    if not isinstance(node, ast.For | ast.While) or node.orelse:
        return
    block = module.block_of(node)
    after = block[block.index(node) + 1 :]
    lines = module.whole_lines(after[0]) if after else None
    body = module.whole_lines(node.body[-1])
    if not lines or not body or not isinstance(after[0], ast.Return) or isinstance(node.body[-1], _LEAVING):
        return
    one_line = after[0].lineno == after[0].end_lineno and len(after) == 1
    if one_line and not module.source[body[1] : lines[0]].strip():
        text = module.indent(node.body[0]) + module.source[slice(*lines)].lstrip()
        yield module.edit("early_return", (body[1], lines[1]), text, node)


def loop_exit(module: Module, node: ast.AST) -> Iterator[Edit]:
    """``break`` for ``continue``, and the other way round."""
    if isinstance(node, ast.Break | ast.Continue):
        other = "continue" if isinstance(node, ast.Break) else "break"
        loop = module.parents[node]
        while not isinstance(loop, ast.For | ast.While | ast.AsyncFor):
            loop = module.parents[loop]
        if isinstance(node, ast.Continue) or not isinstance(
            loop, ast.While
        ):  # a `while True` would never end
            yield module.edit("loop_exit", module.span(node), other, node)


def statement_order(module: Module, node: ast.AST) -> Iterator[Edit]:
    """Two neighbouring statements that share a name in the wrong order."""
    if not isinstance(node, _SIMPLE):
        return
    block = module.block_of(node)
    place = block.index(node)
    following = block[place + 1] if place + 1 < len(block) else None
    if not isinstance(following, _SIMPLE) or _is_text(node) or _is_text(following):
        return
    one, two = module.whole_lines(node), module.whole_lines(following)
    if (
        one
        and two
        and one[1] == two[0]
        and _names(node) & _names(following)
        and _fits_order(module, node, following)
    ):
        text = module.source[slice(*two)] + module.source[slice(*one)]
        yield module.edit("statement_order", (one[0], two[1]), text, node)


def exception_kind(module: Module, node: ast.AST) -> Iterator[Edit]:
    """The wrong exception caught or raised, or one of several not caught."""
    if isinstance(node, ast.ExceptHandler) and isinstance(node.type, ast.Tuple) and len(node.type.elts) == 2:
        for kept in node.type.elts:
            yield module.edit("exception_kind", module.span(node.type), module.segment(kept), node)
        return
    name: ast.expr | None = None
    if isinstance(node, ast.ExceptHandler):
        name = node.type
    elif isinstance(node, ast.Raise) and node.exc is not None:
        name = node.exc.func if isinstance(node.exc, ast.Call) else node.exc
    if isinstance(name, ast.Name):
        for other in _EXCEPTIONS.get(name.id, ()):
            yield module.edit("exception_kind", module.span(name), other, node)


def missing_result(module: Module, node: ast.AST) -> Iterator[Edit]:
    """``return`` forgotten in front of a call, or ``return self`` at the end."""
    if (
        isinstance(node, ast.Return)
        and isinstance(node.value, ast.Call)
        and module.function_of(node) is not None
    ):
        span = module.span(node)[0], module.span(node.value)[0]
        if module.source[slice(*span)].strip() == "return" and module.block_of(node)[-1] is node:
            yield module.edit("missing_result", span, "", node)


def _without(module: Module, kind: str, node: ast.stmt) -> Iterator[Edit]:
    """The statement taken out; ``pass`` where a block would be empty."""
    lines = module.whole_lines(node)
    if lines is None or module.source[slice(*lines)].lstrip().startswith("elif"):
        return
    alone = len(module.block_of(node)) == 1
    yield module.edit(kind, lines, f"{module.indent(node)}pass\n" if alone else "", node)


def _is_bound_before(module: Module, node: ast.Assign) -> bool:
    target = node.targets[0]
    if isinstance(target, ast.Attribute | ast.Subscript):
        return True
    function = module.function_of(node)
    if not isinstance(target, ast.Name) or function is None:
        return False
    arguments = function.args
    if any(a.arg == target.id for a in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)):
        return True
    return any(
        isinstance(n, ast.Name)
        and isinstance(n.ctx, ast.Store)
        and n.id == target.id
        and n.lineno < node.lineno
        for n in ast.walk(function)
    )


def _names(node: ast.AST) -> set[str]:
    names = {n.id for n in ast.walk(node) if isinstance(n, ast.Name)}
    return (names - {"self", "cls"}) | {n.attr for n in ast.walk(node) if isinstance(n, ast.Attribute)}


def _fits_order(module: Module, first: ast.stmt, second: ast.stmt) -> bool:
    """Whether the second uses no name that only the first binds: that would be an error at once, and no slip."""
    new = {n.id for n in ast.walk(first) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
    used = {n.id for n in ast.walk(second) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Load)}
    return not new & used or (isinstance(first, ast.Assign) and _is_bound_before(module, first))


def _is_text(node: ast.AST) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def _multi_line_text(node: ast.AST) -> bool:
    return any(
        isinstance(n, ast.Constant | ast.JoinedStr) and n.lineno != n.end_lineno
        for n in ast.walk(node)
        if hasattr(n, "lineno")
    )


def _has_no_long_text(node: ast.AST) -> bool:
    """Whether lines may be indented otherwise without changing a text that goes over several."""
    return not _multi_line_text(node)


OPERATORS = (
    missing_guard,
    missing_condition,
    missing_case,
    missing_statement,
    inverted_condition,
    early_return,
    loop_exit,
    statement_order,
    exception_kind,
    missing_result,
)
