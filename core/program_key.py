"""Tells whether two sources are the same program: names, comments, docstrings, annotations and formatting aside.

The syntax tree is brought to a normal form in which names that only the file itself can see are numbered in the order
in which they are bound: local variables and parameters, comprehension variables, what is defined at the top of the
file, and private attributes. Where a name could be seen from outside it stays: imports, public attributes, parameters
that something is passed to by name, attributes that also occur as a string. A file that looks at its own names
(``eval``, ``globals``, ...) keeps all of them. So equal keys mean the same program, and one program may still have two
keys.

Nothing here recurses: a tree may be as deep as Python's parser can make it (hundreds of ``elif``, thousands of ``+``).
"""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Any

from core.design_file import TOO_DEEP

LOOKS_AT_NAMES = frozenset(
    {
        "eval",
        "exec",
        "globals",
        "locals",
        "vars",
        "dir",
        "asdict",
        "fields",
        "__dict__",
        "__name__",
        "__qualname__",
    }
)
Function = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda
Comprehension = ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp


@lru_cache(maxsize=1024)
def program_key(source: str) -> str | None:
    """16 hex digits, the same for sources that are the same program; None for one that does not parse, or is
    nested too deeply for that."""
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError, *TOO_DEEP):
        return None
    mentioned = {getattr(n, "id", None) or getattr(n, "attr", None) for n in ast.walk(tree)}
    if "__doc__" not in mentioned:
        _strip(tree)
    if not mentioned & LOOKS_AT_NAMES:
        _Numbering(tree).number(tree)
    return hashlib.sha256("\n".join(_written(tree)).encode("utf-8")).hexdigest()[:16]


def _written(tree: ast.AST) -> Iterator[str]:
    """A tree as text: of each node its type and then its fields, whose number the type says; of a list its length
    first."""
    left: list[Any] = [tree]
    while left:
        item = left.pop()
        if isinstance(item, ast.AST):
            yield type(item).__name__
            left += [getattr(item, name, None) for name in reversed(item._fields)]
        elif isinstance(item, list):
            yield f"[{len(item)}"
            left += reversed(item)
        else:  # a whole number may have more digits than Python writes in the decimal system
            yield hex(item) if type(item) is int else repr(item)


def _strip(tree: ast.Module) -> None:
    """Take out docstrings and other bare constants, annotations of functions, and the import that is about them."""
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(body, list):
            node.body = [child for child in body if not _says_nothing(child)] or [ast.Pass()]
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            node.returns = None
        if isinstance(node, ast.arg):
            node.annotation = None


def _says_nothing(node: ast.stmt) -> bool:
    if isinstance(node, ast.ImportFrom):
        return node.module == "__future__"
    return isinstance(node, ast.Pass) or (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant))


class _Numbering:
    """Numbers the names that only the file can see.

    Each ``visit_`` method changes its node in place, and gives the nodes to visit next one at a time: what it does
    between them is done when those before are finished with all that is in them.
    """

    def __init__(self, tree: ast.Module) -> None:
        nodes = list(ast.walk(tree))
        self._count = 0
        self._passed = {n.arg for n in nodes if isinstance(n, ast.keyword)}
        strings = {n.value for n in nodes if isinstance(n, ast.Constant) and isinstance(n.value, str)}
        private = dict.fromkeys(name for name in _attributes(tree) if _private(name))
        self._attributes = {
            name: self._next() for name in private if name not in self._passed and name not in strings
        }
        top = [name for name in _bound(tree.body) if not _dunder(name) and name not in strings]
        self._scopes: list[dict[str, str]] = [self._numbered(top)]
        self._around_class: list[dict[str, str]] | None = None

    def number(self, tree: ast.AST) -> None:
        under_way = [iter([tree])]
        while under_way:
            node = next(under_way[-1], None)
            if node is None:
                under_way.pop()
            else:
                visit = getattr(self, f"visit_{type(node).__name__}", ast.iter_child_nodes)
                under_way.append(iter(visit(node)))

    def _next(self) -> str:
        self._count += 1
        return f"n{self._count}"

    def _numbered(self, names: list[str]) -> dict[str, str]:
        return {name: self._next() for name in dict.fromkeys(names)}

    def _named(self, name: str) -> str:
        return next((scope[name] for scope in reversed(self._scopes) if name in scope), name)

    def visit_Name(self, node: ast.Name) -> Iterable[ast.AST]:
        node.id = self._named(node.id)
        return ()

    def visit_Attribute(self, node: ast.Attribute) -> Iterable[ast.AST]:
        node.attr = self._attributes.get(node.attr, node.attr)
        return (node.value,)

    def visit_Global(self, node: ast.Global | ast.Nonlocal) -> Iterable[ast.AST]:
        node.names = [self._named(name) for name in node.names]
        return ()

    visit_Nonlocal = visit_Global

    def visit_ExceptHandler(self, node: ast.ExceptHandler) -> Iterable[ast.AST]:
        node.name = node.name and self._named(node.name)
        return ast.iter_child_nodes(node)

    def visit_MatchAs(self, node: ast.MatchAs | ast.MatchStar) -> Iterable[ast.AST]:
        node.name = node.name and self._named(node.name)
        return ast.iter_child_nodes(node)

    visit_MatchStar = visit_MatchAs

    def visit_MatchMapping(self, node: ast.MatchMapping) -> Iterable[ast.AST]:
        node.rest = node.rest and self._named(node.rest)
        return ast.iter_child_nodes(node)

    def visit_arg(self, node: ast.arg) -> Iterable[ast.AST]:
        node.arg = self._named(node.arg)
        return ()

    def visit_alias(self, node: ast.alias) -> Iterable[ast.AST]:
        if node.asname:
            node.asname = self._named(node.asname)
        return ()

    def visit_ClassDef(self, node: ast.ClassDef) -> Iterator[ast.AST]:
        node.name = self._named(node.name)
        # Names of the body are attributes; they are numbered as those are, and methods do not see them.
        members = {name: self._attributes.get(name, name) for name in _bound(node.body)}
        yield from [*node.bases, *node.keywords, *node.decorator_list]
        here, around = self._scopes, self._around_class
        self._scopes, self._around_class = [*here, members], here
        yield from node.body
        self._scopes, self._around_class = here, around

    def _function(self, node: Function) -> Iterator[ast.AST]:
        arguments, body = node.args, node.body
        if isinstance(node, ast.Lambda):
            body = [body]
        else:
            node.name = self._named(node.name)
            yield from node.decorator_list
        yield from [*arguments.defaults, *(d for d in arguments.kw_defaults if d is not None)]
        kept = {a.arg: a.arg for a in _parameters(arguments) if a.arg in self._passed}
        elsewhere = {
            name for n in _of_scope(body) if isinstance(n, ast.Global | ast.Nonlocal) for name in n.names
        }
        own = [a.arg for a in _parameters(arguments)] + [n for n in _bound(body) if n not in elsewhere]
        here, around = self._scopes, self._around_class
        self._scopes = [*(around or here), kept | self._numbered([name for name in own if name not in kept])]
        self._around_class = None
        yield from [*_parameters(arguments), *body]
        self._scopes, self._around_class = here, around

    visit_FunctionDef = visit_AsyncFunctionDef = visit_Lambda = _function

    def _comprehension(self, node: Comprehension) -> Iterator[ast.AST]:
        targets = [n for g in node.generators for n in _stored(g.target)]
        yield node.generators[0].iter
        around = self._scopes
        self._scopes = [*around, self._numbered(targets)]
        for number, generator in enumerate(node.generators):
            yield from [generator.target, *([generator.iter] if number else []), *generator.ifs]
        yield from (getattr(node, name) for name in ("elt", "key", "value") if hasattr(node, name))
        self._scopes = around

    visit_ListComp = visit_SetComp = visit_DictComp = visit_GeneratorExp = _comprehension


def _private(name: str) -> bool:
    return name.startswith("_") and not _dunder(name)


def _dunder(name: str) -> bool:
    return name.startswith("__") and name.endswith("__")


def _parameters(arguments: ast.arguments) -> list[ast.arg]:
    lone = [a for a in (arguments.vararg, arguments.kwarg) if a is not None]
    return [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs, *lone]


def _attributes(tree: ast.Module) -> Iterator[str]:
    """What the file's classes have: assigned through an object, or bound in a class body. In the order of the file."""
    for node in _in_order(tree):
        if isinstance(node, ast.ClassDef):
            yield from _bound(node.body)
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            yield node.attr


def _in_order(tree: ast.AST) -> Iterator[ast.AST]:
    left = [tree]
    while left:
        node = left.pop()
        yield node
        left += reversed(list(ast.iter_child_nodes(node)))


def _of_scope(body: list[ast.AST]) -> Iterator[ast.AST]:
    """Nodes that run in this scope: not those of functions, classes and comprehensions in it, but these themselves."""
    left = list(reversed(body))
    while left:
        node = left.pop()
        yield node
        if isinstance(node, Comprehension):
            # A walrus in it binds outside.
            yield from (n for n in ast.walk(node) if isinstance(n, ast.NamedExpr))
        elif not isinstance(node, Function | ast.ClassDef):
            left += reversed(list(ast.iter_child_nodes(node)))


def _bound(body: list[ast.AST]) -> list[str]:
    """Names that a scope binds, imports left out, in the order of the file."""
    found: list[str] = []
    for node in _of_scope(body):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            found.append(node.name)
        elif isinstance(node, ast.NamedExpr):
            found += _stored(node.target)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            found.append(node.id)
        elif isinstance(node, ast.ExceptHandler | ast.MatchAs | ast.MatchStar) and node.name:
            found.append(node.name)
        elif isinstance(node, ast.MatchMapping) and node.rest:
            found.append(node.rest)
    return found


def _stored(target: ast.AST) -> list[str]:
    return [n.id for n in ast.walk(target) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)]
