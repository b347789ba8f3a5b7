"""Runs inside the sandbox, in pytest: measures a repository's tests and reports them over the private channel.

Reads its orders from the channel (see ``suite.Orders``) and writes one compressed JSON object when the session ends.
"""

import importlib
import json
import os
import random
import re
import signal
import time
import traceback
import zlib

import pytest

CHANNEL = 3
MAX_TEXT = 400
MAX_TIMEOUTS = 3


class TestTooSlow(BaseException):
    """Ends a test that is over its time; no ``except Exception`` of the code under test catches it."""


def _read_orders():
    received = b""
    while part := os.read(CHANNEL, 65536):
        received += part
    return json.loads(zlib.decompress(received))


def _short(value):
    """``repr`` of a value, in one line and cut; the empty string when it has none that can be told again."""
    try:
        text = repr(value)
    except Exception:
        return ""
    return "" if re.search(r" at 0x[0-9a-f]+", text) or len(text) > MAX_TEXT else text


def _place(frame, line):
    """[path below the workspace, qualified name, line]; None for code of others."""
    path = os.path.relpath(frame.f_code.co_filename, os.getcwd())
    if path.startswith("..") or not path.endswith(".py"):
        return None
    code = frame.f_code
    return [path, getattr(code, "co_qualname", code.co_name), line]


class _Lines:
    """Lines that each test runs, measured with coverage.py: its contexts are the tests."""

    def __init__(self, files):
        # Its other core forgets a line once one test has run it.
        os.environ["COVERAGE_CORE"] = "ctrace"
        coverage = importlib.import_module("coverage")
        include = [os.path.join(os.getcwd(), name) for name in files]
        self.tool = coverage.Coverage(data_file=None, include=include, config_file=False, messages=False)
        self.tool.start()
        del os.environ["COVERAGE_CORE"]

    def switch(self, test):
        self.tool.switch_context(test)

    def result(self):
        """{file: {line: numbers of the tests}}, and the tests by number."""
        self.tool.stop()
        data = self.tool.get_data()
        tests, numbers = [], {}
        found = {}
        for file in data.measured_files():
            lines = {}
            for line, contexts in data.contexts_by_lineno(file).items():
                names = [name for name in contexts if name]
                for name in names:
                    if name not in numbers:
                        numbers[name] = len(tests)
                        tests.append(name)
                lines[line] = [numbers[name] for name in names]
            found[os.path.relpath(file, os.getcwd())] = lines
        return {"tests": tests, "files": found}


class _Recorder:
    def __init__(self, orders):
        self.orders = orders
        self.wanted = None if orders["ids"] is None else set(orders["ids"])
        self.outcomes, self.seconds, self.failures, self.errors = {}, {}, {}, {}
        self.compared = None
        self.timeouts = 0
        self.lines = _Lines(orders["measured"]) if orders["measured"] is not None else None
        signal.signal(signal.SIGALRM, self.too_slow)

    @staticmethod
    def too_slow(*_):
        raise TestTooSlow("over the time limit of one test")

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_make_collect_report(self, collector):
        report = yield
        if report.outcome == "failed":
            self.errors[report.nodeid or str(collector)] = str(report.longrepr)[-2000:]
        return report

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items):
        plain = [item for item in items if isinstance(item, pytest.Function)]
        names = [item.nodeid for item in plain]
        seen = (
            {name for name in names if names.count(name) == 1} if len(set(names)) < len(names) else set(names)
        )
        items[:] = [
            item
            for item in plain
            if item.nodeid in seen and (self.wanted is None or item.nodeid in self.wanted)
        ]
        if self.orders["reverse"]:
            items.reverse()
        if self.orders["shuffle"] is not None:
            random.Random(self.orders["shuffle"]).shuffle(items)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_protocol(self, item):
        self.compared = None
        if self.lines is not None:
            self.lines.switch(item.nodeid)
        signal.setitimer(signal.ITIMER_REAL, self.orders["limit"], 0.2)
        started = time.perf_counter()
        try:
            return (yield)
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            self.seconds[item.nodeid] = round(time.perf_counter() - started, 4)
            if self.lines is not None:
                self.lines.switch("")
            if self.timeouts >= MAX_TIMEOUTS:
                item.session.shouldstop = "too many tests are over their time"

    def pytest_assertrepr_compare(self, op, left, right):
        self.compared = [op, _short(left), _short(right)]

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_makereport(self, item, call):
        report = yield
        signal.setitimer(signal.ITIMER_REAL, 0)
        known = self.outcomes.get(item.nodeid)
        outcome = "xfailed" if hasattr(report, "wasxfail") else report.outcome
        if call.excinfo is not None and call.excinfo.errisinstance(TestTooSlow):
            outcome = "slow"
            self.timeouts += 1
        if known in (None, "passed") and (outcome != "passed" or call.when == "call"):
            self.outcomes[item.nodeid] = outcome
            if outcome == "failed" and call.excinfo is not None:
                self.failures[item.nodeid] = self.failure(item, call)
        return report

    def failure(self, item, call):
        """What a reader of the test's report would see."""
        error = call.excinfo.value
        places = [_place(frame, line) for frame, line in traceback.walk_tb(error.__traceback__)]
        own = os.path.relpath(str(item.path), os.getcwd())
        in_test = [place[2] for place in places if place and place[0] == own]
        function = getattr(item, "originalname", None) or item.name
        itself = [place[2] for place in places if place and place[0] == own and place[1].endswith(function)]
        message = str(error).strip()
        given = getattr(getattr(item, "callspec", None), "params", {})
        return {
            "phase": call.when,
            "type": type(error).__name__,
            "message": message[:MAX_TEXT],
            "line": in_test[-1] if in_test else None,
            "own_line": itself[-1] if itself else None,
            "places": [place for place in places if place],
            "compared": self.compared,
            "parameters": {name: _short(value) for name, value in given.items()},
        }

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self):
        report = {
            "outcomes": self.outcomes,
            "seconds": self.seconds,
            "failures": self.failures,
            "errors": self.errors,
            "lines": self.lines.result() if self.lines is not None else None,
        }
        with os.fdopen(CHANNEL, "wb") as channel:
            channel.write(zlib.compress(json.dumps(report).encode(), 1))


def pytest_load_initial_conftests(early_config):
    early_config.pluginmanager.register(_Recorder(_read_orders()), "planting-recorder")
