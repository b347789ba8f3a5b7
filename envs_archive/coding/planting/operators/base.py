"""A module as text and as a tree, and edits of the text that are found in the tree.

An edit exchanges as little text as it can: comments, quotes and layout stay those of the author, so that the place of
a bug is not betrayed by its form.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

Function = ast.FunctionDef | ast.AsyncFunctionDef
_NEED_NO_BRACKETS = (
    ast.Name | ast.Call | ast.Attribute | ast.Subscript | ast.List | ast.Dict | ast.Set | ast.JoinedStr
)
_NEED_NO_BRACKETS |= ast.ListComp | ast.DictComp | ast.SetComp | ast.GeneratorExp
# Inside these an expression binds to its neighbours.
_BINDING = (
    ast.BinOp | ast.BoolOp | ast.UnaryOp | ast.Compare | ast.IfExp | ast.Attribute | ast.Subscript | ast.Call
)
_BINDING |= ast.Await | ast.Starred | ast.NamedExpr


@dataclass(frozen=True)
class Edit:
    """One exchange of text in one file.

    Attributes:
        kind: the operator that found it.
        start / end: characters of the file that are replaced.
        text: what stands there instead.
        function: qualified name of the function that it changes; empty at the top of the module.
        first / last: lines that a test must run to meet it; 0 when only the import does.
    """

    path: str
    kind: str
    start: int
    end: int
    text: str
    function: str
    first: int
    last: int

    def apply(self, source: str) -> str:
        return source[: self.start] + self.text + source[self.end :]


class Module:
    """Args:
    path: as edits are to name it.
    source: UTF-8 text with ``\\n`` line ends.

    Raises:
        SyntaxError: it is no Python.
    """

    def __init__(self, path: str, source: str) -> None:
        self.path = path
        self.source = source
        self.tree = ast.parse(source)
        self._lines = source.split("\n")
        self._starts = [0]
        for line in self._lines:
            self._starts.append(self._starts[-1] + len(line) + 1)
        self.parents: dict[ast.AST, ast.AST] = {
            child: node for node in ast.walk(self.tree) for child in ast.iter_child_nodes(node)
        }

    def offset(self, line: int, column: int) -> int:
        """Character offset of a place as ``ast`` gives it: line from 1, column in UTF-8 bytes."""
        text = self._lines[line - 1]
        if not text.isascii():
            column = len(text.encode()[:column].decode("utf-8", "ignore"))
        return self._starts[line - 1] + column

    def span(self, node: ast.AST) -> tuple[int, int]:
        return self.offset(node.lineno, node.col_offset), self.offset(node.end_lineno, node.end_col_offset)

    def segment(self, node: ast.AST) -> str:
        start, end = self.span(node)
        return self.source[start:end]

    def whole_lines(self, node: ast.stmt) -> tuple[int, int] | None:
        """The span of a statement's lines; None when it shares a line with something else."""
        start, end = self._starts[node.lineno - 1], self._starts[node.end_lineno or node.lineno]
        own, _ = self.span(node)
        rest = self.source[self.span(node)[1] : end].strip()
        alone = not self.source[start:own].strip() and (not rest or rest.startswith("#"))
        return (start, end) if alone else None

    def indent(self, node: ast.stmt) -> str:
        line = self._lines[node.lineno - 1]
        return line[: len(line) - len(line.lstrip())]

    def function_of(self, node: ast.AST) -> Function | None:
        """The innermost function whose body or signature a node is in."""
        found = self.parents.get(node)
        while found is not None and not isinstance(found, Function):
            found = self.parents.get(found)
        return found

    def statement_of(self, node: ast.AST) -> ast.stmt:
        while not isinstance(node, ast.stmt):
            node = self.parents[node]
        return node

    def qualified(self, node: ast.AST) -> str:
        names = []
        found: ast.AST | None = node
        while found is not None:
            if isinstance(found, Function | ast.ClassDef):
                names.append(found.name)
            found = self.parents.get(found)
        return ".".join(reversed(names))

    def block_of(self, node: ast.stmt) -> list[ast.stmt]:
        """The statements among which one stands."""
        for _, value in ast.iter_fields(self.parents[node]):
            if isinstance(value, list) and node in value:
                return value
        return [node]

    @cached_property
    def nodes(self) -> list[ast.AST]:
        """What may be edited, in the order of the tree: no imports, docstrings, annotations, texts of f-strings, and
        nothing that runs only as a program."""
        found: list[ast.AST] = []
        waiting: list[ast.AST] = [self.tree]
        while waiting:
            node = waiting.pop()
            found.append(node)
            waiting.extend(child for child in reversed(list(self._children(node))))
        return found[1:]

    def _children(self, node: ast.AST) -> Iterator[ast.AST]:
        if isinstance(node, ast.JoinedStr | ast.Import | ast.ImportFrom):
            return
        for name, value in ast.iter_fields(node):
            if name in ("annotation", "returns", "decorator_list", "type_comment", "type_params"):
                continue
            for child in value if isinstance(value, list) else [value]:
                if isinstance(child, ast.AST) and not _is_text_only(child) and not _is_program(child):
                    yield child

    def edit(self, kind: str, span: tuple[int, int], text: str, node: ast.AST) -> Edit:
        """An edit of a span, met by tests that run ``node``'s statement (its condition, if it is a compound one)."""
        function = self.function_of(node)
        if isinstance(node, Function):
            function = node
        statement = self.statement_of(node)
        if function is None:
            first = last = 0
        elif isinstance(statement, Function):  # a default: met by whoever calls it
            first, last = statement.body[0].lineno, statement.body[-1].end_lineno or 0
        else:
            first = statement.lineno
            body = getattr(statement, "body", None)
            last = max(first, body[0].lineno - 1) if body else statement.end_lineno or first
        return Edit(self.path, kind, *span, text, self.qualified(function) if function else "", first, last)

    def replace(self, kind: str, node: ast.expr, text: str) -> Edit:
        """An expression in place of another, in brackets where it needs them."""
        if self._needs_brackets(node, text):
            text = f"({text})"
        return self.edit(kind, self.span(node), text, node)

    def _needs_brackets(self, node: ast.expr, text: str) -> bool:
        new = ast.parse(f"({text}\n)", mode="eval").body
        if isinstance(new, _NEED_NO_BRACKETS) and "\n" not in text:
            return False
        if (
            isinstance(new, ast.Constant)
            and not isinstance(new.value, int | float | complex)
            and "\n" not in text
        ):
            return False
        if isinstance(new, ast.Tuple) and text.startswith("("):
            return False
        if "\n" in text:
            return True
        parent = self.parents[node]
        inside_call = (
            isinstance(parent, ast.Call) and node in parent.args and not isinstance(new, ast.GeneratorExp)
        )
        inside_index = isinstance(parent, ast.Subscript) and node is parent.slice
        if inside_call or inside_index:
            return isinstance(new, ast.NamedExpr | ast.Tuple)
        return isinstance(parent, _BINDING)


def _is_text_only(node: ast.AST) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def _is_program(node: ast.AST) -> bool:
    """``if __name__ == "__main__"``, ``if TYPE_CHECKING``, ``__all__ = ...`` and the like."""
    if isinstance(node, ast.If):
        words = {n.id for n in ast.walk(node.test) if isinstance(n, ast.Name)}
        words |= {n.attr for n in ast.walk(node.test) if isinstance(n, ast.Attribute)}
        return bool(words & {"__name__", "TYPE_CHECKING", "version_info"})
    targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
    return any(isinstance(t, ast.Name) and t.id.startswith("__") for t in targets)


Operator = Callable[[Module, ast.AST], Iterator[Edit]]


def same_program(before: str, after: str) -> bool:
    """Whether two texts are the same program; raises ``SyntaxError`` when the second is none."""
    return ast.dump(ast.parse(before)) == ast.dump(ast.parse(after))


def between(module: Module, left: ast.AST, right: ast.AST) -> tuple[int, int]:
    """The text between two nodes, where an operator stands."""
    return module.span(left)[1], module.span(right)[0]


def find_token(module: Module, span: tuple[int, int], tokens: Sequence[str]) -> tuple[int, int] | None:
    """Where a token, possibly of several words, stands in a span; None when it is not there exactly once."""
    text = module.source[span[0] : span[1]]
    position, end = -1, -1
    token = tokens[0]
    found = text.find(token)
    if found < 0 or text.count(token) != 1 or "#" in text:
        return None
    position, end = found, found + len(token)
    for word in tokens[1:]:
        following = text.find(word, end)
        if following < 0:
            return None
        end = following + len(word)
    return span[0] + position, span[0] + end
