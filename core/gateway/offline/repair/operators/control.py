"""Operators on statements: returns, loops, guards, order, missing and superfluous statements."""

from __future__ import annotations

import ast
import math
from collections.abc import Iterator
from itertools import pairwise

from .base import Proposal, Scope

MOST_HABIT = 2.5


def statements(scope: Scope, node: ast.AST) -> Iterator[Proposal]:
    if isinstance(node, ast.Break):
        yield scope.replace("loop_word", node, "continue")
    elif isinstance(node, ast.Continue):
        yield scope.replace("loop_word", node, "break")
    elif isinstance(node, ast.Return) and scope.function.name:
        yield from _returns(scope, node)
    elif isinstance(node, ast.If):
        yield from _guards(scope, node)
    elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Yield) and node.value.value is not None:
        yield scope.replace("yield_from", node, f"yield from {scope.text(node.value.value)}")
    elif isinstance(node, ast.Expr) and isinstance(node.value, ast.YieldFrom):
        yield scope.replace("yield_from", node, f"yield {scope.text(node.value.value)}")
    if isinstance(node, ast.Expr | ast.Assign | ast.AugAssign | ast.Raise) and scope.function.name:
        docstring = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        if not docstring:
            yield scope.replace("drop_statement", node, "pass")
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
            yield scope.replace("return_value", node, f"return {scope.text(node)}")


def _returns(scope: Scope, node: ast.Return) -> Iterator[Proposal]:
    if node.value is None:
        for value in ("[]", "None", "False", "True", "0", '""', "{}", *scope.variables):
            yield scope.replace("return_value", node, f"return {value}")
        return
    text = scope.text(node.value)
    if isinstance(node.value, ast.Constant):
        for value in ("None", "0", "[]", '""', "{}", *scope.variables):
            if value != text:
                yield scope.replace("return_value", node.value, value)
    elif isinstance(node.value, ast.List | ast.Dict | ast.Tuple) and len(text) == 2:
        for value in ("None", *scope.variables):
            yield scope.replace("return_value", node.value, value)
    elif isinstance(node.value, ast.Name) and scope.self_name:
        yield scope.replace("return_self", node.value, scope.self_name)
    if isinstance(node.value, ast.Tuple) and len(node.value.elts) == 2:
        a, b = (scope.text(e) for e in node.value.elts)
        start, end = scope.source.span(node.value.elts[0])[0], scope.source.span(node.value.elts[1])[1]
        yield Proposal("swap_arguments", start, end, f"{b}, {a}")


def _guards(scope: Scope, node: ast.If) -> Iterator[Proposal]:
    start = scope.source.span(node)[0]
    keyword = scope.source.text[start : start + 4]
    parent = scope.parents.get(node)
    siblings = getattr(parent, "body", [])
    if keyword.startswith("if"):
        index = siblings.index(node) if node in siblings else 0
        if index and isinstance(siblings[index - 1], ast.If) and not siblings[index - 1].orelse:
            yield Proposal("if_elif", start, start, "el")
        yield scope.replace("drop_guard", node.test, "True")
        if not node.orelse:
            yield scope.replace("drop_branch", node.test, "False")
    elif keyword == "elif":
        yield Proposal("if_elif", start, start + 2, "")


def blocks(scope: Scope, node: ast.AST) -> Iterator[Proposal]:
    """Edits of a whole statement list: order, indentation, early returns, missing statements."""
    if not scope.function.name:
        return
    for part in ("body", "orelse"):
        body = getattr(node, part, None)
        if not isinstance(body, list) or not body or not isinstance(body[0], ast.stmt):
            continue
        for a, b in pairwise(body):
            plain = ast.Assign | ast.AugAssign | ast.Expr
            if isinstance(a, plain) and isinstance(b, plain):
                first, second = scope.source.span(a), scope.source.span(b)
                text = scope.source.text
                joined = text[second[0] : second[1]] + text[first[1] : second[0]] + text[first[0] : first[1]]
                yield Proposal("swap_statements", first[0], second[1], joined)
        last = body[-1]
        if node is not scope.function.node and isinstance(
            last, ast.Return | ast.Expr | ast.AugAssign | ast.Assign
        ):
            yield from _dedent(scope, node, last)
    if node is scope.function.node:
        yield from _early(scope)
        yield from _tail(scope)
        yield from _insertions(scope)
        yield from _guard_insertions(scope)
    elif isinstance(node, ast.For | ast.While | ast.If):
        yield from _nested_insertions(scope, node)


def _dedent(scope: Scope, node: ast.AST, last: ast.stmt) -> Iterator[Proposal]:
    """The last statement of a block, moved out of it."""
    if not isinstance(node, ast.For | ast.While | ast.If | ast.With) or len(getattr(node, "body", [])) < 1:
        return
    if last.lineno == node.lineno or "\n" in scope.text(last):
        return
    if len(node.body) > 1 and node.body[-1] is last and not node.orelse:
        line_start = scope.source.starts[last.lineno - 1]
        end = scope.source.span(last)[1]
        yield Proposal("dedent", line_start, end, scope.indent(node) + scope.text(last))


def _body_start(scope: Scope) -> tuple[int, str]:
    """Offset and indentation of the first real statement of the function."""
    body = scope.function.node.body
    first = body[0]
    if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and len(body) > 1:
        first = body[1]
    if first.lineno == scope.function.node.lineno:
        return -1, ""
    line = min([first.lineno, *(d.lineno for d in getattr(first, "decorator_list", []))])
    indent = scope.indent(first)
    return scope.source.starts[line - 1] + len(indent), indent


def _early(scope: Scope) -> Iterator[Proposal]:
    at, indent = _body_start(scope)
    if at < 0:
        return
    returned = dict.fromkeys(
        scope.text(n.value)
        for n in scope.nodes
        if isinstance(n, ast.Return) and isinstance(n.value, ast.Constant | ast.List | ast.Dict)
    )
    values = [v for v in dict.fromkeys([*returned, "[]", "0", "None", "False", '""', "{}"]) if len(v) <= 12]
    tested = [*scope.params[:3], *(f"{scope.self_name}.{a}" for a in scope.attributes[:3] if scope.self_name)]
    for name in tested:
        for value in [*values[:7], name]:
            yield Proposal("early_return", at, at, f"if not {name}:\n{indent}    return {value}\n{indent}")
    for name in scope.params[:3]:
        for error in ("ValueError", *scope.exceptions[:2]):
            text = f'if not {name}:\n{indent}    raise {error}("{name} is empty")\n{indent}'
            yield Proposal("early_raise", at, at, text)
            text = f'if {name} < 0:\n{indent}    raise {error}("{name} is negative")\n{indent}'
            yield Proposal("early_raise", at, at, text)
        yield Proposal("early_default", at, at, f"{name} = list({name})\n{indent}")
        for helper in scope.helpers:
            if not helper.many:
                yield Proposal("early_helper", at, at, f"{name} = {helper.name}({name})\n{indent}")


def _tail(scope: Scope) -> Iterator[Proposal]:
    body = scope.function.node.body
    last = body[-1]
    if isinstance(last, ast.Return | ast.Raise):
        return
    end, indent = scope.source.span(last)[1], scope.indent(body[0])
    assigned = dict.fromkeys(
        n.id for n in scope.nodes if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)
    )
    for name in [*reversed(list(assigned)), *([scope.self_name] if scope.self_name else [])][:4]:
        yield Proposal("missing_return", end, end, f"\n{indent}return {name}")


def _usable_statements(scope: Scope) -> list[tuple[str, int]]:
    """Statements of the class or module that could stand here as well, each with the number of functions it is in."""
    present = {
        scope.text(s) for s in scope.statements if isinstance(s, ast.Expr | ast.Assign | ast.AugAssign)
    }
    present |= {scope.text(s) for s in scope.statements if isinstance(s, ast.Raise)}
    known = {*scope.variables, scope.self_name, *scope.functions, *scope.constants, *scope.source.imports}
    known |= {"len", "list", "dict", "set", "str", "int", "max", "min", "sorted", *scope.exceptions}
    return [(t, count) for t, names, count in scope.inner_statements if t not in present and names <= known]


def _insertions(scope: Scope) -> Iterator[Proposal]:
    """A statement that the class or module uses elsewhere, at the start or before the end: what many of its functions
    do is the likelier to be missing in one."""
    at, indent = _body_start(scope)
    if at < 0:
        return
    body = scope.function.node.body
    last = body[-1]
    for text, count in _usable_statements(scope):
        if text.startswith("raise"):
            continue
        habit = min(1 + math.log2(count), MOST_HABIT)
        yield Proposal("insert_start", at, at, f"{text}\n{indent}", habit)
        if isinstance(last, ast.Return | ast.Raise):
            if len(body) > 1:
                before = scope.source.span(last)[0]
                yield Proposal("insert_end", before, before, f"{text}\n{scope.indent(last)}", habit)
        else:
            end = scope.source.span(last)[1]
            yield Proposal("insert_end", end, end, f"\n{scope.indent(last)}{text}", habit)


def _guard_insertions(scope: Scope) -> Iterator[Proposal]:
    """An `if ...: return/raise` that the file has elsewhere, before one of the first statements."""
    at, indent = _body_start(scope)
    if at < 0:
        return
    own = scope.text(scope.function.node)
    known = {*scope.variables, scope.self_name, *scope.functions, *scope.constants, *scope.source.imports}
    known |= {
        *scope.exceptions,
        "len",
        "isinstance",
        "str",
        "int",
        "float",
        "list",
        "ValueError",
        "TypeError",
    }
    known |= {"KeyError", "IndexError"}
    body = [s for s in scope.function.node.body if scope.source.span(s)[0] >= at]
    for condition, action, names in scope.guards:
        if not names <= known or f"if {condition}:" in own or action == "continue":
            continue
        bound = set(scope.variables) - set(scope.params)
        for statement in body[:3]:
            if names & bound:
                bound -= {n.id for n in ast.walk(statement) if isinstance(n, ast.Name)}
                continue
            start = scope.source.span(statement)[0]
            yield Proposal("insert_guard", start, start, f"if {condition}:\n{indent}    {action}\n{indent}")
            break


def _nested_insertions(scope: Scope, node: ast.For | ast.While | ast.If) -> Iterator[Proposal]:
    first, last = node.body[0], node.body[-1]
    if first.lineno == node.lineno:
        return
    for text, _ in _usable_statements(scope)[:12]:
        start, end = scope.source.span(first)[0], scope.source.span(last)[1]
        if isinstance(last, ast.Return | ast.Raise | ast.Break | ast.Continue):
            before = scope.source.span(last)[0]
            for at in {start, before}:
                yield Proposal("insert_block", at, at, f"{text}\n{scope.indent(first)}")
        else:
            yield Proposal("insert_block", end, end, f"\n{scope.indent(last)}{text}")
