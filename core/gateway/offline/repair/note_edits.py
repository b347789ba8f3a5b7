"""Edits that no operator lists but a note shows: its very change, or its pattern at another place."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from functools import lru_cache

from core.gateway.offline.notes import EditNote

from . import memory_similarity
from .candidates import Candidate, trimmed
from .memory_similarity import Notes
from .operators import Scope, build_scope
from .operators.base import BUILTINS, names_in
from .plausible import Usage
from .source import Function, SourceFile, statement

MAX_FUNCTIONS = 12
_HOLE = "__hole__"


def _same(a: object, b: object) -> bool:
    if isinstance(a, ast.AST) and isinstance(b, ast.AST):
        return ast.dump(a) == ast.dump(b)
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(_same(x, y) for x, y in zip(a, b, strict=True))
    return a == b


def _difference(a: ast.AST, b: ast.AST) -> tuple[ast.AST, ast.AST]:
    """The smallest pair of subtrees that holds the whole difference of two trees."""
    if type(a) is not type(b):
        return a, b
    differing = []
    for name in a._fields:
        x, y = getattr(a, name, None), getattr(b, name, None)
        if _same(x, y):
            continue
        if isinstance(x, list) and isinstance(y, list) and len(x) == len(y):
            differing += [(p, q) for p, q in zip(x, y, strict=True) if not _same(p, q)]
        else:
            differing.append((x, y))
    if len(differing) == 1:
        x, y = differing[0]
        if isinstance(x, ast.expr) and isinstance(y, ast.expr):
            return _difference(x, y)
    return a, b


class _Punch(ast.NodeTransformer):
    """Replaces the first subtree equal to `part` by the hole."""

    def __init__(self, part: ast.AST) -> None:
        self.dump, self.done = ast.dump(part), False

    def visit(self, node: ast.AST) -> ast.AST:
        if not self.done and isinstance(node, ast.expr) and ast.dump(node) == self.dump:
            self.done = True
            return ast.Name(id=_HOLE, ctx=ast.Load())
        return self.generic_visit(node)


@lru_cache(maxsize=4096)
def pattern(before: str, after: str) -> tuple[str, str]:
    """(kind, template) of a one-line change: ("wrap", "f(__hole__)"), ("keyword", "f|k=v"),
    ("replace", "a|b") or ("", "") when it has no form that could be applied elsewhere."""
    a, b = statement(before), statement(after)
    if a is None or b is None:
        return "", ""
    x, y = _difference(a, b)
    if not isinstance(x, ast.expr) or not isinstance(y, ast.expr):
        return "", ""
    inner = ast.dump(x)
    if any(isinstance(n, ast.expr) and n is not y and ast.dump(n) == inner for n in ast.walk(y)):
        return "wrap", ast.unparse(_Punch(x).visit(y))
    if (
        isinstance(x, ast.Call)
        and isinstance(y, ast.Call)
        and _same(x.func, y.func)
        and _same(x.args, y.args)
    ):
        given = {k.arg for k in x.keywords}
        added = [k for k in y.keywords if k.arg not in given]
        if len(added) == 1 and len(y.keywords) == len(x.keywords) + 1 and added[0].arg:
            return "keyword", f"{ast.unparse(x.func)}|{added[0].arg}={ast.unparse(added[0].value)}"
    old, new = ast.unparse(x), ast.unparse(y)
    return ("replace", f"{old}|{new}") if len(old) <= 60 and "\n" not in old + new else ("", "")


def _known(names: frozenset[str], scope: Scope) -> bool:
    here = {*scope.variables, scope.self_name, *scope.functions, *scope.constants, *scope.source.imports}
    return names - {_HOLE} <= here | BUILTINS


def _apply(kind: str, template: str, scope: Scope) -> Iterator[tuple[ast.AST, str]]:
    """(node, new text) for every place of the function where the pattern fits."""
    if kind == "wrap":
        try:
            needed = names_in(ast.parse(template, mode="eval"))
        except (SyntaxError, ValueError):
            return
        if not _known(needed, scope):
            return
        fixed = template.replace(_HOLE, "")
        for node in scope.nodes:
            if not isinstance(node, ast.Name | ast.Attribute | ast.Subscript | ast.Call | ast.BinOp):
                continue
            parent = scope.parents.get(node)
            called = isinstance(parent, ast.Call) and parent.func is node
            if called or not isinstance(getattr(node, "ctx", ast.Load()), ast.Load):
                continue
            text = scope.text(node)
            if "\n" in text or text in (scope.self_name, fixed.rstrip("()")):
                continue
            hole = (
                f"({text})" if isinstance(node, ast.BinOp) and not template.startswith(_HOLE + ",") else text
            )
            if re.search(rf"[(,]\s*{_HOLE}\s*[,)]", template):
                hole = text
            yield node, scope.tight(node, template.replace(_HOLE, hole))
    elif kind == "keyword":
        function, _, argument = template.partition("|")
        for node in scope.nodes:
            if (
                isinstance(node, ast.Call)
                and scope.text(node.func).rpartition(".")[2] == function.rpartition(".")[2]
            ) and argument.partition("=")[0] not in {k.arg for k in node.keywords}:
                comma = ", " if node.args or node.keywords else ""
                yield node, f"{scope.text(node)[:-1]}{comma}{argument})"
    elif kind == "replace":
        old, _, new = template.partition("|")
        try:
            if not _known(names_in(ast.parse(new, mode="eval")), scope):
                return
        except (SyntaxError, ValueError):
            return
        for node in scope.nodes:
            if isinstance(node, ast.expr) and hasattr(node, "lineno") and scope.text(node) == old:
                yield node, scope.tight(node, new)


def _literal(edit: EditNote, source: SourceFile) -> Iterator[tuple[int, int, str]]:
    """The note's own lines, found again: replaced by its new lines with the indentation kept."""
    wanted = [line.strip() for line in edit.before.splitlines() if line.strip()]
    if not wanted:
        return
    stripped = [line.strip() for line in source.lines]
    for index in range(len(stripped) - len(wanted) + 1):
        if stripped[index : index + len(wanted)] != wanted:
            continue
        first = source.lines[index]
        indent = first[: len(first) - len(first.lstrip())]
        lines = edit.after.splitlines()
        margin = min((len(n) - len(n.lstrip()) for n in lines if n.strip()), default=0)
        text = "\n".join(indent + n[margin:] if n.strip() else "" for n in lines)
        last = index + len(wanted) - 1
        end = source.starts[last] + len(source.lines[last])
        yield source.starts[index], end, text


def _inserted(edit: EditNote, scope: Scope) -> Iterator[tuple[int, int, str]]:
    """A noted added statement, before each statement of the function and after its last one."""
    lines = edit.after.splitlines()
    if not scope.function.name or len(lines) > 6 or statement(lines[0]) is None:
        return
    if set(re.findall(rf"\b{scope.self_name or 'self'}\.(\w+)", edit.after)) - {
        *scope.attributes,
        *scope.methods,
    }:
        return
    margin = min((len(n) - len(n.lstrip()) for n in lines if n.strip()), default=0)
    for place in scope.statements:
        start, end = scope.source.span(place)
        indent = scope.indent(place)
        before = scope.source.text[scope.source.starts[place.lineno - 1] : start]
        if before.strip():
            continue
        body = f"\n{indent}".join(n[margin:] for n in lines)
        yield start, start, f"{body}\n{indent}"
        if place in scope.function.node.body[-1:] and not isinstance(place, ast.Return | ast.Raise):
            yield end, end, f"\n{indent}{body}"


@lru_cache(maxsize=2048)
def _from_edit(
    edit: EditNote, source: SourceFile, function: Function, project: tuple, files: tuple, usage: Usage
) -> tuple:
    try:
        scope = build_scope(source, function, {s.path: s for s in project}, files, usage)
        found: list[tuple[int, int, str]] = []
        if edit.before and edit.after and "\n" not in edit.before + edit.after:
            kind, template = pattern(edit.before, edit.after)
            found += [(*source.span(node), text) for node, text in _apply(kind, template, scope)]
        elif edit.after and not edit.before:
            found += list(_inserted(edit, scope))
    except (RecursionError, IndexError, KeyError):  # odd code: this note has nothing to add there
        return ()
    return tuple(found)


def _owner(source: SourceFile, offset: int) -> Function:
    line = source.line_of(offset)
    inside = [f for f in source.functions if f.name and f.first <= line <= f.last]
    return inside[-1] if inside else source.functions[-1]


def suggested(
    notes: Notes,
    weights: Mapping[Function, float],
    sources: tuple[SourceFile, ...],
    files: tuple[str, ...],
    usage: Usage,
    known: set[tuple[str, int, int, str]],
) -> list[Candidate]:
    """Candidates beyond the pool (`known` keys) that the edit notes of this project suggest."""
    ranked = sorted(((weights.get(f, 0.0), s, f) for s in sources for f in s.functions), key=lambda t: -t[0])
    out: list[Candidate] = []

    def add(source: SourceFile, function: Function, start: int, end: int, text: str) -> None:
        key = trimmed(source.text, start, end, text)
        full = (source.path, *key)
        if (key[0] != key[1] or key[2]) and full not in known:
            known.add(full)
            out.append(Candidate(source, function, "from_note", *key))

    for note in notes.items:
        if note.weight < memory_similarity.OWN or not (note.edit.before or note.edit.after):
            continue
        for source in sources:
            if source.functions:
                for start, end, text in _literal(note.edit, source):
                    add(source, _owner(source, start), start, end, text)
        if note.weight <= memory_similarity.PLAIN:
            continue  # without a name of the project there is no pattern to carry over
        for _, source, function in ranked[:MAX_FUNCTIONS]:
            for start, end, text in _from_edit(note.edit, source, function, sources, files, usage):
                add(source, function, start, end, text)
        if len(out) > 1500:
            break
    return out
