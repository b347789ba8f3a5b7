"""Sent to the workspace by the repair agent, not imported: runs tests once in a copy of it and tells what happened.

argv[1] is JSON: {"tests": [pytest ids], "functions": {path: {qualified name: first line}}, "helpers": {path: [names]},
"expected": [exceptions the tests miss]}.
Prints JSON lists, one a line:

    ["helpers", path, names that were found]
    ["lines", path, function, lines that ran]
    ["value", path, function, expression, types it had, helpers that would have changed it,
        helpers whose result would have differed from this call's, the same for each item of a collection]
"""

import ast
import builtins
import contextlib
import copy
import importlib.machinery
import io
import json
import os
import shutil
import sys
import tempfile

ASKED = json.loads(sys.argv[1])
TIMES, TRIES, LONGEST = 10, 20_000, 80
values, lines, found = {}, {}, {}
busy = False
tries = 0


def attempt(function, value):
    """The result in a list; the exception when the tests wait for it; [] when it raised another."""
    try:
        return [function(copy.deepcopy(value) if isinstance(value, list | dict | set) else value)]
    except BaseException as error:
        return [error] if {kind.__name__ for kind in type(error).__mro__} & set(ASKED["expected"]) else []


def differ(result, value):
    try:
        return bool(result) and (type(result[0]) is not type(value) or bool(result[0] != value))
    except BaseException:
        return bool(result)


def resolve(name, frame):
    first, *rest = name.split(".")
    target = frame.f_locals.get(first, frame.f_globals.get(first))
    for part in rest:
        target = getattr(target, part, None)
    return target if callable(target) else None


def once(value):
    """Whether looking at a value would use it up."""
    return hasattr(value, "__next__") or hasattr(value, "__await__")


def note(key, value, bases=()):
    global busy, tries
    if busy or tries > TRIES:
        return value
    busy = True
    try:
        kinds, changed, instead, each, times = values.setdefault(key, (set(), set(), set(), set(), []))
        kinds.add(type(value).__name__)
        times.append(1)
        if len(times) > TIMES or callable(value) or once(value):
            return value
        frame = sys._getframe(2)
        for name in ASKED["helpers"].get(key[0], ()):
            helper = resolve(name, frame)
            if helper is None:
                continue
            found.setdefault(key[0], set()).add(name)
            tries += 1
            if differ(attempt(helper, value), value):
                changed.add(name)
            for base in bases:
                if once(base):
                    continue
                if differ(attempt(helper, base), value):
                    instead.add(name)
                if isinstance(value, list | set | tuple | frozenset):
                    collect = sorted if key[2].startswith("sorted") else type(value)
                    if differ(
                        attempt(lambda items, h=helper, c=collect: c(h(i) for i in items), base), value
                    ):
                        each.add(name)
    except BaseException:
        pass
    finally:
        busy = False
    return value


builtins._seen_value = lambda path, function, text, value: note((path, function, text), value)


def seen_call(path, function, text, base, call):
    return note((path, function, text), call(base), (base,))


def seen_line(path, function, first, last):
    if not busy:
        lines.setdefault((path, function), set()).update(range(first, last + 1))


builtins._seen_call, builtins._seen_line = seen_call, seen_line


class Watch(ast.NodeTransformer):
    def __init__(self, path, function, text):
        self.path, self.function, self.text = path, function, text

    def call(self, name, node, *arguments):
        head = [ast.Constant(part) for part in (self.path, self.function)]
        return ast.copy_location(ast.Call(ast.Name(name, ast.Load()), [*head, *arguments], []), node)

    def value(self, node):
        if not isinstance(getattr(node, "ctx", ast.Load()), ast.Load):
            return self.generic_visit(node)
        text = ast.get_source_segment(self.text, node) or ""
        inner = self.generic_visit(node)
        return (
            self.call("_seen_value", node, ast.Constant(text), inner) if 0 < len(text) <= LONGEST else inner
        )

    visit_Name = visit_Attribute = visit_Subscript = visit_BinOp = visit_IfExp = visit_Compare = (
        visit_BoolOp
    ) = value
    visit_ListComp = visit_SetComp = visit_DictComp = visit_JoinedStr = visit_List = visit_Dict = (
        visit_Tuple
    ) = value

    def visit_Call(self, node):
        text = ast.get_source_segment(self.text, node) or ""
        if isinstance(node.func, ast.Attribute):
            node.func.value = self.visit(node.func.value)
        elif not isinstance(node.func, ast.Name):
            node.func = self.visit(node.func)
        node.args = [self.visit(a) for a in node.args]
        node.keywords = [ast.keyword(k.arg, self.visit(k.value)) for k in node.keywords]
        if not 0 < len(text) <= LONGEST:
            return node
        base = None
        plain = not node.keywords and not any(isinstance(a, ast.Starred) for a in node.args)
        if (
            plain
            and isinstance(node.func, ast.Name)
            and len(node.args) == 1
            and hasattr(builtins, node.func.id)
        ):
            base, node.args = node.args[0], [ast.Name("_b", ast.Load())]
        elif plain and isinstance(node.func, ast.Attribute) and not node.args:
            base, node.func.value = node.func.value, ast.Name("_b", ast.Load())
        if base is None:
            return self.call("_seen_value", node, ast.Constant(text), node)
        empty = ast.arguments([], [ast.arg("_b")], None, [], [], None, [])
        return self.call("_seen_call", node, ast.Constant(text), base, ast.Lambda(empty, node))

    def visit_FormattedValue(self, node):
        node.value = self.visit(node.value)
        return node

    def visit_AnnAssign(self, node):
        node.value = node.value and self.visit(node.value)
        return node

    def visit_match_case(self, node):
        node.guard = node.guard and self.visit(node.guard)
        node.body = self.block(node.body)
        return node

    def visit_Lambda(self, node):
        node.body = self.visit(node.body)
        return node

    def visit_FunctionDef(self, node):
        node.body = self.block(node.body)
        return node

    visit_AsyncFunctionDef = visit_FunctionDef

    def visit_ClassDef(self, node):
        return node

    def block(self, body):
        out = []
        for statement in body:
            inner = getattr(statement, "body", None) or getattr(statement, "cases", None)
            last = statement.end_lineno
            if isinstance(inner, list) and inner and hasattr(inner[0], "lineno"):
                last = max(statement.lineno, inner[0].lineno - 1)
            elif isinstance(inner, list):
                last = statement.lineno
            mark = self.call("_seen_line", statement, ast.Constant(statement.lineno), ast.Constant(last))
            out += [ast.copy_location(ast.Expr(mark), statement), self.statement(statement)]
        return out

    def statement(self, node):
        blocks = {}
        for name in ("body", "orelse", "finalbody"):
            if isinstance(getattr(node, name, None), list) and not isinstance(node, ast.ClassDef):
                blocks[name] = self.block(getattr(node, name))
                setattr(node, name, [])
        node = self.visit(node)
        for name, body in blocks.items():
            setattr(node, name, body)
        return node

    def visit_ExceptHandler(self, node):
        node.type = node.type and self.visit(node.type)
        node.body = self.block(node.body)
        return node


def watched(path, text):
    tree = ast.parse(text)

    def within(body, prefix):
        for node in body:
            if isinstance(node, ast.ClassDef):
                within(node.body, f"{prefix}{node.name}.")
            elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                name = f"{prefix}{node.name}"
                if ASKED["functions"][path].get(name) == node.lineno:
                    lines.setdefault((path, name), set())
                    node.body = Watch(path, name, text).block(node.body)
            else:
                for part in ("body", "orelse", "finalbody"):
                    within(getattr(node, part, []), prefix)

    within(tree.body, "")
    return ast.fix_missing_locations(tree)


original = importlib.machinery.SourceFileLoader.get_code


def get_code(loader, name):
    for path in ASKED["functions"]:
        if os.path.realpath(loader.path).endswith(os.sep + path):
            with contextlib.suppress(Exception), open(loader.path, encoding="utf-8") as file:
                return compile(watched(path, file.read()), loader.path, "exec", dont_inherit=True)
    return original(loader, name)


importlib.machinery.SourceFileLoader.get_code = get_code
sys.dont_write_bytecode = True
with tempfile.TemporaryDirectory() as folder:
    shutil.copytree(
        ".", f"{folder}/work", symlinks=True, ignore=shutil.ignore_patterns(".git", "__pycache__")
    )
    os.chdir(f"{folder}/work")
    sys.path.insert(0, os.getcwd())
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        import pytest

        os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = (
            "1"  # they take longer than the tests, and few tests need them
        )
        pytest.main([*ASKED["tests"], "-q", "-p", "no:cacheprovider"])
        if not any(lines.values()):
            del os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"]
            pytest.main([*ASKED["tests"], "-q", "-p", "no:cacheprovider"])
    os.chdir("/")
for path, names in found.items():
    print(json.dumps(["helpers", path, sorted(names)]))
for (path, function), seen in lines.items():
    print(json.dumps(["lines", path, function, sorted(seen)]))
for (path, function, text), (kinds, *helpers, _) in values.items():
    print(json.dumps(["value", path, function, text, sorted(kinds), *map(sorted, helpers)]))
