"""Keeps code under test away from the things with which it could bend its own result, while tests run.

An audit hook of the interpreter sees each attempt, however it is written, and cannot be taken away again from Python.
It refuses what only the submission asks for: frames, tracing, the garbage collector's view of all objects, native
memory, and the code of tests. What the project did before the submission is none of its business.
"""

import _thread
import importlib.machinery
import inspect
import os
import site
import sys
import types

TEST_FOLDERS = frozenset({"tests", "test"})
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
TRACERS = frozenset(
    {"sys.settrace", "sys.setprofile", "sys.addaudithook", "sys.monitoring.register_callback"}
)
FRAMES, OBJECTS, TRACING = "stack frames", "garbage collector", "tracing"
NATIVE, CODE, MEMORY = "native memory", "code objects", "process memory"


def make_places(changed, excused, tests, tree):
    """Which files are whose.

    Args:
        changed: absolute paths of the submission's files.
        excused: those of them that did such things before the submission.
        tests: absolute paths of trusted test files.
        tree: the workspace.

    Returns:
        A namespace of ``tests``, ``tree``, ``known`` (files that are not the submission's), ``helpers(tests)``,
        ``is_library(file)`` and ``is_submission(file)``. No object of a class: classes can be found and altered.
    """
    roots = {sys.prefix, sys.base_prefix, sys.exec_prefix, *site.getsitepackages(), "/usr/lib"}
    roots |= {os.path.realpath(root) for root in roots} | {os.path.dirname(os.path.abspath(__file__))}
    trusted_roots = tuple(root.rstrip("/") + "/" for root in roots)
    changed, tests = frozenset(changed) - frozenset(excused), frozenset(tests)
    sources = (
        os.path.join(folder, name)
        for folder, _, names in os.walk(tree)
        for name in names
        if name.endswith(".py")
    )
    # What is written while tests run belongs to nobody, and so to the submission.
    known = (frozenset(sources) | frozenset(excused) | tests | _running()) - changed

    def helpers(trusted):
        """The files beside trusted tests, in folders for tests, and each conftest.py; none of the submission's."""
        folders = {os.path.dirname(path) for path in trusted}
        folders = tuple(
            f"{folder}/" for folder in folders if os.path.basename(folder).lower() in TEST_FOLDERS
        )
        for file in known - frozenset(trusted):
            inside = file.startswith(tree + "/") and file.endswith(".py")
            if inside and (os.path.basename(file) == "conftest.py" or file.startswith(folders)):
                yield file

    def is_library(file):
        return file.startswith("<frozen ") or (file.startswith(trusted_roots) and ".." not in file)

    def is_submission(file):
        """Whether a file name of a code object speaks for the submission, or for nobody who is known."""
        return not is_library(file) and file not in known

    return types.SimpleNamespace(
        tests=tests,
        tree=tree,
        known=known,
        helpers=helpers,
        is_library=is_library,
        is_submission=is_submission,
    )


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
    guarded = tests | frozenset(places.helpers(tests))
    get_ident, main = _thread.get_ident, _thread.get_ident()
    getframe = sys._getframe
    function_type, frame_type = types.FunctionType, types.FrameType
    code_names = {
        function_type: "__code__",
        frame_type: "f_code",
        types.GeneratorType: "gi_code",
        types.CoroutineType: "cr_code",
        types.AsyncGeneratorType: "ag_code",
    }
    realpath, abspath, basename = os.path.realpath, os.path.abspath, os.path.basename
    error, import_error, os_error = RuntimeError, ImportError, PermissionError
    native, frame_attributes, code_attributes = NATIVE_MODULES, FRAME_ATTRIBUTES, CODE_ATTRIBUTES
    tracers, lenders, name_readers = TRACERS, FRAME_LENDERS, NAME_READERS
    isinstance_, getattr_, open_, value_error, str_, any_ = isinstance, getattr, open, ValueError, str, any
    os_fault, bytes_, len_, type_, vars_ = OSError, bytes, len, type, vars
    loaders = (importlib.machinery.SourceFileLoader, importlib.machinery.SourcelessFileLoader)
    file_loader = vars(importlib._bootstrap_external.FileLoader)
    read = file_loader["get_data"]
    # These ask a function for its code and give nothing of it to their caller.
    discreet = tuple(
        function.__code__
        for function in (inspect._has_code_flag, inspect._signature_from_function)
        if isinstance(function, types.FunctionType)
    )
    grader = os.path.dirname(os.path.abspath(__file__)) + "/"
    library = {}  # what `is_library` said of a file name
    # By thread: the very thing that this hook asks for next. That event is its own; any other is judged, also one of
    # a signal handler or a finalizer that runs in between.
    own = {}

    def code_of(thing, thread):
        name = code_names.get(type_(thing))
        if name is None:
            return None
        own[thread] = thing
        return getattr_(thing, name)

    def trusted(file):
        known_as = library.get(file)
        if known_as is None:
            known_as = library[file] = is_library(file)
        return known_as

    def callers(frame, thread):
        """File names from the innermost outwards to the first that is no library's, and that one (or None).

        Without the import system.
        """
        files = []
        while frame is not None:
            own[thread] = frame
            file = frame.f_code.co_filename
            if type_(file) is not str_:
                file = "?"
            if not file.startswith("<frozen importlib") and not file.endswith("/importlib/__init__.py"):
                files.append(file)
            if not trusted(file):
                return files, file
            frame = frame.f_back
        return files, None

    def lent(stack, innocent):
        """Whether frames go to the submission itself, and not to a library that logs or formats for it."""
        if is_submission(stack[0]):
            return True
        if is_library(stack[0]) and stack[0].endswith(name_readers):
            return False
        own_use = is_library(stack[0]) and len_(stack) > 1 and is_library(stack[1])
        return not own_use or (basename(stack[0]) in lenders and basename(stack[0]) != innocent)

    def of_test(thing, thread):
        code = code_of(thing, thread)
        return code is not None and code.co_filename in tests and code.co_name.startswith("test")

    def same_as_on_disk(source, file, thread):
        if source is None or (file not in known and not is_library(file)):
            return False
        try:
            own[thread] = "open"
            with open_(file, "rb") as handle:
                text = handle.read()
        except (os_fault, value_error):
            return False
        finally:
            own.pop(thread, None)
        return text == (source.encode() if isinstance_(source, str_) else source)

    def genuine_import(frame, thread):
        """Whether the import system itself reads the bytecode of a library."""
        while frame is not None:
            own[thread] = frame
            code = frame.f_code
            if not code.co_filename.startswith("<frozen importlib"):
                return False
            if code.co_name == "get_code":
                loader = frame.f_locals.get("self")
                genuine = type_(loader) in loaders and "get_data" not in vars_(loader)
                return genuine and file_loader.get("get_data") is read and is_library(realpath(loader.path))
            frame = frame.f_back
        return False

    def exact(text):
        """The text without what a class of the submission's has put over it."""
        if isinstance_(text, str_):
            return str_.__add__(text, "")
        return bytes_.__add__(text, b"").decode("utf-8", "replace") if isinstance_(text, bytes_) else None

    def judged(event, arguments, stack, who, frame, thread):
        """What is wrong with an event, or None."""
        if who is None:
            alone = event.startswith("gc.") and thread != main
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
            if name == "__kwdefaults__":
                lasts = "<locals>" not in code_of(thing, thread).co_qualname
                return CODE if lasts and is_submission(stack[0]) else None
            return CODE if of_test(thing, thread) else None
        if event in ("object.__setattr__", "object.__delattr__"):
            mine = is_submission(stack[0]) and type_(arguments[0]) is function_type
            code = code_of(arguments[0], thread) if mine else None
            return CODE if code is not None and not is_submission(code.co_filename) else None
        if event.startswith("gc."):
            return OBJECTS
        if event in tracers:
            return TRACING
        if event == "import":
            name, file = exact(arguments[0]), exact(arguments[1])
            foreign = file is not None and not is_library(abspath(file))
            return NATIVE if name.partition(".")[0] in native or foreign else None
        if event.startswith("ctypes.") or event == "cpython.PyInterpreterState_New":
            return NATIVE
        if event == "compile":
            source, file = arguments
            if type_(file) is not str_:
                return CODE if isinstance_(file, str_) else None
            return CODE if not is_submission(file) and not same_as_on_disk(source, file, thread) else None
        if event == "code.__new__":
            pretends = type_(arguments[1]) is not str_ or not is_submission(arguments[1])
            return CODE if is_submission(stack[0]) and pretends else None
        if event == "marshal.loads":
            return None if genuine_import(frame, thread) else CODE
        if event == "open":
            path = exact(arguments[0])
            if path is None:
                return None
            real = realpath(path)
            memory = real.startswith("/proc/") and real.endswith("/mem")
            return MEMORY if memory or basename(path) == "mem" else None
        return None

    def readable(thing, name, thread):
        """Whether anybody may read this: code of no test, defaults that are none or cannot be altered."""
        if name == "__kwdefaults__":
            code = code_of(thing, thread)
            if code.co_filename not in guarded:
                return True
        elif not of_test(thing, thread):
            return True
        if name in ("__defaults__", "__kwdefaults__"):
            own[thread] = thing
            return getattr_(thing, name) is None
        return False

    seen = frozenset(
        {"sys._getframe", "sys._current_frames", "sys._current_exceptions", "object.__getattr__", "import"}
        | {"object.__setattr__", "object.__delattr__", *TRACERS}
        | {"compile", "code.__new__", "marshal.loads", "open", "cpython.PyInterpreterState_New"}
        | {"gc.get_objects", "gc.get_referrers", "gc.get_referents"}
    )
    quick = frame_attributes | code_attributes

    def hook(event, arguments):
        if event not in seen and not event.startswith("ctypes."):
            return
        reads = event == "object.__getattr__"
        if event.startswith("object.__") and arguments[1] not in quick:
            return
        if event == "object.__setattr__" and arguments[1] == "__code__":
            note_code()
        thread = get_ident()
        asked = own.pop(thread, None)
        if asked is not None and (asked is arguments[0] if reads else asked == event):
            return
        try:
            if reads and arguments[1] in code_attributes and readable(*arguments, thread):
                return
            own[thread] = "sys._getframe"
            frame = getframe(1)
            own[thread] = frame
            innermost = frame.f_code
            if any_(innermost is code for code in mine):
                what = FRAMES  # somebody came in between and took what this hook was about to ask for
            elif str_.startswith(innermost.co_filename, grader) or (
                reads and arguments[1] == "__code__" and any_(innermost is code for code in discreet)
            ):
                return
            else:
                what = judged(event, arguments, *callers(frame, thread), frame, thread)
            if what is not None:
                report(what)
        finally:
            if asked is not None:
                own[thread] = asked
        if what is not None:
            # Of a kind that honest code is prepared for at this place.
            kind = import_error if event == "import" else os_error if event == "open" else error
            kind = value_error if what is FRAMES else kind
            raise kind(f"refused while graded: {what}")

    mine = tuple(function.__code__ for function in (hook, code_of, callers, genuine_import, readable))
    sys.addaudithook(hook)
