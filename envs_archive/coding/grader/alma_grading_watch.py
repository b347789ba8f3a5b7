"""Keeps code under test away from the things with which it could bend its own result, while tests run.

An audit hook of the interpreter sees each attempt, however it is written, and cannot be taken away again from Python.
It refuses what only the submission asks for: frames, tracing, the garbage collector's view of all objects, native
memory, and the code of tests. What the project did before the submission is none of its business.
"""

import _thread
import functools
import importlib.machinery
import os
import site
import sys
import types

FRAME_ATTRIBUTES = frozenset({"tb_frame", "gi_frame", "cr_frame", "ag_frame"})
CODE_ATTRIBUTES = frozenset(
    {"f_code", "gi_code", "cr_code", "ag_code", "__code__", "__defaults__", "__kwdefaults__"}
)
NATIVE_MODULES = frozenset(
    {"ctypes", "_ctypes", "cffi", "_cffi_backend", "_xxsubinterpreters", "_interpreters", "_testcapi"}
    | {"_testinternalcapi", "_testmultiphase", "_testbuffer", "_xxinterpchannels", "_interpchannels"}
)
# Modules of the standard library that hand frames to whoever calls them.
FRAME_LENDERS = ("inspect.py", "traceback.py", "bdb.py", "pdb.py")
# And those that look at their caller's frame for its module's name only.
NAME_READERS = ("/collections/__init__.py", "/typing.py", "/enum.py", "/dataclasses.py", "/warnings.py")
NAME_READERS += ("/typing_extensions.py", "/functools.py", "/contextlib.py")
FRAMES, OBJECTS, TRACING = "stack frames", "garbage collector", "tracing"
NATIVE, CODE, MEMORY = "native memory", "code objects", "process memory"


class Places:
    """Which files are whose.

    Args:
        changed: absolute paths of the submission's files.
        excused: those of them that did such things before the submission.
        tests: absolute paths of trusted test files.
        tree: the workspace.
    """

    def __init__(self, changed, excused, tests, tree):
        roots = {sys.prefix, sys.base_prefix, sys.exec_prefix, *site.getsitepackages(), "/usr/lib"}
        roots |= {os.path.realpath(root) for root in roots} | {os.path.dirname(os.path.abspath(__file__))}
        self.trusted_roots = tuple(root.rstrip("/") + "/" for root in roots)
        self.changed = frozenset(changed) - frozenset(excused)
        self.tests = frozenset(tests)
        sources = (
            os.path.join(folder, name)
            for folder, _, names in os.walk(tree)
            for name in names
            if name.endswith(".py")
        )
        # What is written while tests run belongs to nobody, and so to the submission.
        self.known = (frozenset(sources) | frozenset(excused) | self.tests | _running()) - self.changed

    def is_library(self, file):
        return file.startswith("<frozen ") or (file.startswith(self.trusted_roots) and ".." not in file)

    def is_submission(self, file):
        """Whether a file name of a code object speaks for the submission, or for nobody who is known."""
        return not self.is_library(file) and file not in self.known


def _running():
    """The files of whoever has started this process."""
    frame, files = sys._getframe(), set()
    while frame is not None:
        files.add(frame.f_code.co_filename)
        frame = frame.f_back
    return files


def code_changes():
    """(whether any function was given other code since the last time this was asked, what notes that one was)."""
    changed = True

    def recoded():
        nonlocal changed
        now, changed = changed, False
        return now

    def note():
        nonlocal changed
        changed = True

    return recoded, note


def watch(places, report, note_code):
    """Start refusing.

    Args:
        report: ``report(what)`` is told each kind of attempt; it must not call code that can be replaced.
        note_code: called when a function is given other code, by anybody.
    """
    is_library, is_submission = places.is_library, places.is_submission
    tests, known = places.tests, places.known
    busy = set()
    get_ident, main = _thread.get_ident, _thread.get_ident()
    getframe, function_type = sys._getframe, types.FunctionType
    realpath, abspath, basename = os.path.realpath, os.path.abspath, os.path.basename
    error, import_error, os_error = RuntimeError, ImportError, PermissionError
    native, frame_attributes, code_attributes = NATIVE_MODULES, FRAME_ATTRIBUTES, CODE_ATTRIBUTES
    lenders, name_readers = FRAME_LENDERS, NAME_READERS
    isinstance_, getattr_, open_, value_error, str_ = isinstance, getattr, open, ValueError, str
    os_fault, bytes_, len_, type_, vars_ = OSError, bytes, len, type, vars
    loaders = (importlib.machinery.SourceFileLoader, importlib.machinery.SourcelessFileLoader)
    file_loader = vars(importlib._bootstrap_external.FileLoader)
    read = file_loader["get_data"]

    def files(frame, most=200):
        """File names of the stack, innermost first, without the import system."""
        found = []
        while frame is not None and len_(found) < most:
            file = frame.f_code.co_filename
            if not file.startswith("<frozen importlib") and not file.endswith("/importlib/__init__.py"):
                found.append(file)
            frame = frame.f_back
        return found

    def author(stack):
        """The innermost file that is no library; None when there is none."""
        for file in stack:
            if not is_library(file):
                return file
        return None

    def lent(stack, innocent):
        """Whether frames go to the submission itself, and not to a library that logs or formats for it."""
        if is_submission(stack[0]):
            return True
        if is_library(stack[0]) and stack[0].endswith(name_readers):
            return False
        own_use = is_library(stack[0]) and len_(stack) > 1 and is_library(stack[1])
        return not own_use or (basename(stack[0]) in lenders and basename(stack[0]) != innocent)

    def code_of(thing):
        for name in ("__code__", "f_code", "gi_code", "cr_code", "ag_code"):
            code = getattr_(thing, name, None)
            if code is not None:
                return code
        return None

    def of_test(thing):
        code = code_of(thing)
        return code is not None and code.co_filename in tests and code.co_name.startswith("test")

    def same_as_on_disk(source, file):
        if source is None or (file not in known and not is_library(file)):
            return False
        try:
            with open_(file, "rb") as handle:
                text = handle.read()
        except (os_fault, value_error):
            return False
        return text == (source.encode() if isinstance_(source, str_) else source)

    def genuine_import(frame):
        """Whether the import system itself reads the bytecode of a library."""
        while frame is not None and frame.f_code.co_filename.startswith("<frozen importlib"):
            if frame.f_code.co_name == "get_code":
                loader = frame.f_locals.get("self")
                own = type_(loader) in loaders and "get_data" not in vars_(loader)
                return own and file_loader.get("get_data") is read and is_library(realpath(loader.path))
            frame = frame.f_back
        return False

    def judged(event, arguments, stack):
        """What is wrong with an event, or None."""
        who = author(stack)
        if who is None:
            alone = event.startswith("gc.") and get_ident() != main
            return OBJECTS if alone else None
        if not is_submission(who):
            return None
        if event == "sys._getframe":
            return FRAMES if lent(stack, None) else None
        if event in ("sys._current_frames", "sys._current_exceptions"):
            return FRAMES
        if event == "object.__getattr__":
            thing, name = arguments
            if name in frame_attributes:
                return FRAMES if lent(stack, "traceback.py") else None
            if name == "f_code" and not lent(stack, "traceback.py"):
                return None
            return CODE if of_test(thing) else None
        if event in ("object.__setattr__", "object.__delattr__"):
            own = is_submission(stack[0]) and isinstance_(arguments[0], function_type)
            code = code_of(arguments[0]) if own else None
            return CODE if code is not None and not is_submission(code.co_filename) else None
        if event.startswith("gc."):
            return OBJECTS
        if event in ("sys.settrace", "sys.setprofile", "sys.addaudithook"):
            return TRACING
        if event == "import":
            name, file = arguments[0], arguments[1]
            foreign = file is not None and not is_library(abspath(file))
            return NATIVE if name.partition(".")[0] in native or foreign else None
        if event.startswith("ctypes.") or event == "cpython.PyInterpreterState_New":
            return NATIVE
        if event == "compile":
            source, file = arguments
            pretends = isinstance_(file, str_) and not is_submission(file)
            return CODE if pretends and not same_as_on_disk(source, file) else None
        if event == "code.__new__":
            return CODE if is_submission(stack[0]) and not is_submission(arguments[1]) else None
        if event == "marshal.loads":
            return None if genuine_import(getframe(3)) else CODE
        if event == "open":
            path = arguments[0]
            if not isinstance_(path, (str_, bytes_)):
                return None
            path = path.decode("utf-8", "replace") if isinstance_(path, bytes_) else path
            real = realpath(path)
            memory = real.startswith("/proc/") and real.endswith("/mem")
            return MEMORY if memory or basename(path) == "mem" else None
        return None

    seen = frozenset(
        {"sys._getframe", "sys._current_frames", "sys._current_exceptions", "object.__getattr__", "import"}
        | {"object.__setattr__", "object.__delattr__", "sys.settrace", "sys.setprofile", "sys.addaudithook"}
        | {"compile", "code.__new__", "marshal.loads", "open", "cpython.PyInterpreterState_New"}
        | {"gc.get_objects", "gc.get_referrers", "gc.get_referents"}
    )
    quick = frame_attributes | code_attributes

    def hook(event, arguments):
        if event not in seen and not event.startswith("ctypes."):
            return
        if event.startswith("object.__") and arguments[1] not in quick:
            return
        if event == "object.__setattr__" and arguments[1] == "__code__":
            note_code()
        thread = get_ident()
        if thread in busy:
            return
        busy.add(thread)
        try:
            # Whose stack it is need not be found out for code that anybody may read: that of no test.
            readable = (
                event == "object.__getattr__"
                and arguments[1] in code_attributes
                and not of_test(arguments[0])
            )
            what = None if readable else judged(event, arguments, files(getframe(1)))
            if what is not None:
                report(what)
        finally:
            busy.discard(thread)
        if what is not None:
            # Of a kind that honest code is prepared for at this place.
            kind = import_error if event == "import" else os_error if event == "open" else error
            kind = value_error if what is FRAMES else kind
            raise kind(f"refused while graded: {what}")

    sys.addaudithook(hook)


CORE = frozenset({"builtins", "math", "operator", "unittest", "pytest", "_pytest", "pluggy", "cmath"})


def swapped_check(places):
    """A function that says whether code under test has put things of its own in place of library functions.

    A test may do that (monkeypatch, mock): what it puts there is written in the test, or is a mock.
    """
    is_submission, is_library = places.is_submission, places.is_library
    tests = places.tests
    plain = (types.FunctionType, types.BuiltinFunctionType, type)
    watched = []
    for name, module in list(sys.modules.items()):
        file = getattr(module, "__file__", None) or ""
        if isinstance(module, types.ModuleType) and (not file or is_library(file)):
            space = vars(module)
            core = name.partition(".")[0] in CORE
            watched.append((space, core, [(k, v) for k, v in space.items() if isinstance(v, plain)]))
    mock_names = ("unittest.mock", "mock")
    function_type, method_type, partial_type = types.FunctionType, types.MethodType, functools.partial
    isinstance_, type_, vars_ = isinstance, type, vars

    def file_of(value):
        """The file in which a value is written, as far as that can be seen."""
        while isinstance_(value, (method_type, partial_type)):
            value = value.__func__ if isinstance_(value, method_type) else value.func
        if isinstance_(value, function_type):
            return value.__code__.co_filename
        owner = value if isinstance_(value, type_) else type_(value)
        for member in vars_(owner).values():
            if isinstance_(member, function_type):
                return member.__code__.co_filename
        return None

    def swapped():
        for space, core, entries in watched:
            for key, value in entries:
                now = space.get(key, value)
                if now is value:
                    continue
                if type_(now).__module__ in mock_names:
                    continue
                file = file_of(now)
                if (file is None and core) or (file is not None and is_submission(file)):
                    return True
                if core and file is not None and file not in tests and not is_library(file):
                    return True
        return False

    return swapped
