"""Trusted tests: their source comes from the orders, not from the disk, where code under test could read it; and a
comparison in them believes no object that is equal to what it is not.

Each comparison in a test file is asked by a judge. It asks again, in random order, with values that are a little or
very different: an object that still says yes has not been compared at all, and the comparison is then false.
"""

import ast
import copy
import importlib.machinery
import operator
import os
import random
import secrets
import sys
import threading
import types
import unittest
import warnings
from _thread import get_ident

_MAIN = threading.main_thread().ident
OPERATORS = {
    ast.Eq: "eq",
    ast.In: "in",
    ast.Lt: "lt",
    ast.Gt: "gt",
    ast.LtE: "le",
    ast.GtE: "ge",
}
MOST_ELEMENTS = 200
DECOYS = 6


class _Fresh:
    """Equal to itself only."""


def make_judge(places):
    """The function that stands for a comparison in a test: ``judge(operator, left, right)``."""
    is_submission, is_library = places.is_submission, places.is_library
    function_type, fresh, copy_of = types.FunctionType, _Fresh, copy.copy
    mro_of, dict_of = type.__dict__["__mro__"].__get__, type.__dict__["__dict__"].__get__
    atoms = frozenset({int, float, str, bytes, bool, complex, type(None)})
    chance = random.SystemRandom()
    modules = sys.modules
    apply = {
        "eq": operator.eq,
        "in": lambda left, right: left in right,
        "lt": operator.lt,
        "gt": operator.gt,
        "le": operator.le,
        "ge": operator.ge,
    }
    opposite = {"lt": "ge", "gt": "le", "le": "gt", "ge": "lt"}
    isinstance_, type_, len_, list_, dict_, tuple_ = isinstance, type, len, list, dict, tuple
    set_, frozenset_, str_, getattr_, all_, any_, exception = (
        set,
        frozenset,
        str,
        getattr,
        all,
        any,
        Exception,
    )
    most, decoy_count = MOST_ELEMENTS, DECOYS
    bool_, int_, float_, bytes_, chr_, ord_, abs_, max_ = bool, int, float, bytes, chr, ord, abs, max

    def library_class(cls):
        module = modules.get(cls.__module__)
        file = getattr_(module, "__file__", None)
        if module is None or (file is not None and not is_library(file)):
            return False
        found = module
        for part in cls.__qualname__.split("."):
            found = getattr_(found, part, None)
        return found is cls

    def strange(cls):
        """Whether the submission has written how such objects compare."""
        for base in mro_of(cls):
            space = dict_(dict_of(base))
            if "__eq__" in space or "__contains__" in space or "__lt__" in space:
                names = [
                    n
                    for n in ("__eq__", "__contains__", "__lt__", "__gt__", "__le__", "__ge__")
                    if n in space
                ]
                for name in names:
                    value = space[name]
                    if isinstance_(value, function_type):
                        if is_submission(value.__code__.co_filename):
                            return True
                    elif base is not object and not library_class(base):
                        return True
                return False
        return False

    def parts(value):
        if isinstance_(value, dict_):
            return list_(dict_.values(value))
        return list_(value) if type_(value) in (list_, tuple_, set_, frozenset_) else []

    def look(value, depth=0):
        """(something in it is no builtin value, something in it compares by the submission's code)."""
        cls = type_(value)
        if cls in atoms:
            return False, False
        inner = [look(part, depth + 1) for part in parts(value)[:most]] if depth < 4 else []
        own = cls not in (list_, tuple_, set_, frozenset_, dict_)
        return own or any_(o for o, _ in inner), strange(cls) or any_(s for _, s in inner)

    def plain(value, depth=0):
        cls = type_(value)
        if cls in atoms:
            return True
        known = cls in (list_, tuple_, set_, frozenset_, dict_)
        return known and depth < 6 and all_(plain(part, depth + 1) for part in parts(value))

    def altered(value, wild):
        """Another value of the same shape with every leaf altered."""
        cls = type_(value)
        if cls is bool_:
            return fresh() if wild else not value
        if cls is int_:
            return value * 3 + 1_000_003 if wild else value + 1
        if cls is float_ and value - value != 0:  # infinite, or no number
            return 1.5
        if cls is float_:
            return abs_(value) * 3 + 1e9 if wild else value + max_(abs_(value) * 0.01, 0.5)
        if cls is str_:
            return value + "\0?" if wild or not value else value[:-1] + chr_(ord_(value[-1]) ^ 1)
        if cls is bytes_:
            return value + b"\0?"
        if cls in (list_, tuple_, set_, frozenset_):
            return cls([altered(part, wild) for part in value] or [fresh()])
        if cls is dict_:
            return {key: altered(part, wild) for key, part in value.items()} or {fresh(): 0}
        return fresh()

    def one_altered(value):
        """The value with one leaf altered, chosen by chance."""
        cls = type_(value)
        if cls in (list_, tuple_) and value:
            place = chance.randrange(len_(value))
            items = list_(value)
            items[place] = one_altered(items[place])
            return cls(items)
        if cls is dict_ and value:
            place = chance.choice(list_(value))
            return {**value, place: one_altered(value[place])}
        return altered(value, False)

    def others(value, near):
        """Values that are not the given one."""
        expected = getattr_(value, "expected", None)
        if type_(value).__module__ == "_pytest.python_api" and type_(expected) in (int_, float_):
            other = copy_of(value)
            other.expected = altered(expected, True)
            return [other]
        if not plain(value):
            return [fresh()]
        found = [altered(value, True)]
        if near:
            found += [altered(value, False), *(one_altered(value) for _ in "....")]
        return found

    def unlike(value):
        """Text of the same length, by chance; nothing where chance could meet a member."""
        cls = type_(value)
        if cls is not str_ or len_(value) < 6:
            return []
        letters = [chr_(97 + chance.randrange(26)) for _ in value]
        return [str_().join(letters)]

    def says_yes(name, left, right, loose):
        try:
            result = apply[name](left, right)
            return bool_(result) if loose else result is True
        except exception:
            return False

    def decoys(name, left, right, left_strange, right_strange):
        if name == "in":
            # A neighbour of a member may well be one too (5 and 6 in a range, "x" and "y" in a table).
            found = [(other, right) for other in others(left, False) + unlike(left)] if right_strange else []
            return found + ([(left, o) for o in others(right, True)] if left_strange else [])
        near = left_strange or right_strange
        found = []
        if not plain(left):
            found += [(left, other) for other in others(right, near)]
        if not plain(right):
            found += [(other, right) for other in others(left, near)]
        return found

    def judge(name, left, right, asserted=False):
        if (type_(left) in atoms and type_(right) in atoms) or name not in apply:
            return apply[name](left, right)
        left_own, left_strange = look(left)
        right_own, right_strange = look(right)
        if not left_own and not right_own:
            return apply[name](left, right)
        if name in opposite:
            result = apply[name](left, right)
            loose = asserted and (left_strange or right_strange)
            unsure = (left_strange or right_strange) and (result is True or (loose and bool_(result)))
            return False if unsure and says_yes(opposite[name], left, right, loose) else result
        asked = decoys(name, left, right, left_strange, right_strange)
        chance.shuffle(asked)
        # What the submission's own comparison answers may be an expression, say; in an assert it is a yes or a no.
        loose = asserted and (left_strange or right_strange)
        before = chance.randrange(len_(asked[:decoy_count])) + 1 if asked and loose else 0
        if asserted and any_(says_yes(name, *pair, loose) for pair in asked[:before]):
            return False
        result = apply[name](left, right)
        yes = result is True or (loose and bool_(result))
        if yes and any_(says_yes(name, *pair, loose) for pair in asked[before : decoy_count + 1]):
            return False
        return result

    return judge


class _Rewrite(ast.NodeTransformer):
    def __init__(self, marker, lenient):
        self.marker = marker
        self.asserted = set()
        self.names = {k: v for k, v in OPERATORS.items() if not lenient or v not in ("eq", "in")}

    def visit_Assert(self, node):
        waiting = [node.test]
        while waiting:
            part = waiting.pop()
            self.asserted.add(part)
            waiting += part.values if isinstance(part, ast.BoolOp) else []
            waiting += [part.operand] if isinstance(part, ast.UnaryOp) else []
        return self.generic_visit(node)

    def visit_Compare(self, node):
        self.generic_visit(node)
        name = self.names.get(type(node.ops[0])) if len(node.ops) == 1 else None
        if name is None:
            return node
        arguments = [ast.Constant(name), node.left, node.comparators[0]]
        arguments += [ast.Constant(True)] if node in self.asserted else []
        call = ast.Call(ast.Constant(self.marker), arguments, [])
        return ast.fix_missing_locations(ast.copy_location(call, node))


def _planted(code, marker, judge):
    """The code with the judge as a constant: there is no name by which it could be replaced."""
    constants = (
        _planted(c, marker, judge) if isinstance(c, types.CodeType) else judge if c == marker else c
        for c in code.co_consts
    )
    return code.replace(co_consts=tuple(constants))


def compile_tests(source, file, canary, judge):
    """Compile a test file with the judge in it and, when given a name, a test that must fail."""
    tree = ast.parse(source, file)
    if canary:
        tree.body += ast.parse(f"def {canary}():\n    assert 0 == 1\n").body
    # A test that itself compares with mock.ANY means it.
    lenient = any(
        (isinstance(n, ast.Name) and n.id == "ANY") or (isinstance(n, ast.Attribute) and n.attr == "ANY")
        for n in ast.walk(tree)
    )
    marker = "\0" + secrets.token_hex(16)
    tree = _Rewrite(marker, lenient).visit(tree)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        code = compile(tree, file, "exec", dont_inherit=True)
    return _planted(code, marker, judge)


def lend_once(sources, canaries, judge, places):
    """A function that hands out the code of each trusted file once, and not to the submission.

    It is the method of a generator, into which nobody can look (`alma_grading_watch` refuses its frame).
    """

    def lending(getframe=sys._getframe, compile_tests=compile_tests, main=_MAIN):
        code = None
        while True:
            path = yield code
            frame, asked = getframe(1), None
            while frame is not None and asked is None:
                file = frame.f_code.co_filename
                asked = None if places.is_library(file) else file
                frame = frame.f_back
            foreign = places.is_submission(asked) if asked is not None else get_ident() != main
            source = None if foreign else sources.pop(path, None)
            code = None if source is None else compile_tests(source, path, canaries.pop(path, None), judge)

    generator = lending()
    next(generator)
    return generator.send


class Loader(importlib.machinery.SourceFileLoader):
    """Loads one trusted file from memory."""

    def __init__(self, name, path, code):
        super().__init__(name, path)
        self.code = [code]

    def get_code(self, fullname):
        code = self.code.pop() if self.code else None
        if code is None:
            raise ImportError(f"{fullname} is loaded once, by the tests")
        return code

    def get_data(self, path):
        return b""


class Finder:
    """First on ``sys.meta_path``: trusted files, wherever Python finds them, are loaded from memory.

    Args:
        load: path -> code; it forgets what it has handed out.
    """

    def __init__(self, paths, load):
        self.paths, self.load = paths, load

    def find_spec(self, fullname, path=None, target=None):
        spec = importlib.machinery.PathFinder.find_spec(fullname, path, target)
        origin = os.path.realpath(spec.origin) if spec is not None and spec.origin else None
        if origin not in self.paths:
            return None
        spec.loader = Loader(fullname, spec.origin, self.load(origin))
        return spec


def believe_no_chameleon(judge):
    """The same for ``unittest``: what assertEqual and assertIn have found is asked of the judge again."""
    case = unittest.TestCase
    for method, name in (("assertEqual", "eq"), ("assertIn", "in")):
        original = getattr(case, method)

        def asked(self, first, second, msg=None, *, original=original, name=name, judge=judge):
            original(self, first, second, msg)
            if not judge(name, first, second, True):
                self.fail("equal to what it is not")

        asked.__name__ = method
        setattr(case, method, asked)
