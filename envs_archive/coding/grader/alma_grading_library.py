"""What library modules and classes held before any code under test was loaded, and whether they still do.

A test may put something of its own there (monkeypatch, mock): what it puts there is written in the test, or is a mock.
"""

import contextlib
import functools
import importlib
import importlib.machinery
import operator
import sys
import types
from typing import NamedTuple

CORE = frozenset({"builtins", "math", "operator", "unittest", "pytest", "_pytest", "pluggy", "cmath"})
# Modules that decide on an outcome. Not all of pytest: it changes parts of its own configuration while it runs.
GUARDED = ("pluggy", "pytest", "unittest.case", "unittest.result", "_pytest.assertion")
GUARDED += tuple(
    f"_pytest.{name}" for name in ("runner", "reports", "python", "unittest", "skipping", "nodes", "main")
)
GUARDED += tuple(
    f"_pytest.{name}" for name in ("outcomes", "python_api", "approx", "raises", "fixtures", "monkeypatch")
)
LARGE = frozenset({"pytest", "_pytest"})  # looked after elsewhere
# What programs are meant to put their own into, and no test's outcome hangs on.
SETTABLE = {
    "sys": {"excepthook", "unraisablehook", "displayhook", "breakpointhook", "stdin", "stdout", "stderr"},
    "threading": {"excepthook"},
    "warnings": {"showwarning", "formatwarning", "_showwarnmsg_impl"},
    "logging": {"_loggerClass", "_logRecordFactory", "lastResort"},
}
HEAP_CLASS = 1 << 9  # Py_TPFLAGS_HEAPTYPE: the others cannot be changed
SEALED = type(functools.lru_cache(lambda: None))
PLAIN = (types.FunctionType, SEALED, types.BuiltinFunctionType, type, classmethod, staticmethod, property)


def make_library(places, named):
    """A snapshot of the library modules that are loaded now, and of those that ``load`` adds.

    Args:
        named: top names of modules that tests import.

    Returns:
        A namespace of ``modules`` (name -> module), ``held`` (id of a module or class -> (it, what it held, None); the
        owners are kept, so that no id is used twice), ``foreign(value, core)``, ``file_of(value)``, ``swapped`` and
        ``load(names)``.

    Everything is bound here: what a later look uses must not be there to be replaced.
    """
    modules, held, spaces, near = {}, {}, [], []
    foreign, file_of = _foreign_check(places)
    is_same, every, iterate, plain, together = operator.is_, all, map, PLAIN, zip
    isinstance_ = isinstance

    def swapped(everywhere):
        """Whether code under test has put things of its own in place of what a library held.

        Args:
            everywhere: or only in builtins and the modules that tests name.
        """
        for get, keys, values, core in spaces if everywhere else near:
            if every(iterate(is_same, iterate(get, keys), values)):
                continue
            for key, value in together(keys, values):
                now = get(key, value)
                if now is not value and isinstance_(value, plain) and foreign(now, core):
                    return True
        return False

    def hold():
        """Add the library modules that have been loaded since."""
        for name, module in list(sys.modules.items()):
            file = getattr(module, "__file__", None) or ""
            if name in modules or not isinstance(module, types.ModuleType):
                continue
            if file and not places.is_library(file):
                continue
            modules[name] = module
            top = name.partition(".")[0]
            for space in _spaces(name, module):
                if id(space.owner) in held:
                    continue
                held[id(space.owner)] = space.owner, space.held, None
                entry = (space.get, space.names, space.values, top in CORE)
                spaces.append(entry)
                if name == "builtins" or (top in named and top not in LARGE):
                    near.append(entry)

    def load(names):
        """Import the library modules of these names, and add them.

        Where that also loads code that belongs to no library, nothing is added: it may have changed something.
        """
        for name in sorted(names - modules.keys()):
            if _is_of_library(name.partition(".")[0], places):
                with contextlib.suppress(Exception):
                    importlib.import_module(name)
        files = (getattr(module, "__file__", None) or "" for module in list(sys.modules.values()))
        if not any(file.startswith(places.tree + "/") for file in files):
            hold()

    hold()
    return types.SimpleNamespace(
        modules=modules, held=held, foreign=foreign, file_of=file_of, swapped=swapped, load=load
    )


def _is_of_library(name, places):
    with contextlib.suppress(ImportError, ValueError, AttributeError):
        spec = importlib.machinery.PathFinder.find_spec(name)
        return spec is not None and bool(spec.origin) and places.is_library(spec.origin)
    return False


class _Space(NamedTuple):
    owner: object
    get: object
    held: dict
    names: tuple
    values: tuple


def _spaces(name, module):
    """What a module and its classes hold."""
    known = _PREPARED.get(name, ())
    if known and known[0].owner is module:
        return known
    classes = (
        value
        for value in vars(module).values()
        if type(value) is type and value.__module__ == name and value.__flags__ & HEAP_CLASS
    )
    found = []
    for owner in (module, *classes):
        held = vars(owner).copy()
        if owner is module:
            held = {key: value for key, value in held.items() if key not in SETTABLE.get(name, ())}
        found.append(_Space(owner, vars(owner).get, held, tuple(held), tuple(held.values())))
    return found


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

    return foreign, file_of


def guarded_functions():
    """What decides on a test's outcome: (get, names, values) of each namespace, and (function, code) pairs."""
    now = _guarded(name for name in sys.modules if name not in _PREPARED)
    return [*_GUARDED[0], *now[0]], [*_GUARDED[1], *now[1]]


def _guarded(names):
    spaces, codes = [], []
    for name in [name for name in names if name.startswith(GUARDED)]:
        module = sys.modules[name]
        owners = [module, *(v for v in vars(module).values() if isinstance(v, type) and v.__module__ == name)]
        for owner in owners:
            kept = {}
            for key, value in vars(owner).items():
                function = value.__func__ if isinstance(value, classmethod | staticmethod) else value
                if isinstance(function, types.FunctionType):
                    kept[key] = value
                    codes.append((function, function.__code__))
                elif isinstance(value, SEALED) or (isinstance(value, type) and owner is module):
                    kept[key] = value
            spaces.append((vars(owner).get, tuple(kept), tuple(kept.values())))
    return spaces, codes


# Made where this is imported: before a run is forked off, when the modules of a run are loaded ahead. Without those
# that pytest and the grader change when they start.
_PREPARED = {}
_PREPARED = {
    name: _spaces(name, module)
    for name, module in list(sys.modules.items())
    if isinstance(module, types.ModuleType)
    and name not in ("__main__", "sys", "builtins", "warnings", "logging")
    and not name.startswith("unittest")
}
_GUARDED = _guarded(_PREPARED)
