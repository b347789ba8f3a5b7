"""What stands in trusted tests is asked for through functions that code under test cannot reach (`Plants`).

Plants are constants of the compiled code: there is no name by which one could be replaced. And they are `sealed`:
whoever finds one in a code object cannot look into it.
"""

import _functools
import ast
import secrets
import types
import warnings
from typing import NamedTuple

OPERATORS = {
    ast.Eq: "eq",
    ast.NotEq: "ne",
    ast.In: "in",
    ast.Lt: "lt",
    ast.Gt: "gt",
    ast.LtE: "le",
    ast.GtE: "ge",
}
PLANTS = ("judge", "difference", "near", "name", "attribute", "method", "imported", "begun", "ended", "done")
_POSITION = ("lineno", "col_offset", "end_lineno", "end_col_offset")
_SCOPES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)
_CLOSED = frozenset({*_SCOPES, ast.ClassDef})  # what they bind is not seen outside


def sealed(function):
    """A callable that does the same and has no closure: one that is written in C, and here a cache of no size."""
    return _functools._lru_cache_wrapper(function, 0, False, tuple)


class Plants:
    """What is planted into a test file.

    Attributes:
        judge: ``judge(operator, left, right, asserted, lenient)`` stands for a comparison; ``near`` for one with
            ``abs(a - b)``.
        difference: ``difference(left, right)`` stands for ``a - b`` there.
        name: ``name(text, value)`` stands for a name that is no local one.
        attribute: ``attribute(owner, text)`` stands for an attribute of what was imported.
        method: ``method(owner, text, lenient)`` stands for ``self.assert...``.
        imported: ``imported(module, level, name, value)`` follows an import statement.
        begun, ended: called first and last when the file is loaded.
        done: ``done(test, value=None)`` gives the value back; called where a test function ends by itself.
        tests: qualified names of the test functions that do so.
        loose: names that tests may give another meaning, as far as can be seen in them.

    The functions are put in for each load of the file (`planted`).
    """

    def __init__(self, loose):
        self.markers = {key: "\0" + secrets.token_hex(16) for key in PLANTS}
        self.tests = set()
        self.loose = loose

    def call(self, key, place, *arguments):
        """A call of one; it stands where a node stands. Arguments that are no nodes become constants."""
        where = {name: getattr(place, name) for name in _POSITION}
        given = [each if isinstance(each, ast.AST) else ast.Constant(each, **where) for each in arguments]
        return ast.Call(ast.Constant(self.markers[key], **where), given, [], **where)


def planted(code, markers, functions):
    """The code with the functions in place of their markers."""
    there = {marker: sealed(functions[key]) for key, marker in markers.items()}

    def put(constant):
        if isinstance(constant, types.CodeType):
            return constant.replace(co_consts=tuple(map(put, constant.co_consts)))
        return there.get(constant, constant) if type(constant) is str and constant[:1] == "\0" else constant

    return put(code)


class _Rewrite(ast.NodeTransformer):
    def __init__(self, plants, imported):
        self.call, self.tests, self.loose = plants.call, plants.tests, plants.loose
        self.asserted = set()
        self.lenient = ()  # (True,) where an object that is equal to much is meant to be
        self.imported = imported
        self.locals = []  # of each function around
        self.place = []  # names of the classes around, None for a function
        self.comprehensions = self.kept = 0  # depth of comprehensions; values kept for a second comparison
        self.ends = []  # the test whose end a `return` here is, by function around

    def visit_Assert(self, node):
        waiting = [node.test]
        while waiting:
            part = waiting.pop()
            self.asserted.add(part)
            waiting += part.values if isinstance(part, ast.BoolOp) else []
            waiting += [part.operand] if isinstance(part, ast.UnaryOp) else []
        return self.generic_visit(node)

    def visit_Compare(self, node):
        if len(node.ops) > 1 and (links := self.links(node)):
            self.asserted |= set(links) if node in self.asserted else set()
            return self.visit(ast.copy_location(ast.BoolOp(ast.And(), links), node))
        name = OPERATORS.get(type(node.ops[0])) if len(node.ops) == 1 else None
        distance = _distance(node.left) if name in ("lt", "le") else None
        if distance is not None:
            distance.args[0] = self.call("difference", node, distance.args[0].left, distance.args[0].right)
        self.generic_visit(node)
        if name is None:
            return node
        judge = "near" if distance is not None else "judge"
        asserted = node in self.asserted
        return self.call(judge, node, name, node.left, node.comparators[0], asserted, *self.lenient)

    def links(self, node):
        """``a < b < c`` as ``a < b`` and ``b < c``; None where b cannot be kept for the second."""
        values = [node.left, *node.comparators]
        links = []
        for number, op in enumerate(node.ops):
            left, right = values[number], values[number + 1]
            if number + 1 < len(node.ops) and not isinstance(right, ast.Name | ast.Constant):
                if not self.place or self.place[-1] is not None or self.comprehensions:
                    return None
                self.kept += 1
                name = f"_between_{self.kept}"
                self.locals[-1].add(name)
                values[number + 1] = ast.copy_location(ast.Name(name, ast.Load()), right)
                target = ast.copy_location(ast.Name(name, ast.Store()), right)
                right = ast.copy_location(ast.NamedExpr(target, right), right)
            links.append(ast.copy_location(ast.Compare(left, [op], [right]), node))
        return links

    def comprehension(self, node):
        self.comprehensions += 1
        self.generic_visit(node)
        self.comprehensions -= 1
        return node

    visit_ListComp = visit_SetComp = visit_DictComp = visit_GeneratorExp = comprehension

    def visit_Name(self, node):
        inside = self.locals and isinstance(node.ctx, ast.Load)
        if not inside or any(node.id in names for names in self.locals):
            return node
        return self.call("name", node, node.id, node)

    def visit_Attribute(self, node):
        root = node
        while isinstance(root, ast.Attribute):
            root = root.value
        if not isinstance(node.ctx, ast.Load):
            self.loose.add(node.attr)
        asserts = (
            isinstance(node.value, ast.Name) and node.value.id == "self" and node.attr.startswith("assert")
        )
        wanted = isinstance(node.ctx, ast.Load) and isinstance(root, ast.Name) and root.id in self.imported
        node.value = self.visit(node.value)
        mangled = node.attr.startswith("__") and not node.attr.endswith("__")
        if asserts and isinstance(node.ctx, ast.Load):
            return self.call("method", node, node.value, node.attr, *self.lenient)
        if not wanted or mangled:
            return node
        return self.call("attribute", node, node.value, node.attr)

    def visit_Import(self, node):
        found = [(a.name, 0, None, a.asname or a.name) for a in node.names]
        return self.checked(node, found)

    def visit_ImportFrom(self, node):
        if node.module == "__future__":
            return node
        found = [(node.module or "", node.level, a.name, a.asname or a.name) for a in node.names]
        return self.checked(node, [each for each in found if each[2] != "*"])

    def checked(self, node, found):
        if any(place is not None for place in self.place):  # a name of a class is not looked up again
            found = []
        calls = []
        for module, level, name, bound in found:
            value = ast.fix_missing_locations(ast.copy_location(ast.parse(bound, mode="eval").body, node))
            call = self.call("imported", node, module, level, name, value)
            calls.append(ast.copy_location(ast.Expr(call), node))
        return [node, *calls]

    def visit_ClassDef(self, node):
        self.place.append(node.name)
        if self.locals:
            self.locals.append(_scope(node)[0])
        self.generic_visit(node)
        if self.locals:
            self.locals.pop()
        self.place.pop()
        return node

    def visit_AnnAssign(self, node):  # annotations may be kept as text
        node.target = self.visit(node.target)
        node.value = node.value and self.visit(node.value)
        return node

    def visit_match_case(self, node):  # a pattern has names and attributes only
        node.guard = node.guard and self.visit(node.guard)
        node.body = self.statements(node.body)
        return node

    def visit_Global(self, node):
        self.loose.update(node.names)
        return node

    def visit_Constant(self, node):
        if isinstance(node.value, str) and len(node.value) < 200:
            self.loose.update(node.value.replace(":", ".").split("."))
        return node

    def visit_Return(self, node):
        self.generic_visit(node)
        if self.ends and self.ends[-1]:
            value = [node.value] if node.value is not None else []
            node.value = self.call("done", node, self.ends[-1], *value)
        return node

    def function(self, node):
        if not isinstance(node, ast.Lambda):
            node.decorator_list = [self.visit(each) for each in node.decorator_list]
        node.args.defaults = [self.visit(each) for each in node.args.defaults]
        node.args.kw_defaults = [each and self.visit(each) for each in node.args.kw_defaults]
        names, yields = _scope(node)
        self.locals.append(names)
        test = _proven(node, self.place, yields)
        self.ends.append(test)
        self.place.append(None)
        if isinstance(node, ast.Lambda):
            node.body = self.visit(node.body)
        else:
            node.body = self.statements(node.body)
            if test:
                self.tests.add(test)
                last = node.body[-1]
                node.body.append(ast.copy_location(ast.Expr(self.call("done", last, test)), last))
        self.place.pop()
        self.ends.pop()
        self.locals.pop()
        return node

    visit_FunctionDef = visit_AsyncFunctionDef = visit_Lambda = function

    def statements(self, body):
        found = []
        for statement in body:
            new = self.visit(statement)
            found += new if isinstance(new, list) else [new]
        return found


def _distance(node):
    """The call in ``abs(a - b)``, or None."""
    calls = isinstance(node, ast.Call) and len(node.args) == 1 and not node.keywords
    if not calls or not isinstance(node.args[0], ast.BinOp) or not isinstance(node.args[0].op, ast.Sub):
        return None
    name = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", None)
    return node if name in ("abs", "fabs") else None


def _proven(function, place, yields):
    """The qualified name of a test function whose end says that it has passed; None for others."""
    if yields or not isinstance(function, ast.FunctionDef) or not function.name.lower().startswith("test"):
        return None
    if None in place or not all(_root(each) == "pytest" for each in function.decorator_list):
        return None  # what a decorator makes of a test may pass by an exception
    return ".".join([*place, function.name])


def _root(node):
    while isinstance(node, ast.Attribute | ast.Call):
        node = node.value if isinstance(node, ast.Attribute) else node.func
    return node.id if isinstance(node, ast.Name) else None


def _scope(scope):
    """(the names that a function or a class binds for itself, whether it is a generator)."""
    names, foreign, yields = set(), set(), False
    if isinstance(scope, _SCOPES):
        given = scope.args
        every = [*given.posonlyargs, *given.args, *given.kwonlyargs, given.vararg, given.kwarg]
        names |= {argument.arg for argument in every if argument is not None}
    waiting = list(scope.body) if isinstance(scope.body, list) else [scope.body]
    while waiting:
        node = waiting.pop()
        kind = type(node)
        if kind is ast.Name:
            if type(node.ctx) is not ast.Load:
                names.add(node.id)
            continue
        if kind in _CLOSED:
            if kind is not ast.Lambda:
                names.add(node.name)
                waiting += node.decorator_list
            continue
        if kind is ast.Import or kind is ast.ImportFrom:
            names |= {alias.asname or alias.name.partition(".")[0] for alias in node.names}
        elif kind is ast.ExceptHandler or kind is ast.MatchAs or kind is ast.MatchStar:
            names.add(node.name)
        elif kind is ast.MatchMapping:
            names.add(node.rest)
        elif kind is ast.Global:
            foreign |= set(node.names)
        elif kind is ast.Yield or kind is ast.YieldFrom:
            yields = True
        for field in node._fields:
            value = getattr(node, field, None)
            if type(value) is list:
                waiting += [each for each in value if isinstance(each, ast.AST)]
            elif isinstance(value, ast.AST):
                waiting.append(value)
    return names - foreign, yields


class Survey(NamedTuple):
    """What the whole of a file says about it.

    Attributes:
        modules: which it imports by their full names.
        imported: names that it gives to what it imports.
        wildcards: names of objects that may be meant to be equal to much: mock.ANY, classes that define ``__eq__``.
    """

    modules: frozenset
    imported: frozenset
    wildcards: frozenset


def surveys(trees):
    """One of each tree, by the same key; what is a wildcard in one is so in all."""
    found = {key: _survey(tree) for key, tree in trees.items()}
    wildcards = frozenset().union(*(each.wildcards for each in found.values()))
    return {key: each._replace(wildcards=wildcards) for key, each in found.items()}


def _survey(tree):
    modules, imported, wildcards = set(), set(), set()
    for node in ast.walk(tree):
        match node:
            case ast.Import(names=aliases):
                modules |= {alias.name for alias in aliases}
                imported |= {alias.asname or alias.name.partition(".")[0] for alias in aliases}
            case ast.ImportFrom(module=module, names=aliases, level=level):
                modules |= {module} if module and not level else set()
                imported |= {alias.asname or alias.name for alias in aliases}
                wildcards |= {alias.asname or "ANY" for alias in aliases if alias.name == "ANY"}
            case ast.Attribute(attr="ANY"):
                wildcards.add("ANY")
            case ast.ClassDef(name=name, body=body):
                names = {each.name for each in body if isinstance(each, ast.FunctionDef)}
                wildcards |= {name} if "__eq__" in names else set()
    return Survey(frozenset(modules), frozenset(imported), frozenset(wildcards))


def _meaning_wildcards(tree, names):
    """Statements of a module that name a wildcard, or what other statements make of one."""
    names, found = set(names), set()
    waiting = list(tree.body) if names else []
    while naming := [statement for statement in waiting if _names(statement) & names]:
        waiting = [statement for statement in waiting if statement not in naming]
        found |= set(naming)
        for statement in naming:
            if isinstance(statement, ast.Assign):
                names |= {target.id for target in statement.targets if isinstance(target, ast.Name)}
            elif isinstance(statement, ast.FunctionDef | ast.ClassDef):
                names.add(statement.name)
    return found


def _names(tree):
    return {
        getattr(node, "id", None) or getattr(node, "attr", None) or getattr(node, "arg", None)
        for node in ast.walk(tree)
        if isinstance(node, ast.Name | ast.Attribute | ast.arg)
    }


def compile_tests(tree, file, canary, plants, surveyed):
    """Compile a test file with markers of the plants in it and, when given a name, a test that must fail."""
    rewrite = _Rewrite(plants, surveyed.imported)
    lenient, body = _meaning_wildcards(tree, surveyed.wildcards), []
    for statement in tree.body:
        rewrite.lenient = (True,) if statement in lenient else ()
        body += rewrite.statements([statement])
    tree.body = body
    first = next((n for n, s in enumerate(tree.body) if not _must_be_first(s)), len(tree.body))
    ends = ast.parse(f"def {canary}():\n    assert 0 == 1\n" if canary else "0").body
    tree.body.insert(first, ast.copy_location(ast.Expr(plants.call("begun", ends[0])), ends[0]))
    tree.body += [*ends, ast.copy_location(ast.Expr(plants.call("ended", ends[0])), ends[0])]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return compile(tree, file, "exec", dont_inherit=True)


def _must_be_first(statement):
    docstring = isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)
    return docstring or (isinstance(statement, ast.ImportFrom) and statement.module == "__future__")
