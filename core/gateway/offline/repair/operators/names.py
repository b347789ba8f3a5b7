"""Operators on names, attributes, calls and arguments."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from .base import BUILTINS, Proposal, Scope, arity

# Groups of names that are mistaken for each other; membership decides, order does not.
SIBLINGS = (
    "min max",
    "any all",
    "floor ceil round trunc int",
    "sorted reversed list",
    "list tuple set",
    "set frozenset",
    "int float str",
    "str repr",
    "sum len max",
    "append extend insert add",
    "append appendleft",
    "pop popleft",
    "pop get",
    "remove discard pop",
    "lower upper casefold title capitalize swapcase",
    "strip lstrip rstrip",
    "removeprefix removesuffix",
    "startswith endswith",
    "find rfind index rindex",
    "split rsplit splitlines",
    "partition rpartition",
    "ljust rjust center",
    "isdigit isalpha isalnum isnumeric isdecimal isspace",
    "isupper islower",
    "keys values items",
    "get setdefault",
    "union intersection difference symmetric_difference",
    "update intersection_update difference_update",
    "issubset issuperset isdisjoint",
    "match search fullmatch",
    "sub subn",
    "findall finditer",
    "seconds total_seconds",
    "days seconds",
    "year month day",
    "hour minute second microsecond",
    "weekday isoweekday",
    "mean median",
    "sin cos tan",
    "log log2 log10",
    "bisect_left bisect_right bisect",
    "insort_left insort_right",
    "isinstance issubclass",
    "dict OrderedDict defaultdict",
    "permutations combinations product",
    "heappush heappop",
    "encode decode",
    "pstdev stdev",
    "pvariance variance",
    "isclose fabs",
    "takewhile dropwhile",
    "islice chain",
)
_BY_NAME: dict[str, list[str]] = {}
for _group in SIBLINGS:
    for _name in _group.split():
        _BY_NAME.setdefault(_name, []).extend(n for n in _group.split() if n != _name)

WRAPPERS = ("int", "str", "abs", "list", "sorted", "float", "len", "set", "tuple", "round", "bool", "dict")
METHODS = ("strip()", "lower()", "upper()", "copy()", "items()", "rstrip()", "values()", "keys()", "split()")
METHODS += ("title()", "lstrip()", "casefold()")


def variables(scope: Scope, node: ast.AST) -> Iterator[Proposal]:
    """Another variable, attribute, function or method in the place of a name."""
    if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
        parent = scope.parents.get(node)
        called = isinstance(parent, ast.Call) and parent.func is node
        if called:
            yield from _callee(scope, node, node.id, parent)
            return
        if node.id in scope.variables:
            for other in scope.variables:
                if other != node.id:
                    yield scope.replace("variable", node, other)
            if scope.self_name and node.id in scope.params:
                for attribute in scope.attributes[:8]:
                    if attribute.strip("_") == node.id:
                        yield scope.replace("variable", node, f"{scope.self_name}.{attribute}")
        elif node.id in scope.constants:
            for other in scope.constants:
                if other != node.id and type(scope.constants[other]) is type(scope.constants[node.id]):
                    yield scope.replace("constant_swap", node, other)
        elif node.id in _BY_NAME:
            for other in _BY_NAME[node.id]:
                if other in BUILTINS:
                    yield scope.replace("sibling", node, other)
        elif node.id in scope.exceptions or node.id.endswith("Error"):
            yield from _exceptions(scope, node)
    elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
        statement = scope.parents.get(node)
        if isinstance(statement, ast.Assign | ast.AugAssign) and scope.function.name:
            for other in scope.variables:
                if other != node.id:
                    yield scope.replace("target_variable", node, other)
    elif isinstance(node, ast.Attribute):
        yield from _attributes(scope, node)


def _attribute_swap(scope: Scope, op: str, node: ast.Attribute, name: str) -> Proposal:
    end = scope.source.span(node)[1]
    return Proposal(op, end - len(node.attr), end, name)


def _attributes(scope: Scope, node: ast.Attribute) -> Iterator[Proposal]:
    parent = scope.parents.get(node)
    called = isinstance(parent, ast.Call) and parent.func is node
    own = isinstance(node.value, ast.Name) and node.value.id in ("self", "cls")
    for other in _BY_NAME.get(node.attr, ()):
        if not (own and node.attr in scope.methods and other not in scope.methods):
            yield _attribute_swap(scope, "sibling", node, other)
    if own and called and node.attr in scope.methods:
        for other, arguments in scope.methods.items():
            low, high = arity(arguments, bound=True)
            if other != node.attr and low <= len(parent.args) <= high and not other.startswith("__"):
                yield _attribute_swap(scope, "method_swap", node, other)
    elif own and not called and node.attr in scope.attributes:
        for other in scope.attributes:
            if other != node.attr:
                yield _attribute_swap(scope, "attribute_swap", node, other)
        if node.attr.strip("_") in scope.params:
            yield scope.replace("variable", node, node.attr.strip("_"))
    elif not own and not called:
        for other in _used_attributes(scope):
            if other != node.attr:
                yield _attribute_swap(scope, "attribute_swap", node, other)


def _used_attributes(scope: Scope) -> list[str]:
    """Data attributes read from other objects in this function and class."""
    names = dict.fromkeys(
        n.attr
        for n in scope.nodes
        if isinstance(n, ast.Attribute)
        and not (isinstance(scope.parents.get(n), ast.Call) and scope.parents[n].func is n)
    )
    return [*names, *(a for a in scope.attributes if a not in names)][:16]


def _callee(scope: Scope, node: ast.Name, name: str, call: ast.Call) -> Iterator[Proposal]:
    for other in _BY_NAME.get(name, ()):
        if other in BUILTINS or other in scope.source.imports:
            yield scope.replace("sibling", node, other)
    if name in scope.exceptions or name.endswith("Error"):
        yield from _exceptions(scope, node)
        return
    if name in scope.functions:
        for other, arguments in scope.functions.items():
            low, high = arity(arguments, bound=False)
            recursive = other == scope.function.name
            if other != name and not recursive and low <= len(call.args) + len(call.keywords) <= high:
                yield scope.replace("function_swap", node, other)


def _exceptions(scope: Scope, node: ast.Name) -> Iterator[Proposal]:
    usual = ("ValueError", "TypeError", "KeyError", "IndexError", "AttributeError", "LookupError")
    usual += ("ZeroDivisionError", "RuntimeError", "StopIteration", "OverflowError")
    for other in dict.fromkeys((*scope.exceptions, *usual)):
        if other != node.id:
            yield scope.replace("exception", node, other)
    if isinstance(scope.parents.get(node), ast.ExceptHandler):
        for other in dict.fromkeys((*usual[:5], *scope.exceptions)):
            if other != node.id:
                yield scope.replace("exception_add", node, f"({node.id}, {other})")


def arguments(scope: Scope, node: ast.AST) -> Iterator[Proposal]:
    """Swapped, dropped, missing arguments, with the signatures of project functions as a guide."""
    if not isinstance(node, ast.Call):
        return
    for a, b in zip(node.args, node.args[1:], strict=False):
        first, second = scope.text(a), scope.text(b)
        if first != second and not isinstance(a, ast.Starred) and not isinstance(b, ast.Starred):
            start, middle = scope.source.span(a)
            next_start, end = scope.source.span(b)
            gap = scope.source.text[middle:next_start]
            whole = scope.text(node)
            at = start - scope.source.span(node)[0]
            swapped = f"{whole[:at]}{second}{gap}{first}{whole[at + end - start :]}"
            yield Proposal(
                "swap_arguments", start, end, f"{second}{gap}{first}", scope.judge.fit(whole, swapped)
            )
    everything = [*node.args, *(k for k in node.keywords)]
    for index, item in enumerate(everything):
        if len(everything) > 1:
            if index:
                start, end = scope.source.span(everything[index - 1])[1], scope.source.span(item)[1]
            else:
                start, end = scope.source.span(item)[0], scope.source.span(everything[1])[0]
            op = "drop_keyword" if isinstance(item, ast.keyword) else "drop_argument"
            yield Proposal(op, start, end, "")
    close = scope.source.span(node)[1] - 1
    comma = ", " if everything else ""
    for op, text in _missing(scope, node):
        yield Proposal(op, close, close, f"{comma}{text}")


def _missing(scope: Scope, node: ast.Call) -> Iterator[tuple[str, str]]:
    given = {k.arg for k in node.keywords}
    name = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
    signature = scope.functions.get(name) if isinstance(node.func, ast.Name) else scope.methods.get(name)
    if signature is not None:
        every = [*signature.args, *signature.kwonlyargs]
        passed = {a.arg for a in every[: len(node.args)]} | given
        for argument in every:
            if argument.arg in passed or argument.arg in ("self", "cls"):
                continue
            if argument.arg in scope.variables:
                yield "add_keyword", f"{argument.arg}={argument.arg}"
            elif argument.arg in scope.attributes and scope.self_name:
                yield "add_keyword", f"{argument.arg}={scope.self_name}.{argument.arg}"
            elif argument in signature.kwonlyargs or argument in signature.args:
                yield "add_flag", f"{argument.arg}=True"
                yield "add_flag", f"{argument.arg}=False"
    elif name in ("sorted", "sort") and "reverse" not in given:
        yield "builtin_option", "reverse=True"
        if "key" not in given:
            for key in ("len", "str", "str.lower", "lambda item: item[0]", "lambda item: item[1]"):
                yield "builtin_key", f"key={key}"
    elif name == "enumerate" and len(node.args) == 1 and not given:
        yield "builtin_option", "start=1"
    elif name == "get" and len(node.args) == 1:
        for default in ("0", "[]", '""', "{}", "None"):
            yield "builtin_default", default
        for variable in scope.params:
            yield "builtin_default", variable
    elif name == "pop" and len(node.args) == 1:
        yield "builtin_default", "None"
    elif name == "pop" and not node.args:
        yield "builtin_default", "0"
    elif name == "round" and len(node.args) == 1:
        yield "builtin_option", "2"
    elif name in ("max", "min") and len(node.args) == 1 and "default" not in given:
        yield "builtin_option", "default=0"
        yield "builtin_option", "default=None"
    elif name in ("split", "rsplit") and len(node.args) == 1:
        yield "builtin_option", "1"
    elif name == "get" and len(node.args) == 2:
        return


def wrapping(scope: Scope, node: ast.AST) -> Iterator[Proposal]:
    """Wrap an expression in a helper of the project or a builtin, call a method on it, or take one off."""
    if isinstance(node, ast.Call):
        yield from _unwrap(scope, node)
    simple = ast.Name | ast.Attribute | ast.Subscript | ast.Call | ast.BinOp
    if not isinstance(node, simple | ast.ListComp | ast.JoinedStr | ast.IfExp):
        return
    place = _value_place(scope, node)
    if not place:
        return
    text = scope.text(node)
    if "\n" in text:
        return
    inside = scope.parents.get(node)
    outer = inside.func.id if isinstance(inside, ast.Call) and isinstance(inside.func, ast.Name) else ""
    for helper in scope.helpers:
        if outer == helper.name or text.startswith(f"{helper.name}("):
            continue
        for second in scope.seconds(helper):
            if second != text:
                yield scope.replace("wrap_helper_two", node, f"{helper.name}({text}, {second})")
        if not helper.many:
            yield scope.replace(f"wrap_helper_{place}", node, f"{helper.name}({text})")
    for wrapper in WRAPPERS:
        if outer != wrapper and not text.startswith(f"{wrapper}("):
            yield scope.replace("wrap_builtin", node, f"{wrapper}({text})")
    if isinstance(node, ast.BinOp | ast.Call | ast.Name) and place in ("returned", "assigned"):
        yield scope.replace("clamp", node, f"max(0, {text})")
        yield scope.replace("clamp", node, f"min(1, {text})")
        yield scope.replace("round_two", node, f"round({text}, 2)")
    if not isinstance(node, ast.BinOp | ast.IfExp | ast.ListComp):
        for method in METHODS:
            if not text.endswith(f".{method}"):
                yield scope.replace("append_method", node, f"{text}.{method}")
    factors = [
        name
        for name, value in scope.constants.items()
        if isinstance(value, ast.BinOp)
        or (
            isinstance(value, ast.Constant)
            and isinstance(value.value, int | float)
            and value.value is not True
        )
    ]
    if isinstance(node, ast.Name | ast.Attribute | ast.BinOp | ast.Call | ast.Subscript):
        body = f"({text})" if isinstance(node, ast.BinOp) and not isinstance(node.op, ast.Mult) else text
        for factor in factors:
            for sign in ("*", "/", "//", "+", "-"):
                op = "factor" if sign in "*//" else "term"
                if factor not in text:
                    yield scope.replace(op, node, scope.tight(node, f"{body} {sign} {factor}", sign))
        if place in ("returned", "assigned"):
            for number in ("100", "60", "1000"):
                yield scope.replace("factor_number", node, scope.tight(node, f"{body} * {number}"))
                yield scope.replace("factor_number", node, scope.tight(node, f"{body} / {number}"))


def _unwrap(scope: Scope, node: ast.Call) -> Iterator[Proposal]:
    if len(node.args) == 1 and not node.keywords and not isinstance(node.args[0], ast.Starred):
        inner = node.args[0]
        if isinstance(inner, ast.GeneratorExp):
            return
        yield scope.replace("unwrap_call", node, scope.tight(node, scope.text(inner)))
    elif node.args and isinstance(node.func, ast.Name) and not isinstance(node.args[0], ast.Starred):
        yield scope.replace("unwrap_many", node, scope.tight(node, scope.text(node.args[0])))
    if isinstance(node.func, ast.Attribute):
        receiver = node.func.value
        if isinstance(receiver, ast.Name) and receiver.id in ("self", "cls", *scope.source.imports):
            return
        yield scope.replace("unwrap_method", node, scope.text(receiver))


def _value_place(scope: Scope, node: ast.AST) -> str:
    """Where an expression is used as a value, "" where wrapping it makes no sense."""
    parent = scope.parents.get(node)
    if isinstance(getattr(node, "ctx", None), ast.Store | ast.Del):
        return ""
    if isinstance(parent, ast.Call):
        return "argument" if node in parent.args else ""
    if isinstance(parent, ast.keyword):
        return "argument"
    if isinstance(parent, ast.Subscript):
        return "key" if parent.slice is node else "receiver"
    if isinstance(parent, ast.Return | ast.Yield):
        return "returned"
    if isinstance(parent, ast.Assign | ast.AugAssign | ast.AnnAssign):
        return "assigned" if parent.value is node else ""
    if isinstance(parent, ast.Compare):
        return "compared"
    if isinstance(parent, ast.For | ast.comprehension):
        return "iterated" if parent.iter is node else "compared" if node in getattr(parent, "ifs", ()) else ""
    if isinstance(parent, ast.BinOp | ast.List | ast.Tuple | ast.Dict | ast.ListComp | ast.GeneratorExp):
        return "element"
    if isinstance(parent, ast.SetComp | ast.DictComp | ast.Set | ast.FormattedValue | ast.IfExp):
        return "element"
    if isinstance(parent, ast.Attribute) and not isinstance(node, ast.Attribute):
        name = node.id if isinstance(node, ast.Name) else ""
        return "" if name in ("self", "cls", *scope.source.imports) or not name else "receiver"
    if isinstance(parent, ast.If | ast.While) and parent.test is node:
        return "compared"
    if isinstance(parent, ast.BoolOp) or (isinstance(parent, ast.UnaryOp) and isinstance(parent.op, ast.Not)):
        return "compared"
    return ""


def subscripts(scope: Scope, node: ast.AST) -> Iterator[Proposal]:
    """Dictionary access forms: d[k] <-> d.get(k), with the usual defaults."""
    if isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Load):
        number = isinstance(node.slice, ast.Constant) and isinstance(node.slice.value, int)
        if number or isinstance(node.slice, ast.Slice | ast.Tuple | ast.UnaryOp):
            return
        base, key = scope.text(node.value), scope.text(node.slice)
        yield scope.replace("subscript_get", node, f"{base}.get({key})")
        for default in ("0", "[]", '""', "{}", *scope.params):
            yield scope.replace("subscript_get", node, f"{base}.get({key}, {default})")
        return
    access = isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "get"
    if access and node.args and not isinstance(node.args[0], ast.Starred):
        text = f"{scope.text(node.func.value)}[{scope.text(node.args[0])}]"
        yield scope.replace("subscript_index", node, text)
