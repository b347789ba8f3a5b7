"""What every operator family shares: proposals, the scope of one function, and text helpers."""

from __future__ import annotations

import ast
import builtins
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from typing import NamedTuple

from ..plausible import SAME_NAME, STRANGE, Judge, Usage
from ..source import FUNCTION, Function, SourceFile, resolve_import
from .surroundings import suits

BUILTINS = frozenset(dir(builtins))
MAX_HELPERS = 24
MAX_SECONDS = 3


class Proposal(NamedTuple):
    """Replace characters [start, end) of the file by `text`; `op` names the operator for its prior.

    `fit` is a factor around 1: how well the new text suits its place, where that can be judged.
    """

    op: str
    start: int
    end: int
    text: str
    fit: float = 1.0


@dataclass(frozen=True)
class Helper:
    """A project function that can be called with one positional argument: `name` as written here."""

    name: str
    many: bool = False  # takes further required arguments


@dataclass(eq=False)
class Scope:
    """One function of a file with the names an edit there can use."""

    source: SourceFile
    function: Function
    judge: Judge
    nodes: list[ast.AST] = field(default_factory=list)
    parents: dict[ast.AST, ast.AST] = field(default_factory=dict)
    statements: list[ast.stmt] = field(default_factory=list)
    params: list[str] = field(default_factory=list)
    variables: list[str] = field(default_factory=list)  # parameters and assigned names, in order
    self_name: str = ""
    attributes: list[str] = field(default_factory=list)  # data attributes of the class
    methods: dict[str, ast.arguments] = field(default_factory=dict)  # of the class
    functions: dict[str, ast.arguments] = field(default_factory=dict)  # module level, project imports too
    helpers: list[Helper] = field(default_factory=list)
    constants: dict[str, ast.expr] = field(default_factory=dict)  # numbers etc., project imports too
    exceptions: list[str] = field(default_factory=list)
    strings: list[str] = field(default_factory=list)
    numbers: list[str] = field(default_factory=list)
    conditions: list[tuple[str, frozenset[str]]] = field(default_factory=list)
    inner_statements: list[tuple[str, frozenset[str], int]] = field(default_factory=list)
    guards: list[tuple[str, str, frozenset[str]]] = field(default_factory=list)  # condition, body, names
    _seconds: dict[str, list[str]] = field(default_factory=dict)

    def text(self, node: ast.AST) -> str:
        return self.source.of(node)

    def replace(self, op: str, node: ast.AST, text: str) -> Proposal:
        start, end = self.source.span(node)
        if not isinstance(node, ast.expr):
            return Proposal(op, start, end, text)
        fit = suits(node, text, self.parents, self.judge.local)
        judged = self.parents.get(node)
        if isinstance(judged, ast.Call) and judged.func is node:  # another function: what it gives counts
            first, last = self.source.span(judged)
            new = text + self.source.text[end:last]
        else:
            judged, first, last, new = node, start, end, text
        fit *= self.judge.fit(self.source.text[first:last], new, self.is_condition(judged))
        return Proposal(op, start, end, text, fit)

    def seconds(self, helper: Helper) -> list[str]:
        """What a helper could be given as its second argument here, the likeliest first."""
        if helper.name not in self._seconds:
            own = [f"{self.self_name}.{name}" for name in self.attributes] if self.self_name else []
            options = [*self.params, *(v for v in self.variables if v not in self.params), *own]
            least = STRANGE if helper.many else SAME_NAME  # one that may be left out needs a good reason
            found = self.judge.arguments(helper.name, 1, options, least)
            self._seconds[helper.name] = found[:MAX_SECONDS]
        return self._seconds[helper.name]

    def is_condition(self, node: ast.AST) -> bool:
        """Whether only the truth of an expression counts where it stands."""
        parent = self.parents.get(node)
        if isinstance(parent, ast.comprehension):
            return node in parent.ifs
        if isinstance(parent, ast.If | ast.While | ast.IfExp | ast.Assert):
            return parent.test is node
        return isinstance(parent, ast.BoolOp | ast.UnaryOp)

    def tight(self, node: ast.AST, text: str, symbol: str = "") -> str:
        """`text` as a replacement of `node`, in parentheses where the surroundings bind tighter.

        `symbol` is the outermost operator of `text` when the caller knows it.
        """
        parent = self.parents.get(node)
        additive = isinstance(parent, ast.BinOp) and isinstance(parent.op, ast.Add | ast.Sub)
        if additive and (symbol in ("*", "/", "//") or (symbol in ("+", "-") and parent.left is node)):
            return text
        if isinstance(parent, ast.BinOp | ast.UnaryOp | ast.Attribute | ast.Starred | ast.Await):
            return f"({text})"
        if isinstance(parent, ast.Subscript | ast.Call) and getattr(parent, "value", None) is node:
            return f"({text})"
        return text

    def operand(self, node: ast.AST) -> str:
        """Text of `node` as an operand of a new arithmetic operator."""
        text = self.text(node)
        loose = ast.BoolOp | ast.Compare | ast.IfExp | ast.Lambda | ast.NamedExpr | ast.BinOp | ast.UnaryOp
        return f"({text})" if isinstance(node, loose) else text

    def between(self, left: ast.AST, right: ast.AST, symbol: str) -> tuple[int, int] | None:
        """Where the operator `symbol` stands between two operands."""
        start, end = self.source.span(left)[1], self.source.span(right)[0]
        gap = self.source.text[start:end]
        if "#" in gap:
            return None
        at = gap.find(symbol)
        return (start + at, start + at + len(symbol)) if at >= 0 else None

    def indent(self, node: ast.stmt) -> str:
        line = self.source.lines[node.lineno - 1]
        return line[: len(line) - len(line.lstrip())]

    def is_docstring(self, node: ast.AST) -> bool:
        return isinstance(self.parents.get(node), ast.Expr)


def _walk(root: ast.AST, scope: Scope, whole: bool) -> None:
    stack = [root]
    while stack:
        node = stack.pop()
        scope.nodes.append(node)
        skipped = [*getattr(node, "decorator_list", []), getattr(node, "annotation", None)]
        skipped.append(getattr(node, "returns", None))
        for child in ast.iter_child_nodes(node):
            if any(child is s for s in skipped):
                continue  # annotations and decorators change no value here
            if not whole and isinstance(child, FUNCTION):
                continue  # the module scope leaves functions to their own scopes
            scope.parents[child] = node
            stack.append(child)


def _ordered(names: Iterator[str]) -> list[str]:
    return list(dict.fromkeys(names))


def near(names: list[str], name: str, most: int = 8) -> list[str]:
    """Up to `most` other names of a list in source order, those around `name`: tables would explode."""
    if name not in names:
        return names[:most]
    at = names.index(name)
    around = sorted(range(len(names)), key=lambda i: abs(i - at))
    return [names[i] for i in around[1 : most + 1]]


def arity(arguments: ast.arguments, bound: bool) -> tuple[int, int]:
    """(required, most) positional arguments of a call; `bound` leaves out self."""
    positional = len(arguments.posonlyargs) + len(arguments.args) - (1 if bound else 0)
    required = positional - len(arguments.defaults)
    most = 99 if arguments.vararg else positional
    return max(required, 0), max(most, 0)


def _class_members(scope: Scope) -> None:
    owner = scope.function.owner
    for node in scope.source.nodes:
        if not (isinstance(node, ast.ClassDef) and node.name == owner):
            continue
        found: list[str] = []
        for child in ast.walk(node):
            if isinstance(child, ast.Attribute) and isinstance(child.value, ast.Name):
                if child.value.id in ("self", "cls"):
                    found.append(child.attr)
            elif isinstance(child, ast.AnnAssign) and isinstance(child.target, ast.Name):
                found.append(child.target.id)
        for child in node.body:
            if isinstance(child, FUNCTION):
                static = any(isinstance(d, ast.Name) and d.id == "staticmethod" for d in child.decorator_list)
                prop = any(
                    isinstance(d, ast.Name) and d.id.endswith("property") for d in child.decorator_list
                )
                if prop:
                    found.append(child.name)
                elif not static:
                    scope.methods[child.name] = child.args
        scope.attributes = [a for a in _ordered(iter(found)) if a not in scope.methods]


def _project_names(scope: Scope, project: dict[str, SourceFile], files: tuple[str, ...]) -> None:
    source = scope.source
    places = [(source, None)]
    for local, target in source.imports.items():
        path = resolve_import(source.path, target, files)
        if path in project and path != source.path:
            places.append((project[path], (local, target.partition(":")[2])))
        elif path and target.partition(":")[2] and local.islower():
            scope.helpers.append(Helper(local))  # not read, but a project function by its look
        elif path and target.partition(":")[2] and local.isupper():
            scope.constants[local] = ast.Constant(value=0)  # not read: taken for a number
    for place, binding in places:
        for function in place.functions:
            if not function.name or function.owner or function.qualname != function.name:
                continue
            if binding is None:
                scope.functions[function.name] = function.node.args
            elif binding[1] == function.name:
                scope.functions[binding[0]] = function.node.args
            elif not binding[1] or place.path.endswith(f"/{binding[1]}.py"):
                scope.functions[f"{binding[0]}.{function.name}"] = function.node.args
        for name, value in place.constants.items():
            if binding is None:
                scope.constants[name] = value
            elif binding[1] == name:
                scope.constants[binding[0]] = value
    for name, arguments in scope.functions.items():
        required, most = arity(arguments, bound=False)
        if name != scope.function.name and most >= 1 and required <= 2:
            scope.helpers.append(Helper(name, required == 2))
    for name, arguments in scope.methods.items():
        required, most = arity(arguments, bound=True)
        if name != scope.function.name and not name.startswith("__") and most >= 1 and required == 1:
            scope.helpers.insert(0, Helper(f"{scope.self_name or 'self'}.{name}"))
    del scope.helpers[MAX_HELPERS:]


def _literals(scope: Scope) -> None:
    strings: list[str] = []
    numbers: list[str] = []
    for node in scope.source.nodes:
        if isinstance(node, ast.Raise) and node.exc is not None:
            name = node.exc.func if isinstance(node.exc, ast.Call) else node.exc
            if isinstance(name, ast.Name):
                scope.exceptions.append(name.id)
        elif isinstance(node, ast.ClassDef) and node.name.endswith(("Error", "Exception")):
            scope.exceptions.append(node.name)
    for name in scope.source.imports:
        if name.endswith(("Error", "Exception")):
            scope.exceptions.append(name)
    scope.exceptions = _ordered(iter(scope.exceptions))
    for node in scope.nodes:
        if isinstance(node, ast.Constant):
            if isinstance(node.value, str) and len(node.value) <= 20 and not scope.is_docstring(node):
                strings.append(scope.text(node))
            elif isinstance(node.value, int | float) and not isinstance(node.value, bool):
                numbers.append(scope.text(node))
    scope.strings, scope.numbers = _ordered(iter(strings)), _ordered(iter(numbers))


def names_in(node: ast.AST) -> frozenset[str]:
    return frozenset(n.id for n in ast.walk(node) if isinstance(n, ast.Name))


class Ingredients(NamedTuple):
    """Pieces of a file that a missing piece is often a copy of, each with the names it uses; of a statement also in how
    many functions it stands."""

    conditions: list[tuple[str, frozenset[str]]]
    statements: list[tuple[str, frozenset[str], int]]
    guards: list[tuple[str, str, frozenset[str]]]


@lru_cache(maxsize=512)
def _ingredients(source: SourceFile, owner: str) -> Ingredients:
    """Conditions and guards of the whole file, short statements of one class (or of the functions)."""
    conditions: dict[str, frozenset[str]] = {}
    statements: dict[str, frozenset[str]] = {}
    places: dict[str, set[Function]] = {}
    guards: dict[tuple[str, str], frozenset[str]] = {}
    for function in source.functions:
        if not function.name:
            continue
        for node in ast.walk(function.node):
            if isinstance(node, ast.If | ast.While):
                parts = node.test.values if isinstance(node.test, ast.BoolOp) else [node.test]
                for part in parts:
                    text = source.of(part)
                    if len(text) <= 60 and "\n" not in text:
                        conditions.setdefault(text, names_in(part))
                leaves = isinstance(node.body[0], ast.Return | ast.Raise | ast.Continue)
                if isinstance(node, ast.If) and len(node.body) == 1 and leaves and not node.orelse:
                    guard = (source.of(node.test), source.of(node.body[0]))
                    if "\n" not in "".join(guard) and sum(map(len, guard)) <= 120:
                        guards.setdefault(guard, names_in(node))
            elif isinstance(node, ast.Expr | ast.Assign | ast.AugAssign | ast.Raise):
                if function.owner != owner:
                    continue
                calls = isinstance(node, ast.Expr) and isinstance(node.value, ast.Call)
                text = source.of(node)
                if (calls or not isinstance(node, ast.Expr)) and len(text) <= 80 and "\n" not in text:
                    statements.setdefault(text, names_in(node))
                    places.setdefault(text, set()).add(function)
    whole = [(*guard, names) for guard, names in guards.items()]
    counted = [(text, names, len(places[text])) for text, names in statements.items()]
    return Ingredients(list(conditions.items()), counted, whole)


def build_scope(
    source: SourceFile,
    function: Function,
    project: dict[str, SourceFile],
    files: tuple[str, ...],
    usage: Usage,
) -> Scope:
    """Everything the operators ask about one function; `project` are the files read so far."""
    scope = Scope(source, function, Judge(usage, function, source.path))
    whole = bool(function.name)
    _walk(function.node, scope, whole)
    scope.statements = [n for n in scope.nodes if isinstance(n, ast.stmt) and n is not function.node]
    if whole:
        arguments = function.node.args
        every = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
        every += [a for a in (arguments.vararg, arguments.kwarg) if a]
        scope.params = [a.arg for a in every]
        if function.owner and scope.params and scope.params[0] in ("self", "cls"):
            scope.self_name = scope.params.pop(0)
    stored = [n for n in scope.nodes if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)]
    stored.sort(key=lambda n: (n.lineno, n.col_offset))
    scope.variables = _ordered(iter([*scope.params, *(n.id for n in stored)]))
    if function.owner:
        _class_members(scope)
    _project_names(scope, project, files)
    _literals(scope)
    if whole:
        scope.conditions, scope.inner_statements, scope.guards = _ingredients(source, function.owner)
    return scope
