"""Operators on comparisons, arithmetic, conditions and constants."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from .base import Proposal, Scope, near

COMPARE = {ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">=", ast.Eq: "==", ast.NotEq: "!="}
COMPARE |= {ast.Is: "is", ast.IsNot: "is not", ast.In: "in", ast.NotIn: "not in"}
BINARY = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/", ast.FloorDiv: "//", ast.Mod: "%"}
BINARY |= {ast.Pow: "**", ast.BitAnd: "&", ast.BitOr: "|", ast.BitXor: "^"}
BINARY |= {ast.LShift: "<<", ast.RShift: ">>"}

_COMPARE_SWAPS = {
    "<": [("boundary", "<="), ("flip", ">"), ("flip", ">="), ("compare_kind", "!=")],
    "<=": [("boundary", "<"), ("flip", ">="), ("flip", ">"), ("compare_kind", "==")],
    ">": [("boundary", ">="), ("flip", "<"), ("flip", "<="), ("compare_kind", "!=")],
    ">=": [("boundary", ">"), ("flip", "<="), ("flip", "<"), ("compare_kind", "==")],
    "==": [("equality", "!="), ("compare_kind", ">="), ("compare_kind", "<="), ("identity", "is")],
    "!=": [("equality", "=="), ("compare_kind", ">"), ("compare_kind", "<"), ("identity", "is not")],
    "is": [("equality", "is not"), ("identity", "==")],
    "is not": [("equality", "is"), ("identity", "!=")],
    "in": [("equality", "not in"), ("compare_kind", "==")],
    "not in": [("equality", "in"), ("compare_kind", "!=")],
}
_BINARY_SWAPS = {
    "+": [("plus_minus", "-"), ("arithmetic", "*")],
    "-": [("plus_minus", "+"), ("arithmetic", "/"), ("arithmetic", "%")],
    "*": [("times_divide", "/"), ("arithmetic", "**"), ("arithmetic", "+"), ("arithmetic", "//")],
    "/": [("true_floor", "//"), ("times_divide", "*"), ("arithmetic", "%"), ("arithmetic", "-")],
    "//": [("true_floor", "/"), ("floor_mod", "%"), ("times_divide", "*")],
    "%": [("floor_mod", "//"), ("arithmetic", "/")],
    "**": [("arithmetic", "*")],
    "&": [("bits", "|"), ("bits", "^"), ("bits", "-")],
    "|": [("bits", "&"), ("bits", "^")],
    "^": [("bits", "&"), ("bits", "|")],
    "<<": [("bits", ">>")],
    ">>": [("bits", "<<")],
}


def comparisons(scope: Scope, node: ast.AST) -> Iterator[Proposal]:
    if not isinstance(node, ast.Compare):
        return
    left = node.left
    for operator, right in zip(node.ops, node.comparators, strict=True):
        symbol = COMPARE[type(operator)]
        place = scope.between(left, right, symbol)
        none = isinstance(right, ast.Constant) and (right.value is None or isinstance(right.value, bool))
        if place:
            for op, other in _COMPARE_SWAPS[symbol]:
                if none and op in ("compare_kind", "identity"):
                    continue
                yield Proposal(op, *place, other)
        if symbol in ("<", "<=", ">", ">=", "==", "!=") and not none:
            for side in (left, right):
                if isinstance(side, ast.Constant) and not isinstance(side.value, int):
                    continue
                if isinstance(side, ast.Constant):
                    continue  # constants have their own operator
                yield scope.replace("bound_off_by_one", side, f"{scope.operand(side)} + 1")
                yield scope.replace("bound_off_by_one", side, f"{scope.operand(side)} - 1")
        left = right
    if len(node.ops) == 1 and isinstance(node.ops[0], ast.Lt | ast.LtE | ast.Gt | ast.GtE):
        a, b = scope.text(node.left), scope.text(node.comparators[0])
        symbol = COMPARE[type(node.ops[0])]
        yield scope.replace("swap_operands", node, f"{b} {symbol} {a}")
    if len(node.ops) == 1 and isinstance(node.ops[0], ast.Is | ast.IsNot):
        right = node.comparators[0]
        if isinstance(right, ast.Constant) and right.value is None:
            negated = isinstance(node.ops[0], ast.Is)
            text = scope.text(node.left)
            yield scope.replace("truthiness", node, f"not {text}" if negated else text)


def arithmetic(scope: Scope, node: ast.AST) -> Iterator[Proposal]:
    if isinstance(node, ast.BinOp):
        symbol = BINARY.get(type(node.op))
        text = isinstance(node.left, ast.Constant) and isinstance(node.left.value, str)
        place = symbol and scope.between(node.left, node.right, symbol)
        if place and not (text and symbol == "%"):
            for op, other in _BINARY_SWAPS[symbol]:
                if text and op != "bits":
                    continue
                yield Proposal(op, *place, other)
        left, right = scope.text(node.left), scope.text(node.right)
        one = isinstance(node.right, ast.Constant) and node.right.value == 1
        yield scope.replace("drop_one" if one else "drop_operand", node, left)
        if not one:
            yield scope.replace("drop_operand", node, right)
        if symbol in ("-", "/", "//", "%", "**"):
            a, b = scope.operand(node.right), scope.operand(node.left)
            yield scope.replace("swap_operands", node, scope.tight(node, f"{a} {symbol} {b}"))
        nested = isinstance(node.left, ast.BinOp) and symbol in ("*", "/", "//", "%")
        if nested and isinstance(node.left.op, ast.Add | ast.Sub) and scope.text(node).startswith("("):
            inner = scope.between(node.left.left, node.left.right, BINARY[type(node.left.op)])
            if inner:
                a = scope.text(node.left.left)
                b = scope.text(node.left.right)
                sign = BINARY[type(node.left.op)]
                yield scope.replace("regroup", node, scope.tight(node, f"{a} {sign} {b} {symbol} {right}"))
        if symbol in ("+", "-") and isinstance(node.right, ast.BinOp):
            inner_symbol = BINARY.get(type(node.right.op), "")
            if inner_symbol in ("*", "/", "//", "%"):
                a, b = scope.text(node.right.left), scope.text(node.right.right)
                yield scope.replace("regroup", node, f"({left} {symbol} {a}) {inner_symbol} {b}")
    elif isinstance(node, ast.UnaryOp):
        inner = scope.text(node.operand)
        if isinstance(node.op, ast.USub):
            yield scope.replace("drop_minus", node, inner)
        elif isinstance(node.op, ast.Not):
            yield scope.replace("drop_not", node, inner)
    elif isinstance(node, ast.AugAssign):
        symbol = BINARY.get(type(node.op))
        place = symbol and scope.between(node.target, node.value, symbol + "=")
        if place:
            for op, other in _BINARY_SWAPS[symbol]:
                yield Proposal(op, *place, other + "=")
            yield Proposal("augmented", *place, "=")
    elif isinstance(node, ast.Assign) and len(node.targets) == 1:
        place = scope.between(node.targets[0], node.value, "=")
        stored = isinstance(node.targets[0], ast.Name | ast.Attribute | ast.Subscript)
        if place and stored and scope.function.name:
            yield Proposal("augmented", *place, "+=")
            yield Proposal("augmented_rare", *place, "-=")
            yield Proposal("augmented_rare", *place, "*=")


def _tests(scope: Scope, node: ast.AST) -> list[ast.expr]:
    if isinstance(node, ast.If | ast.While | ast.IfExp):
        return [node.test]
    if isinstance(node, ast.comprehension):
        return list(node.ifs)
    return []


def conditions(scope: Scope, node: ast.AST) -> Iterator[Proposal]:
    if isinstance(node, ast.BoolOp):
        word, other = ("and", "or") if isinstance(node.op, ast.And) else ("or", "and")
        for left, right in zip(node.values, node.values[1:], strict=False):
            place = scope.between(left, right, word)
            if place:
                yield Proposal("and_or", *place, other)
        for index, value in enumerate(node.values):
            rest = [scope.text(v) for i, v in enumerate(node.values) if i != index]
            yield scope.replace("drop_clause", node, f" {word} ".join(rest))
            if not isinstance(value, ast.UnaryOp | ast.Compare):
                yield scope.replace("add_not", value, f"not {scope.text(value)}")
        first = node.values[0]
        if (
            isinstance(node.op, ast.Or)
            and len(node.values) == 2
            and isinstance(first, ast.Name | ast.Attribute)
        ):
            name, rest = scope.text(first), scope.text(node.values[1])
            yield scope.replace(
                "truthiness", node, scope.tight(node, f"{name} if {name} is not None else {rest}")
            )
    if isinstance(node, ast.Constant) and isinstance(node.value, bool):
        yield scope.replace("flip_bool", node, str(not node.value))
    if isinstance(node, ast.Return) and node.value is not None and scope.function.name:
        boolish = isinstance(node.value, ast.Name | ast.Call | ast.BoolOp)
        if boolish:
            yield scope.replace("return_not", node.value, f"not {_group(scope, node.value)}")
    for test in _tests(scope, node):
        text = scope.text(test)
        chained = isinstance(test, ast.Compare) and len(test.ops) > 1
        if chained or isinstance(test, ast.Name | ast.Attribute | ast.Call | ast.BoolOp | ast.Subscript):
            yield scope.replace("add_not", test, f"not {_group(scope, test)}")
        if isinstance(test, ast.Name | ast.Attribute | ast.Call | ast.Subscript):
            yield scope.replace("truthiness", test, f"{text} is not None")
        negated = isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not)
        if negated and isinstance(test.operand, ast.Name | ast.Attribute | ast.Call):
            yield scope.replace("truthiness", test, f"{scope.text(test.operand)} is None")
        bound = set(scope.variables) | {scope.self_name}
        for clause, names in scope.conditions:
            if clause != text and clause not in text and names and _usable(names, bound, scope):
                joined = f"({clause})" if " or " in clause else clause
                grouped = (
                    f"({text})" if isinstance(test, ast.BoolOp) and isinstance(test.op, ast.Or) else text
                )
                yield scope.replace("add_clause", test, f"{grouped} and {joined}")
                grouped = text
                yield scope.replace("add_clause", test, f"{grouped} or {clause}")


def _group(scope: Scope, node: ast.AST) -> str:
    text = scope.text(node)
    return f"({text})" if isinstance(node, ast.BoolOp | ast.Compare | ast.IfExp) else text


def _usable(names: frozenset[str], bound: set[str], scope: Scope) -> bool:
    known = bound | set(scope.functions) | set(scope.constants) | set(scope.source.imports)
    from_builtins = {"len", "isinstance", "str", "int", "float", "any", "all", "abs", "min", "max", "None"}
    local = names & bound
    return bool(local) and names <= known | from_builtins


def constants(scope: Scope, node: ast.AST) -> Iterator[Proposal]:
    if not isinstance(node, ast.Constant) or isinstance(node.value, bool) or node.value is None:
        return
    if isinstance(node.value, int | float):
        yield from _numbers(scope, node)
    elif isinstance(node.value, str) and not scope.is_docstring(node):
        yield from _strings(scope, node)


def _numbers(scope: Scope, node: ast.Constant) -> Iterator[Proposal]:
    value, text = node.value, scope.text(node)
    negative = isinstance(scope.parents.get(node), ast.UnaryOp)
    if isinstance(value, int):
        yield scope.replace("constant_one", node, str(value + 1))
        if value > 0:
            yield scope.replace("constant_one", node, str(value - 1))
        if value == 0:
            yield scope.replace("constant_one", node, scope.tight(node, "-1"))
    if value and not negative:
        yield scope.replace("constant_sign", node, scope.tight(node, f"-{text}"))
    for other in near(scope.numbers, text):
        yield scope.replace("constant_other", node, other)
    for factor in (10, 0.1, 2, 0.5):
        scaled = value * factor
        if abs(value) > 1 and (isinstance(value, float) or scaled == int(scaled)):
            number = repr(int(scaled) if isinstance(value, int) else scaled)
            if len(number) < 10:
                yield scope.replace("constant_scale", node, number)
    for name, constant in scope.constants.items():
        if isinstance(constant, ast.Constant) and isinstance(constant.value, int | float):
            yield scope.replace("constant_name", node, name)


def _strings(scope: Scope, node: ast.Constant) -> Iterator[Proposal]:
    value, text = node.value, scope.text(node)
    if isinstance(scope.parents.get(node), ast.JoinedStr | ast.FormattedValue) or "\n" in text:
        return
    for other in near(scope.strings, text):
        yield scope.replace("string_other", node, other)
    quote = text[-1]
    for changed in (
        value.strip(),
        value.lower(),
        value.upper(),
        value + " ",
        " " + value,
        value[:-1],
        value[1:],
    ):
        if (
            changed != value
            and len(value) <= 12
            and changed.isprintable()
            and not set(changed) & {"\\", quote}
        ):
            yield scope.replace("string_edit", node, f"{quote}{changed}{quote}")
    if value:
        yield scope.replace("string_edit", node, quote * 2)
    else:
        yield scope.replace("string_edit", node, f"{quote} {quote}")


def bounds(scope: Scope, node: ast.AST) -> Iterator[Proposal]:
    """Off-by-one on ranges, slices, indices, arguments, returned and assigned values."""
    places: list[tuple[str, ast.expr]] = []
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "range":
        places += [("range_bound", a) for a in node.args]
        if len(node.args) == 1:
            yield scope.replace("range_start", node.args[0], f"1, {scope.text(node.args[0])}")
            yield scope.replace("range_start", node.args[0], f"1, {scope.operand(node.args[0])} + 1")
        elif len(node.args) == 2:
            yield scope.replace("range_step", node.args[1], f"{scope.text(node.args[1])}, -1")
    elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name | ast.Attribute):
        places += [("argument_off_by_one", a) for a in node.args if _countable(a)]
    elif isinstance(node, ast.Slice):
        yield from _slices(scope, node)
    elif isinstance(node, ast.Subscript) and not isinstance(node.slice, ast.Slice | ast.Tuple):
        places.append(("index_bound", node.slice))
        if isinstance(node.slice, ast.Constant) and node.slice.value == 0:
            yield scope.replace("index_end", node.slice, "-1")
        elif scope.text(node.slice) == "-1":
            yield scope.replace("index_end", node.slice, "0")
    elif isinstance(node, ast.Return | ast.Assign | ast.AugAssign) and _countable(node.value):
        places.append(("value_off_by_one", node.value))
    for op, place in places:
        if isinstance(place, ast.Constant | ast.Starred | ast.GeneratorExp):
            continue
        for sign in "+-":
            yield scope.replace(op, place, scope.tight(place, f"{scope.text(place)} {sign} 1"))


def _countable(node: ast.expr | None) -> bool:
    if isinstance(node, ast.Call):
        return isinstance(node.func, ast.Name) and node.func.id in (
            "len",
            "int",
            "sum",
            "min",
            "max",
            "round",
        )
    return isinstance(node, ast.Name | ast.BinOp | ast.Attribute)


def _slices(scope: Scope, node: ast.Slice) -> Iterator[Proposal]:
    lower, upper, step = (scope.text(p) if p else "" for p in (node.lower, node.upper, node.step))
    start, end = scope.source.span(node)
    tail = f":{step}" if node.step else ""

    def build(low: str, high: str, end_tail: str = tail) -> Proposal:
        return Proposal("slice_bound", start, end, f"{low}:{high}{end_tail}")

    yield build("1" if not lower else f"{lower} + 1", upper)
    if lower:
        yield build("" if lower == "1" else f"{lower} - 1", upper)
        yield build("", upper)
    yield build(lower, "-1" if not upper else f"{upper} + 1")
    if upper:
        yield build(lower, f"{upper} - 1")
        yield build(lower, "")
        if not lower:
            yield build(upper, "")
            yield build(f"-{upper}", "")
    elif lower:
        yield build("", lower)
    yield build(lower, upper, "" if node.step else ":-1")
