"""The grading side inside the sandbox: a pytest plugin that runs a fixed list of tests and reports them privately.

It is loaded before any conftest and any code under test, takes its orders (one JSON object) from the channel, and
signs every record with a key that it keeps in a closure. Code under test shares this process, so this is no proof; but
printing, exiting, writing to the channel, patching pytest or adding hooks does not make a test pass. Everything used
after the code under test is loaded is bound before. `alma_grading_watch` refuses what only a cheat asks for,
`alma_grading_tests` keeps the tests' source off the disk and compares for them.

Records, one a line, each `<number> <event> ... <signature>`; `N` is a test's index in the orders:
    hello | begin N | setup N OUTCOME | call N OUTCOME | teardown N OUTCOME | extra N failed | error | tampered
    refused WHAT | finish STATUS RUN
"""

import _thread
import base64
import faulthandler
import fcntl
import hashlib
import json
import operator
import os
import signal
import sys
import time
import types
import zlib

import alma_grading_library
import alma_grading_tests
import alma_grading_watch
import pytest

CHANNEL = 3
# Modules that decide on an outcome. Not all of pytest: it changes parts of its own configuration while it runs.
GUARDED = ("pluggy", "pytest", "unittest.case", "unittest.result", "_pytest.assertion")
GUARDED += tuple(
    f"_pytest.{name}" for name in ("runner", "reports", "python", "unittest", "skipping", "nodes", "main")
)
GUARDED += tuple(
    f"_pytest.{name}" for name in ("outcomes", "python_api", "raises", "fixtures", "monkeypatch")
)
LEAST_LIMIT = 2.0
WATCHDOG_GRACE = 1.0


class TestTooSlow(BaseException):
    """Raised inside a test that is over its time limit; no Exception, so that `except Exception` does not stop it."""


TestTooSlow.__test__ = False


def _open_channel():
    """(orders, send): reads the orders and moves the channel to a descriptor of another number."""
    received = b""
    while part := os.read(CHANNEL, 65536):
        received += part
    orders = json.loads(zlib.decompress(received))
    descriptor = fcntl.fcntl(CHANNEL, fcntl.F_DUPFD_CLOEXEC, 200 + os.urandom(1)[0])
    os.close(CHANNEL)
    signer = hashlib.blake2b(key=bytes.fromhex(orders.pop("key")), digest_size=32)
    number = 0
    write, getpid, mine, lock = os.write, os.getpid, os.getpid(), _thread.RLock()

    def send(text):
        nonlocal number
        if getpid() != mine:  # a child that a test has forked
            return
        with lock:
            line = f"{number} {text}".encode()
            number += 1
            signature = signer.copy()
            signature.update(line)
            write(descriptor, line + b" " + signature.hexdigest().encode() + b"\n")

    return orders, send


def _guarded_functions():
    """What decides on a test's outcome: (get, names, values) of each namespace, and (function, code) pairs."""
    spaces, codes = [], []
    for name, module in list(sys.modules.items()):
        if not name.startswith(GUARDED):
            continue
        owners = [module, *(v for v in vars(module).values() if isinstance(v, type) and v.__module__ == name)]
        for owner in owners:
            kept = {}
            for key, value in vars(owner).items():
                function = value.__func__ if isinstance(value, classmethod | staticmethod) else value
                if isinstance(function, types.FunctionType):
                    kept[key] = value
                    codes.append((function, function.__code__))
                elif isinstance(value, type) and owner is module:
                    kept[key] = value
            spaces.append((vars(owner).get, tuple(kept), tuple(kept.values())))
    return spaces, codes


def _recorder(orders, send, plugins, swapped, recoded):
    index = {test: number for number, test in enumerate(orders["ids"])}
    guarded, codes = _guarded_functions()
    is_same, every, iterate = operator.is_, all, map
    tracing = (sys.gettrace(), sys.getprofile())
    gettrace, getprofile, clock = sys.gettrace, sys.getprofile, time.monotonic
    setitimer, real = signal.setitimer, signal.ITIMER_REAL
    watch, unwatch, exit_now = (
        faulthandler.dump_traceback_later,
        faulthandler.cancel_dump_traceback_later,
        os._exit,
    )
    limit = orders["limit"]
    deadline = clock() + orders["budget"]
    stderr = sys.__stderr__
    changed = {os.path.abspath(name) for name in orders["changed"]}
    tests = {}
    hooks, file_of, len_ = _hooks, _file_of, len
    known = hooks(plugins)
    ended = {}  # how each test's code ended, as seen next to it
    run = 0
    hurt = False

    def intact():
        for get, keys, values in guarded:
            if not every(iterate(is_same, iterate(get, keys), values)):
                return False
        if (gettrace(), getprofile()) != tracing:
            return False
        # Asking a function for its code is an event that costs; where no code was set since, none has changed.
        return not recoded() or (
            every(function.__code__ is code for function, code in codes)
            and every(function is None or function.__code__ is code for function, code in tests.values())
        )

    def hooked():
        """Whether only known hooks are registered."""
        now = hooks(plugins)
        return len_(now) == len_(known) and every(iterate(is_same, now, known))

    def check(good):
        nonlocal hurt
        if not good and not hurt:
            hurt = True
            send("tampered")

    def too_slow(*_):
        nonlocal limit
        limit = max(
            limit / 2, LEAST_LIMIT
        )  # a submission that hangs in every test must not cost all the time
        raise TestTooSlow("over the time limit of one test")

    def arm():
        setitimer(real, limit)
        watch(limit + WATCHDOG_GRACE, exit=True, file=stderr)  # for code that no signal reaches

    def disarm():
        setitimer(real, 0)
        unwatch()

    # What `signal.getsignal` hands to anybody must lead nowhere.
    signal.signal(signal.SIGALRM, types.FunctionType(too_slow.__code__, {}, closure=too_slow.__closure__))

    def recorder():
        @pytest.hookimpl(wrapper=True, tryfirst=True)
        def pytest_make_collect_report(collector):
            arm()
            try:
                report = yield
            finally:
                disarm()
            if report.outcome != "passed":
                send("error")
            return report

        @pytest.hookimpl(wrapper=True, tryfirst=True)
        def pytest_collection_modifyitems(items):
            yield
            names = [item.nodeid for item in items]
            items[:] = [item for item in items if item.nodeid in index and names.count(item.nodeid) == 1]
            for item in items:
                function = getattr(item, "function", None)
                tests[item.nodeid] = (function, getattr(function, "__code__", None))
            now = hooks(plugins)
            for hook in now:
                check(any(hook is old for old in known) or file_of(hook) not in changed | {None})
            known[:] = now
            check(intact() and not swapped(True))

        @pytest.hookimpl(tryfirst=True)
        def pytest_runtest_protocol(item):
            return True if clock() > deadline else None

        @pytest.hookimpl(wrapper=True, trylast=True)
        def pytest_runtest_logstart(nodeid):
            nonlocal run
            run += 1
            send(f"begin {index[nodeid]}")
            arm()
            return (yield)

        @pytest.hookimpl(wrapper=True, trylast=True)
        def pytest_runtest_call(item):
            ended[item.nodeid] = "raised"
            result = yield
            ended[item.nodeid] = "returned"
            return result

        @pytest.hookimpl(wrapper=True, tryfirst=True)
        def pytest_runtest_makereport(item, call):
            report = yield
            outcome = report.outcome
            if outcome == "passed" and call.when == "call" and ended.get(item.nodeid) != "returned":
                outcome = "failed"
            if hasattr(report, "wasxfail"):
                outcome = "xfailed"
            elif outcome == "passed" and call.excinfo is not None:
                outcome = "failed"
            check(hooked())
            if call.when == "call":
                function, _ = tests[item.nodeid]
                check(function is None or item.function is function)
                check(intact() and not swapped(False))
            send(f"{call.when} {index[item.nodeid]} {outcome}")
            if call.when == "teardown":
                disarm()
            return report

        @pytest.hookimpl(tryfirst=True)
        def pytest_runtest_logreport(report):
            if type(report) is not pytest.TestReport and report.outcome == "failed":  # a subtest
                send(f"extra {index[report.nodeid]} failed")

        @pytest.hookimpl(wrapper=True, tryfirst=True)
        def pytest_sessionfinish(session, exitstatus):
            try:
                yield
            finally:
                check(hooked() and intact() and not swapped(True))
                send(f"finish {int(exitstatus)} {run}")
                exit_now(int(exitstatus))  # what the code under test wants to do at exit is of no interest

        # No class: `object.__subclasses__()` would lead to it, and from there to everything here.
        hooks_here = locals()
        plugin = types.ModuleType("recorder")
        vars(plugin).update({k: v for k, v in hooks_here.items() if k.startswith("pytest_")})
        return plugin

    return recorder()


def _hooks(plugins):
    """Every registered hook implementation."""
    return [hook for caller in vars(plugins.hook).values() for hook in caller._hookimpls]


def _file_of(hook):
    """The file in which a hook is written; None when there is none."""
    code = getattr(hook.function, "__code__", None)
    name = os.path.abspath(code.co_filename) if code else ""
    return name if os.path.isfile(name) else None


@pytest.hookimpl(tryfirst=True)
def pytest_load_initial_conftests(early_config):
    """Before the first conftest: from here on foreign code may run."""
    orders, send = _open_channel()
    plugins = early_config.pluginmanager
    send("hello")
    places = _places(orders)
    judge = alma_grading_tests.make_judge(places)
    alma_grading_tests.believe_no_chameleon(judge)
    sys.meta_path.insert(0, _finder(orders, judge, places))
    grader = (alma_grading_library, alma_grading_tests, alma_grading_watch)
    for name in (*alma_grading_watch.NATIVE_MODULES, *(module.__name__ for module in grader), __name__):
        for loaded in [key for key in sys.modules if key == name or key.startswith(f"{name}.")]:
            del sys.modules[loaded]
    swapped = alma_grading_library.Library(places, set()).swapped
    told = set()
    recoded, note_code = alma_grading_watch.code_changes()
    plugins.register(_recorder(orders, send, plugins, swapped, recoded), "grading-recorder")

    def report(what):
        if what not in told:
            told.add(what)
            send(f"refused {what.replace(' ', '-')}")

    alma_grading_watch.watch(places, report, note_code)


def _places(orders):
    absolute = {
        key: [os.path.abspath(name) for name in orders[key]] for key in ("changed", "excused", "sources")
    }
    return alma_grading_watch.Places(
        absolute["changed"], absolute["excused"], absolute["sources"], os.getcwd()
    )


def _finder(orders, judge, places):
    """Hands out the trusted tests; each is forgotten when it has been loaded."""
    sources = {os.path.realpath(name): base64.b64decode(text) for name, text in orders.pop("sources").items()}
    canaries = {os.path.realpath(name): canary for name, canary in orders.pop("canaries").items()}
    load = alma_grading_tests.lend_once(sources, canaries, judge, places)
    return alma_grading_tests.Finder(frozenset(sources), load)
