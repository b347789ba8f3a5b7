"""One Python file as the repair search sees it: its tree, its functions, and offsets to splice at."""

from __future__ import annotations

import ast
import re
import warnings
from dataclasses import dataclass, field
from functools import lru_cache

FUNCTION = (ast.FunctionDef, ast.AsyncFunctionDef)
_WORD = re.compile(r"[A-Za-z][a-z0-9]*|[A-Z]+(?![a-z])")


@dataclass(frozen=True, eq=False)
class Function:
    """A function or method, or "" for the statements of the module and of class bodies."""

    name: str
    qualname: str
    owner: str  # class name, "" for plain functions
    node: ast.AST
    first: int  # 1-based lines, decorators included
    last: int
    calls: frozenset[str] = frozenset()


@dataclass(eq=False)
class SourceFile:
    """Parsed text. `tree` is an empty module when the text does not parse (then `functions` is empty)."""

    path: str
    text: str
    tree: ast.Module
    functions: list[Function]
    starts: list[int] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)
    imports: dict[str, str] = field(default_factory=dict)  # local name -> "module" or "module:name"
    constants: dict[str, ast.expr] = field(default_factory=dict)  # module-level NAME = value
    nodes: list[ast.AST] = field(default_factory=list)  # every node of the tree
    _spans: dict[ast.AST, tuple[int, int]] = field(default_factory=dict)

    def offset(self, line: int, column: int) -> int:
        """Character offset of an AST position (`column` counts UTF-8 bytes)."""
        text = self.lines[line - 1]
        if not text.isascii():
            column = len(text.encode()[:column].decode(errors="ignore"))
        return self.starts[line - 1] + column

    def span(self, node: ast.AST) -> tuple[int, int]:
        """Character offsets of a node, without parentheses around it."""
        known = self._spans.get(node)
        if known is None:
            first = self.offset(node.lineno, node.col_offset)
            known = self._spans[node] = (first, self.offset(node.end_lineno, node.end_col_offset))
        return known

    def of(self, node: ast.AST) -> str:
        start, end = self.span(node)
        return self.text[start:end]

    def line_of(self, offset: int) -> int:
        low, high = 0, len(self.starts) - 1
        while low < high:
            middle = (low + high + 1) // 2
            low, high = (middle, high) if self.starts[middle] <= offset else (low, middle - 1)
        return low + 1


def _called(node: ast.AST) -> frozenset[str]:
    """Names this function calls, or touches as attributes (properties), or passes on as callables."""
    names = set()
    for child in ast.walk(node):
        if isinstance(child, ast.Name) and isinstance(child.ctx, ast.Load):
            names.add(child.id)
        elif isinstance(child, ast.Attribute):
            names.add(child.attr)
    return frozenset(names)


def _collect(body: list[ast.stmt], owner: str, prefix: str, out: list[Function]) -> None:
    for node in body:
        if isinstance(node, FUNCTION):
            first = min([node.lineno, *(d.lineno for d in node.decorator_list)])
            name = f"{prefix}{node.name}"
            out.append(Function(node.name, name, owner, node, first, node.end_lineno, _called(node)))
        elif isinstance(node, ast.ClassDef):
            _collect(node.body, node.name, f"{prefix}{node.name}.", out)
        elif isinstance(node, ast.If | ast.Try | ast.With):
            for part in ("body", "orelse", "finalbody"):
                _collect(getattr(node, part, []), owner, prefix, out)


def _parse(text: str) -> ast.Module | None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return ast.parse(text)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return None


def statement(text: str) -> ast.stmt | None:
    """Parse one line of code, block headers included."""
    text = text.strip()
    if text.startswith("elif "):
        text = text[2:]
    for form in (text, f"{text}\n    pass", f"{text} pass"):
        try:
            body = ast.parse(form).body
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            continue
        return body[0] if len(body) == 1 else None
    return None


@lru_cache(maxsize=512)
def parse_source(path: str, text: str) -> SourceFile:
    """Parse a file. A file cut in the middle is parsed up to its last whole top-level block."""
    tree = _parse(text)
    if tree is None:
        tops = [m.start() for m in re.finditer(r"^(?=[^\s#)\]}])", text, re.M)]
        for cut in reversed(tops[-3:]):
            if cut and (tree := _parse(text[:cut])) is not None:
                break
    tree = tree or ast.Module(body=[], type_ignores=[])
    functions: list[Function] = []
    _collect(tree.body, "", "", functions)
    # Splitting on "\n" alone matches the tokenizer; splitlines would also cut at form feeds.
    lines = text.split("\n")
    starts, at = [], 0
    for line in lines:
        starts.append(at)
        at += len(line) + 1
    source = SourceFile(path, text, tree, functions, starts, lines)
    source.nodes = list(ast.walk(tree))
    for node in source.nodes:
        if isinstance(node, ast.ImportFrom):
            for alias in node.names:
                dots = "." * node.level
                source.imports[alias.asname or alias.name] = f"{dots}{node.module or ''}:{alias.name}"
        elif isinstance(node, ast.Import):
            for alias in node.names:
                source.imports[alias.asname or alias.name.partition(".")[0]] = alias.name
    for node in tree.body:
        if isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Name):
            source.constants[node.targets[0].id] = node.value
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.value:
            source.constants[node.target.id] = node.value
    if tree.body:
        last = tree.body[-1].end_lineno or 1
        functions.append(Function("", "", "", tree, 1, last))
    return source


@lru_cache(maxsize=8192)
def words(name: str) -> frozenset[str]:
    """The lower-case words of an identifier or of free text, three letters and longer."""
    return frozenset(w.lower() for w in _WORD.findall(name) if len(w) > 2)


def is_test_path(path: str) -> bool:
    """Whether a path belongs to the tests by the usual pytest conventions."""
    name = path.rpartition("/")[2]
    folders = path.split("/")[:-1]
    named = name.startswith("test_") or name.endswith("_test.py") or name in ("conftest.py", "tests.py")
    return named or bool({"tests", "test", "testing"} & set(folders))


def resolve_import(path: str, target: str, files: tuple[str, ...]) -> str:
    """The workspace file behind an import of `path` ("module" or "module:name"), "" when there is none."""
    module, _, name = target.partition(":")
    level = len(module) - len(module.lstrip("."))
    dotted = module.lstrip(".").replace(".", "/")
    roots = ["", "src/", "lib/"]
    if level:
        folder = path.split("/")[:-level] if level <= path.count("/") + 1 else []
        roots = ["/".join(folder) + "/" if folder else ""]
    known = set(files)
    for root in roots:
        base = f"{root}{dotted}".rstrip("/")
        options = [f"{base}/{name}.py", f"{base}.py", f"{base}/__init__.py"] if base else [f"{name}.py"]
        for option in options:
            if option in known:
                return option
    return ""
