"""The grading side inside the sandbox: a pytest plugin that runs a fixed list of tests and reports them privately.

It is loaded before any conftest and any code under test, takes its orders (one JSON object) from the channel, and
signs every record with a key that it keeps in a closure. Code under test shares this process, so this is no proof; but
printing, exiting, writing to the channel, patching pytest or adding hooks does not make a test pass. Everything used
after the code under test is loaded is bound before. `alma_grading_watch` refuses what only a cheat asks for,
`alma_grading_tests` keeps the tests' source off the disk, and `alma_grading_rewrite` has what stands in them asked for:
`alma_grading_judge` whether two values are equal, `alma_grading_names` whether a name still means what it meant.

Records, one a line, each `<number> <event> ... <signature>`; `N` is a test's index in the orders:
    hello | begin N | setup N OUTCOME | call N OUTCOME | teardown N OUTCOME | extra N failed | error | tampered
    refused WHAT | finish STATUS RUN
"""

import _thread
import ast
import base64
import faulthandler
import fcntl
import hashlib
import inspect
import json
import operator
import os
import secrets
import signal
import sys
import time
import types
import warnings
import zlib

import alma_grading_judge
import alma_grading_library
import alma_grading_names
import alma_grading_rewrite
import alma_grading_tests
import alma_grading_watch
import pytest

CHANNEL = 3
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


def _recorder(orders, send, plugins, swapped, names, tampered, recoded):
    index = {test: number for number, test in enumerate(orders["ids"])}
    guarded, codes = alma_grading_library.guarded_functions()
    is_same, every, iterate = operator.is_, all, map
    tracing = (sys.gettrace(), sys.getprofile())
    gettrace, getprofile, clock = sys.gettrace, sys.getprofile, time.monotonic
    setitimer, real = signal.setitimer, signal.ITIMER_REAL
    least, too_slow_error, larger = LEAST_LIMIT, TestTooSlow, max
    test_report, type_, int_, getattr_, any_, has = (
        pytest.TestReport,
        type,
        int,
        getattr,
        any,
        hasattr,
    )
    watch, unwatch, exit_now = (
        faulthandler.dump_traceback_later,
        faulthandler.cancel_dump_traceback_later,
        os._exit,
    )
    limit = orders["limit"]
    deadline = clock() + orders["budget"]
    stderr = sys.__stderr__
    changed_or_none = {None, *(os.path.abspath(name) for name in orders["changed"])}
    tests = {}
    len_ = len
    hooks, file_of = _hook_looks(plugins)
    known = []  # what `hooks` has found
    ended = {}  # how each test's code ended, as seen next to it
    run = 0
    start, ended_by_itself = names.start, names.ended_by_itself
    own_places = {test: _place(test) for test in orders["ids"]}

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
        """Whether only known hooks are registered, and called as they were."""
        now = hooks()
        return len_(now) == len_(known) and every(iterate(is_same, now, known))

    def check(good):
        if not good:
            tampered()

    def too_slow(*_):
        nonlocal limit
        # A submission that hangs in every test must not cost all the time.
        limit = larger(limit / 2, least)
        raise too_slow_error("over the time limit of one test")

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
                function = getattr_(item, "function", None)
                tests[item.nodeid] = (function, getattr_(function, "__code__", None))
            now = hooks()
            for thing in now:
                check(any_(thing is old for old in known) or file_of(thing) not in changed_or_none)
            known[:] = now
            check(intact() and not swapped(False))

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
            ended[item.nodeid] = "running"
            start(own_places[item.nodeid][0])
            try:
                result = yield
            except BaseException:
                ended[item.nodeid] = "raised"
                raise
            ended[item.nodeid] = "returned"
            return result

        @pytest.hookimpl(wrapper=True, tryfirst=True)
        def pytest_runtest_makereport(item, call):
            report = yield
            outcome = report.outcome
            if ended.get(item.nodeid) == "running":  # a subtest; what has failed is said below
                return report
            proven = None
            if outcome == "passed" and call.when == "call":
                proven = ended_by_itself(*own_places[item.nodeid])
                if ended.get(item.nodeid) != "returned" or proven is False:
                    outcome = "failed"
            if has(report, "wasxfail"):
                outcome = "xfailed"
            elif outcome == "passed" and call.excinfo is not None:
                outcome = "failed"
            if call.when == "call":
                function, _ = tests[item.nodeid]
                check((function is None or item.function is function) and hooked() and not swapped(False))
                check(proven or intact())  # who has come to the end of a test needs nothing of pytest for it
            send(f"{call.when} {index[item.nodeid]} {outcome}")
            if call.when == "teardown":
                disarm()
            return report

        @pytest.hookimpl(tryfirst=True)
        def pytest_runtest_logreport(report):
            if type_(report) is not test_report and report.outcome == "failed":  # a subtest
                send(f"extra {index[report.nodeid]} failed")

        @pytest.hookimpl(wrapper=True, tryfirst=True)
        def pytest_sessionfinish(session, exitstatus):
            try:
                yield
            finally:
                check(hooked() and intact() and not swapped(True))
                send(f"finish {int_(exitstatus)} {run}")
                exit_now(int_(exitstatus))  # what the code under test wants to do at exit is of no interest

        # No class: `object.__subclasses__()` would lead to it, and from there to everything here.
        hooks_here = locals()
        plugin = types.ModuleType("recorder")
        vars(plugin).update({k: _closed(v) for k, v in hooks_here.items() if k.startswith("pytest_")})
        return plugin

    plugins.register(recorder(), "grading-recorder")
    known += hooks()


def _closed(hook):
    """A hook that does the same and has no closure: whoever gets at the plugin manager finds it."""
    names = ", ".join(inspect.signature(hook).parameters)
    word = "yield from" if inspect.isgeneratorfunction(hook) else ""
    tree = ast.parse(f"def {hook.__name__}({names}):\n    return ({word} None({names}))")
    marker = secrets.token_hex(16)
    call = next(node for node in ast.walk(tree) if isinstance(node, ast.Call))
    call.func = ast.copy_location(ast.Constant(f"\0{marker}"), call.func)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        code = compile(tree, __file__, "exec")
    code = alma_grading_rewrite.planted(code, {"hook": f"\0{marker}"}, {"hook": hook})
    inner = next(constant for constant in code.co_consts if isinstance(constant, types.CodeType))
    closed = types.FunctionType(inner, {"__builtins__": {}})
    closed.pytest_impl = hook.pytest_impl
    return closed


def _hook_looks(plugins):
    """``hooks()``: what calls hooks, every implementation and its function; ``file_of(thing)``: where one of these is
    written, None when that is nowhere."""
    vars_, getattr_, callers = vars, getattr, vars(plugins.hook)
    abspath, isfile = os.path.abspath, os.path.isfile

    def hooks():
        found = [plugins.hook, vars_(plugins).get("_inner_hookexec")]
        for caller in callers.values():
            found.append(caller._hookexec.__func__)
            for hook in caller._hookimpls:
                found += (hook, hook.function)
        return found

    def file_of(thing):
        code = getattr_(getattr_(thing, "function", thing), "__code__", None)
        name = abspath(code.co_filename) if code else ""
        return name if isfile(name) else None

    return hooks, file_of


def _place(test):
    """(file, qualified name) of a test's function."""
    file, _, name = test.partition("::")
    return os.path.realpath(file), name.partition("[")[0].replace("::", ".")


@pytest.hookimpl(tryfirst=True)
def pytest_load_initial_conftests(early_config):
    """Before the first conftest: from here on foreign code may run."""
    orders, send = _open_channel()
    plugins = early_config.pluginmanager
    send("hello")
    hurt = False

    def tampered():
        nonlocal hurt
        if not hurt:
            hurt = True
            send("tampered")

    grader = [name for name in sys.modules if name.startswith("alma_grading_")]
    for name in (*alma_grading_watch.NATIVE_MODULES, *grader):
        for loaded in [key for key in sys.modules if key == name or key.startswith(f"{name}.")]:
            del sys.modules[loaded]
    places = _places(orders)
    trees, kept = _trusted(orders, places)
    judges = alma_grading_judge.make_judge(places)
    alma_grading_judge.believe_no_chameleon(*judges[:2])
    surveys = alma_grading_rewrite.surveys(trees)
    wanted = {name for found in surveys.values() for name in found.modules}
    library = alma_grading_library.make_library(places, {name.partition(".")[0] for name in wanted})
    names = alma_grading_names.make_names(library, places, trees, os.getcwd(), judges, tampered)
    canaries = {os.path.realpath(name): canary for name, canary in orders.pop("canaries").items()}
    load = alma_grading_tests.lend(trees, surveys, kept, canaries, names, places)
    sys.meta_path.insert(0, alma_grading_tests.make_finder(frozenset(trees), kept, load))
    recoded, note_code = alma_grading_watch.code_changes()
    # These would hand the configuration, and with it this plugin, to whoever looks into their modules.
    for name in ("debugging", "mark", "assertion", __name__):
        plugins.unregister(name=name)
    _recorder(orders, send, plugins, library.swapped, names, tampered, recoded)
    told = set()

    def report(what):
        if what not in told:
            told.add(what)
            send(f"refused {what.replace(' ', '-')}")

    alma_grading_watch.watch(places, report, note_code)
    # What the tests will import of libraries is known before the submission can put something in its place.
    library.load(wanted)


def _places(orders):
    absolute = {
        key: [os.path.abspath(name) for name in orders[key]] for key in ("changed", "excused", "sources")
    }
    return alma_grading_watch.make_places(
        absolute["changed"], absolute["excused"], absolute["sources"], os.getcwd()
    )


def _trusted(orders, places):
    """(syntax tree of each trusted file by path, those of them that are helpers of tests and stay on the disk)."""
    sources = {os.path.realpath(name): base64.b64decode(text) for name, text in orders.pop("sources").items()}
    kept = frozenset(places.helpers(sources))
    trees = {path: ast.parse(source, path) for path, source in sources.items()}
    for path in kept:
        try:
            with open(path, "rb") as file:
                trees[path] = ast.parse(file.read(), path)
        except (OSError, SyntaxError, ValueError):
            kept -= {path}
    return trees, kept
