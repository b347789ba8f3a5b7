"""A Python program under guard, where a whole command is graded by its exit code: ``alma_grading_command.py ARGUMENTS``
does what ``python ARGUMENTS`` does, but ends with 0 only where the program itself came to such an end.

Two processes: the guard never loads code under test. Its child runs the program and says at its end, over a pipe and
with a key that was in no environment and no argument, how it ended; the guard believes nothing else. So a submission
that ends the process (``os._exit``, ``sys.exit`` while it is imported, another program in its place), or puts things of
its own into the library that decides on outcomes, fails. As everywhere, code under test shares the child with the
tests: this is no proof.
"""

import contextlib
import ctypes
import hashlib
import hmac
import json
import os
import runpy
import secrets
import signal
import sys
import threading

REFUSED = 97
PR_SET_DUMPABLE = 4
WITH_VALUE = ("-W", "-X", "--check-hash-based-pycs")
CHILD = "--alma-grading-child"


def split_arguments(arguments):
    """(options of the interpreter, what is run with its arguments); None for a call that runs no program from a file,
    or that reads one from stdin."""
    options = []
    rest = list(arguments)
    while rest:
        word = rest[0]
        if word in ("-m", "-c"):
            return (options, rest) if len(rest) > 1 else None
        if word.startswith(("-m", "-c")):
            return options, [word[:2], word[2:], *rest[1:]]
        if word == "-" or word.startswith("--"):
            return None
        if not word.startswith("-"):
            return options, rest
        taken = 2 if word in WITH_VALUE else 1
        letters = word[1:]
        if letters[0] not in "WX":
            if set("Vhi?") & set(letters):
                return None
            if letters[-1] in "mc" and len(rest) > 1:  # as in -Bm
                return [*options, f"-{letters[:-1]}"], [f"-{letters[-1]}", *rest[1:]]
        options += rest[:taken]
        rest = rest[taken:]
    return None


def guard(arguments):
    """Run the program in a child; the exit code."""
    split = split_arguments(arguments)
    if split is None:
        os.execv(sys.executable, [sys.executable, *arguments])
    options, program = split
    key = secrets.token_bytes(32)
    orders_out, orders_in = os.pipe()
    said_out, said_in = os.pipe()
    with contextlib.suppress(OSError):  # the child has our user id: it shall not read the key here
        ctypes.CDLL(None).prctl(PR_SET_DUMPABLE, 0, 0, 0, 0)
    child = os.fork()
    if child == 0:
        os.set_inheritable(orders_out, True)
        os.set_inheritable(said_in, True)
        fds = f"{orders_out},{said_in}"
        os.execv(sys.executable, [sys.executable, *options, os.path.abspath(__file__), CHILD, fds, *program])
    os.close(orders_out)
    os.close(said_in)
    with contextlib.suppress(BrokenPipeError):
        os.write(orders_in, key)
    os.close(orders_in)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda number, _: os.kill(child, number))
    _, status = os.waitpid(child, 0)
    code = os.waitstatus_to_exitcode(status)
    if code != 0:
        return code if code > 0 else 128 - code
    os.set_blocking(said_out, False)  # who is left of the child may hold the other end
    try:
        said = os.read(said_out, 4096)
    except BlockingIOError:
        said = b""
    if hmac.compare_digest(said, sign(key, 0)):
        return 0
    print("graded: the program did not come to its end by itself", file=sys.stderr)
    return REFUSED


def sign(key, code):
    return hashlib.blake2b(str(code).encode(), key=key, digest_size=32).digest()


def child(fds, program):
    """Run the program and say how it ended."""
    here = os.path.dirname(os.path.abspath(__file__))
    orders, said = map(int, fds.split(","))
    key = b""
    while part := os.read(orders, 64):
        key += part
    os.close(orders)
    os.set_inheritable(said, False)
    sys.path[:] = [here, *(entry for entry in sys.path if os.path.abspath(entry or ".") != here)]
    inline = f"<command {secrets.token_hex(16)}>"
    end = make_end(key, said, inline, program)
    del key, fds
    del sys.path[0]
    try:
        code = run(program, inline)
    except SystemExit as error:
        code = end.code_of(error)
    except BaseException:
        sys.excepthook(*sys.exc_info())
        code = 1
    end.wait()
    end.finish(code)


def make_end(key, said, inline, program):
    """What comes after the program, bound before code under test can replace it; also what it may not do meanwhile.

    Args:
        inline: the file name of code that is given with ``-c``.

    A namespace of ``code_of(exit)``, ``wait()`` and ``finish(code)``.
    """
    import operator
    import types
    import unittest.case

    if program[:2] == ["-m", "pytest"]:
        import pytest  # what decides on outcomes is looked after only where it is loaded

        del pytest
    del unittest

    import alma_grading_library
    import alma_grading_watch

    tree = os.environ["ALMA_GRADING_TREE"]
    changed = [os.path.join(tree, name) for name in json.loads(os.environ["ALMA_GRADING_CHANGED"])]
    places = alma_grading_watch.make_places(changed, [], [], tree)
    library = alma_grading_library.make_library(places, {"unittest"})
    guarded, codes = alma_grading_library.guarded_functions()
    is_same, every, iterate = operator.is_, all, map
    is_submission, write, leave, refused = places.is_submission, os.write, os._exit, REFUSED
    signed = sign(key, 0)
    out, err, waits = sys.stdout, sys.stderr, threading._shutdown
    hurt = False

    def report(what):
        print(f"graded: refused {what}", file=sys.__stderr__)

    def intact():
        for get, keys, values in guarded:
            if not every(iterate(is_same, iterate(get, keys), values)):
                return False
        return every(function.__code__ is code for function, code in codes) and not library.swapped(True)

    def code_of(error):
        nonlocal hurt
        place = error.__traceback__
        while place is not None and place.tb_next is not None:
            place = place.tb_next
        file = place.tb_frame.f_code.co_filename if place is not None else inline
        if file != inline and is_submission(file):
            hurt = True
        if error.code is None:
            return 0
        if isinstance(error.code, int):
            return error.code
        print(error.code, file=sys.stderr)
        return 1

    def finish(code):
        for stream in (out, err):
            with contextlib.suppress(Exception):
                stream.flush()
        if code == 0 and not (hurt or not intact()):
            write(said, signed)
            leave(0)
        leave(code & 0xFF if code & 0xFF else refused if code == 0 else 1)

    alma_grading_watch.watch(places, report, lambda: None)
    for name in [name for name in sys.modules if name.startswith("alma_grading_")]:
        del sys.modules[name]
    return types.SimpleNamespace(code_of=code_of, wait=waits, finish=finish)


def run(program, inline):
    """What the interpreter does with these arguments; 0 when the program ends without a word about its code."""
    kind, *rest = program
    if kind == "-m":
        sys.argv = rest
        sys.path.insert(0, os.getcwd())
        runpy.run_module(rest[0], run_name="__main__", alter_sys=True)
    elif kind == "-c":
        sys.argv = ["-c", *rest[1:]]
        sys.path.insert(0, "")
        exec(compile(rest[0], inline, "exec"), {"__name__": "__main__", "__builtins__": __builtins__})
    else:
        sys.argv = [kind, *rest]
        if os.path.isfile(kind):
            sys.path.insert(0, os.path.dirname(os.path.realpath(kind)))
        runpy.run_path(os.path.abspath(kind), run_name="__main__")
    return 0


if __name__ == "__main__":
    if sys.argv[1:2] == [CHILD]:
        child(sys.argv[2], sys.argv[3:])
    else:
        sys.exit(guard(sys.argv[1:]))
