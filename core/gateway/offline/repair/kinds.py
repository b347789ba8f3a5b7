"""Coarse kinds of values ("text", "number", "list" ...), inferred from the code without running it.

They need not be right, only right more often than not: ranking uses them to tell an edit that could be meant from one
that hands a list to a function of strings.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import lru_cache

from .source import FUNCTION, Function, SourceFile

UNKNOWN = ""
_LITERALS: dict[type[ast.AST], str] = {
    ast.JoinedStr: "text", ast.List: "list", ast.ListComp: "list", ast.Dict: "dict", ast.DictComp: "dict",
    ast.Set: "set", ast.SetComp: "set", ast.Tuple: "tuple", ast.GeneratorExp: "iterator", ast.Lambda: "function",
    ast.Compare: "bool",
}  # fmt: skip
_CALLS = {
    "len": "number", "int": "number", "float": "number", "round": "number", "abs": "number", "sum": "number",
    "ord": "number", "hash": "number", "divmod": "tuple", "pow": "number", "floor": "number", "ceil": "number",
    "sqrt": "number", "trunc": "number", "total_seconds": "number", "count": "number", "find": "number",
    "index": "number", "toordinal": "number", "weekday": "number", "isoweekday": "number", "timestamp": "number",
    "str": "text", "repr": "text", "chr": "text", "format": "text", "join": "text", "lower": "text", "upper": "text",
    "strip": "text", "lstrip": "text", "rstrip": "text", "title": "text", "casefold": "text", "capitalize": "text",
    "removeprefix": "text", "removesuffix": "text", "zfill": "text", "ljust": "text",
    "rjust": "text", "center": "text", "isoformat": "text", "strftime": "text", "decode": "text", "group": "text",
    "sorted": "list", "list": "list", "split": "list", "rsplit": "list", "splitlines": "list", "findall": "list",
    "dict": "dict", "set": "set", "frozenset": "set", "tuple": "tuple", "partition": "tuple", "rpartition": "tuple",
    "items": "iterator", "keys": "iterator", "values": "iterator", "zip": "iterator", "map": "iterator",
    "filter": "iterator", "range": "iterator", "enumerate": "iterator", "reversed": "iterator",
    "bool": "bool", "isinstance": "bool", "issubclass": "bool", "any": "bool", "all": "bool", "startswith": "bool",
    "endswith": "bool", "isdigit": "bool", "isalpha": "bool", "hasattr": "bool", "callable": "bool",
}  # fmt: skip
# What is done to a value tells its kind.
_METHOD_OF = {
    "text": "lower upper strip lstrip rstrip casefold title capitalize startswith endswith splitlines split rsplit "
    "isdigit isalpha isspace encode removeprefix removesuffix zfill partition rpartition translate format join",
    "list": "append extend insert sort reverse",
    "dict": "items keys values setdefault get",
    "set": "add discard difference union intersection issubset issuperset",
}  # fmt: skip
_METHODS = {method: kind for kind, methods in _METHOD_OF.items() for method in methods.split()}
_ANNOTATIONS = {
    "str": "text", "int": "number", "float": "number", "complex": "number", "Decimal": "number", "bool": "bool",
    "list": "list", "List": "list", "Sequence": "list", "dict": "dict", "Dict": "dict", "Mapping": "dict",
    "set": "set", "Set": "set", "frozenset": "set", "tuple": "tuple", "Tuple": "tuple", "Iterable": "iterator",
    "Iterator": "iterator", "Callable": "function", "None": "none",
}  # fmt: skip
_COLLECTIONS = frozenset(["list", "set", "tuple", "iterator", "dict"])


def agree(a: str, b: str) -> bool:
    """Whether a value of kind `a` could serve as one of kind `b`. What is not known agrees with all."""
    if a == b or UNKNOWN in (a, b) or (a, b) == ("text", "iterator"):  # a text can be gone through
        return True
    both = {a, b}
    return both in ({"number", "bool"}, {"list", "tuple"}) or ("iterator" in both and both <= _COLLECTIONS)


def of_annotation(node: ast.expr | None) -> str:
    """Kind that a type annotation names."""
    if isinstance(node, ast.Subscript):
        return of_annotation(node.value)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr):
        sides = {of_annotation(node.left), of_annotation(node.right)} - {"none"}
        return sides.pop() if len(sides) == 1 else UNKNOWN
    name = node.id if isinstance(node, ast.Name) else getattr(node, "attr", "")
    if isinstance(node, ast.Constant):
        name = node.value if isinstance(node.value, str) else str(node.value)
    return _ANNOTATIONS.get(name, UNKNOWN)


def of_expression(node: ast.AST | None, known: dict[str, str]) -> str:
    """Kind of an expression; `known` has those of names, and of project functions as ``name()``."""
    if isinstance(node, ast.Constant):
        if node.value is None:
            return "none"
        if isinstance(node.value, bool):
            return "bool"
        return (
            "text"
            if isinstance(node.value, str)
            else "number"
            if isinstance(node.value, int | float)
            else UNKNOWN
        )
    if isinstance(node, ast.Name):
        return known.get(node.id, UNKNOWN)
    if isinstance(node, ast.Attribute):
        return known.get(f".{node.attr}", UNKNOWN)
    if isinstance(node, ast.Call):
        name = called_name(node)
        return known.get(f"{name}()") or _CALLS.get(name) or _of_extreme(name, node, known)
    if isinstance(node, ast.UnaryOp):
        return "bool" if isinstance(node.op, ast.Not) else of_expression(node.operand, known)
    if isinstance(node, ast.BinOp):
        left, right = of_expression(node.left, known), of_expression(node.right, known)
        if isinstance(node.op, ast.Mod) and left == "text":
            return "text"
        if isinstance(node.op, ast.Add):
            return left or right
        if isinstance(node.op, ast.Mult) and {left, right} & {"text", "list"}:
            return left if left in ("text", "list") else right
        if isinstance(node.op, ast.BitOr | ast.BitAnd | ast.BitXor | ast.Sub) and {left, right} & {
            "set",
            "dict",
        }:
            return left or right
        number = left in ("number", UNKNOWN) and right in ("number", UNKNOWN) and left + right != UNKNOWN
        division = isinstance(node.op, ast.FloorDiv | ast.Pow | ast.Div)
        return "number" if number or division else UNKNOWN
    if isinstance(node, ast.IfExp):
        return of_expression(node.body, known) or of_expression(node.orelse, known)
    if isinstance(node, ast.BoolOp):
        return next(
            (k for k in (of_expression(v, known) for v in node.values) if k not in (UNKNOWN, "none")), UNKNOWN
        )
    if isinstance(node, ast.Subscript):
        sliced = isinstance(node.slice, ast.Slice)
        return of_expression(node.value, known) if sliced else UNKNOWN
    return _LITERALS.get(type(node), UNKNOWN)


def _of_extreme(name: str, node: ast.Call, known: dict[str, str]) -> str:
    """Kind of the largest or smallest of what a call of max or min is given."""
    if name not in ("max", "min") or not isinstance(node.func, ast.Name):
        return UNKNOWN
    given = node.args if len(node.args) > 1 else [k.value for k in node.keywords if k.arg == "default"]
    one = node.args[0] if len(node.args) == 1 else None
    if isinstance(one, ast.GeneratorExp | ast.ListComp | ast.SetComp):
        given = [one.elt, *given]
    return next((k for k in (of_expression(v, known) for v in given) if k not in (UNKNOWN, "none")), UNKNOWN)


def called_name(node: ast.Call) -> str:
    return node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")


def _uses(nodes: Iterator[ast.AST]) -> Iterator[tuple[ast.expr, str]]:
    """(expression, kind that its use suggests)."""
    for node in nodes:
        if isinstance(node, ast.Call):
            name = called_name(node)
            if isinstance(node.func, ast.Attribute) and name in _METHODS:
                yield node.func.value, _METHODS[name]
            elif name in ("round", "abs", "range", "float", "chr") and node.args:
                yield node.args[0], "number"
        elif isinstance(node, ast.BinOp):
            sides = (node.left, node.right)
            if isinstance(node.op, ast.Div | ast.FloorDiv | ast.Pow):
                yield from ((side, "number") for side in sides)
            elif isinstance(node.op, ast.Add | ast.Sub | ast.Mult):
                for side, other in (sides, sides[::-1]):
                    if isinstance(other, ast.Constant) and isinstance(other.value, int | float):
                        yield side, "number"
                    elif isinstance(node.op, ast.Add) and isinstance(other, ast.Constant | ast.JoinedStr):
                        yield side, "text"
        elif isinstance(node, ast.Compare) and len(node.ops) == 1:
            sides = (node.left, node.comparators[0])
            if isinstance(node.ops[0], ast.Lt | ast.LtE | ast.Gt | ast.GtE | ast.Eq | ast.NotEq):
                for side, other in (sides, sides[::-1]):
                    if isinstance(other, ast.Constant):
                        yield side, of_expression(other, {})
        elif isinstance(node, ast.For | ast.comprehension):
            yield node.iter, "iterator"


def defaults(arguments: ast.arguments) -> dict[str, ast.expr]:
    """Default of each parameter that has one."""
    positional = [*arguments.posonlyargs, *arguments.args]
    pairs = [*zip(positional[::-1], arguments.defaults[::-1], strict=False)]
    pairs += zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)
    return {argument.arg: default for argument, default in pairs if default is not None}


@lru_cache(maxsize=4096)
def of_parameters(function: Function) -> dict[str, str]:
    """Kinds of a function's parameters, from annotations, defaults and what its body does to them."""
    if not isinstance(function.node, FUNCTION):
        return {}
    arguments = function.node.args
    every = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
    out = {a.arg: of_annotation(a.annotation) for a in every}
    for name, default in defaults(arguments).items():
        kind = of_expression(default, {})
        out[name] = out[name] or (kind if kind != "none" else UNKNOWN)
    for expression, kind in _uses(ast.walk(function.node)):
        if isinstance(expression, ast.Name) and out.get(expression.id) == UNKNOWN:
            out[expression.id] = kind
    return out


@lru_cache(maxsize=64)
def of_project(sources: tuple[SourceFile, ...]) -> dict[str, str]:
    """Kinds that hold everywhere: results of functions as ``name()``, attributes as ``.name``."""
    known: dict[str, str] = {}
    clash: set[str] = set()

    def learn(name: str, kind: str) -> None:
        if not kind or kind == "none" or name in clash:
            return
        if known.setdefault(name, kind) != kind:
            clash.add(name)
            del known[name]

    functions = [f for s in sources for f in s.functions if isinstance(f.node, FUNCTION)]
    for _ in range(2):  # what a function returns may be the result of another
        for function in functions:
            learn(f"{function.name}()", _result(function, known))
    for source in sources:
        for node in source.nodes:
            if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
                learn(f".{node.target.id}", of_annotation(node.annotation))
        for expression, kind in _uses(iter(source.nodes)):
            if isinstance(expression, ast.Attribute):
                learn(f".{expression.attr}", kind)
    for function in functions:
        local = of_function(function, known)
        for node in ast.walk(function.node):
            if isinstance(node, ast.Assign):
                for target in node.targets:
                    if isinstance(target, ast.Attribute):
                        learn(f".{target.attr}", of_expression(node.value, local))
    return known


def _result(function: Function, known: dict[str, str]) -> str:
    kind = of_annotation(function.node.returns)
    if kind:
        return kind
    local = of_function(function, known)
    kinds = set()
    for node in ast.walk(function.node):
        if isinstance(node, ast.Yield | ast.YieldFrom):
            return "iterator"
        if isinstance(node, ast.Return) and node.value is not None:
            kinds.add(of_expression(node.value, local))
    if not kinds:
        return "nothing" if not function.name.startswith("__") else UNKNOWN
    kinds -= {UNKNOWN, "none"}
    return kinds.pop() if len(kinds) == 1 else UNKNOWN


def of_function(function: Function, known: dict[str, str]) -> dict[str, str]:
    """Kinds of the names in a function: `known`, its parameters, what is assigned in it."""
    local = {**known, **{name: kind for name, kind in of_parameters(function).items() if kind}}
    for node in ast.walk(function.node):
        if isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Name):
            kind = of_expression(node.value, local)
            if kind and kind != "none":
                local.setdefault(node.targets[0].id, kind)
    for expression, kind in _uses(ast.walk(function.node)):
        if isinstance(expression, ast.Name) and kind:
            local.setdefault(expression.id, kind)
    return local
