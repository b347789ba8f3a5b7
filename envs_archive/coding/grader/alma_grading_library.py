"""What library modules and classes held before any code under test was loaded, and whether they still do.

A test may put something of its own there (monkeypatch, mock): what it puts there is written in the test, or is a mock.
"""

import functools
import operator
import sys
import types

CORE = frozenset({"builtins", "math", "operator", "unittest", "pytest", "_pytest", "pluggy", "cmath"})
LARGE = frozenset({"pytest", "_pytest"})  # looked after elsewhere
HEAP_CLASS = 1 << 9  # Py_TPFLAGS_HEAPTYPE: the others cannot be changed
PLAIN = (types.FunctionType, types.BuiltinFunctionType, type, classmethod, staticmethod, property)


class Library:
    """A snapshot.

    Args:
        places: whose file is whose.
        named: top-level names of the modules that tests name: these are looked at more often.

    Everything is bound here: what a later look uses must not be there to be replaced.
    """

    def __init__(self, places, named):
        held, spaces, near = {}, [], []
        for name, module in list(sys.modules.items()):
            file = getattr(module, "__file__", None) or ""
            if not isinstance(module, types.ModuleType) or (file and not places.is_library(file)):
                continue
            top = name.partition(".")[0]
            owners = [module]
            owners += [
                value
                for value in vars(module).values()
                if type(value) is type and value.__module__ == name and value.__flags__ & HEAP_CLASS
            ]
            for owner in owners:
                if id(owner) in held:
                    continue
                space = vars(owner).copy()
                entry = (vars(owner).get, tuple(space), tuple(space.values()), top in CORE)
                held[id(owner)] = owner, space
                spaces.append(entry)
                if name == "builtins" or top in named - LARGE:
                    near.append(entry)
        foreign = _foreign_check(places)
        is_same, every, iterate = operator.is_, all, map

        def swapped(everywhere):
            """Whether code under test has put things of its own in place of what a library held."""
            for get, keys, values, core in spaces if everywhere else near:
                if every(iterate(is_same, iterate(get, keys), values)):
                    continue
                for key, value in zip(keys, values, strict=True):
                    now = get(key, value)
                    if now is not value and isinstance(value, PLAIN) and foreign(now, core):
                        return True
            return False

        self.swapped = swapped
        self.held = held


def _foreign_check(places):
    is_submission, is_library, tests = places.is_submission, places.is_library, places.tests
    mock_names = ("unittest.mock", "mock")
    function_type, method_type, partial_type = types.FunctionType, types.MethodType, functools.partial
    wrappers = (classmethod, staticmethod)
    isinstance_, type_, vars_ = isinstance, type, vars

    def file_of(value):
        """The file in which a value is written, as far as that can be seen."""
        while isinstance_(value, (method_type, partial_type, *wrappers)):
            value = value.func if isinstance_(value, partial_type) else value.__func__
        if isinstance_(value, property):
            value = value.fget
        if isinstance_(value, function_type):
            return value.__code__.co_filename
        owner = value if isinstance_(value, type_) else type_(value)
        for member in vars_(owner).values():
            if isinstance_(member, function_type):
                return member.__code__.co_filename
        return None

    def foreign(now, core):
        """Whether what stands in the place of a library's own is there to mislead a test."""
        if type_(now).__module__ in mock_names:
            return False
        file = file_of(now)
        if file is None:
            return core
        return is_submission(file) or (core and file not in tests and not is_library(file))

    return foreign
