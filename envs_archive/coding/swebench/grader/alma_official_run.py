"""Inside the sandbox, under the environment's Python (3.6 and later): runs the tests and reports them privately.

    python alma_official_run.py module|script|unittest WORDS...

`module` is `python -m pytest WORDS`, `script` is `pytest WORDS`, `unittest` runs the Python file WORDS[0]. Every record
is one line of JSON and its signature; the key comes over the channel, stays in a closure and is gone from there before
any code under test is loaded. What is used afterwards is bound before.

Records: hello | python, pytest: versions, verbose: how | test: an outcome, error: a collection | printed: a line |
unittest: a piece of its verbose log | tampered | finish: exit code, number of records before it
"""

import fcntl
import hashlib
import json
import os
import runpy
import sys
import types
import unittest
import zlib

CHANNEL = 3
STATUSES = ("FAILED", "PASSED", "SKIPPED", "ERROR", "XFAIL")
MOST_PRINTED = 2000
MOST_CHARACTERS = 500


def open_channel():
    """(orders, send): reads the orders and moves the channel to a descriptor of another number."""
    received = b""
    while True:
        part = os.read(CHANNEL, 65536)
        if not part:
            break
        received += part
    orders = json.loads(zlib.decompress(received).decode())
    descriptor = fcntl.fcntl(CHANNEL, fcntl.F_DUPFD_CLOEXEC, 200 + os.urandom(1)[0])
    os.close(CHANNEL)
    signer = hashlib.blake2b(key=bytes.fromhex(orders.pop("key")), digest_size=32)
    count = [0]
    write, getpid, mine, dumps = os.write, os.getpid, os.getpid(), json.JSONEncoder().encode

    def send(kind, **fields):
        if getpid() != mine:  # a child that a test has forked
            return
        fields["kind"], fields["n"] = kind, count[0]
        count[0] += 1
        line = dumps(fields).encode("ascii")
        signature = signer.copy()
        signature.update(line)
        data = line + b" " + signature.hexdigest().encode("ascii") + b"\n"
        while data:
            data = data[write(descriptor, data) :]

    return orders, send


def first_line(text):
    return str(text).strip().split("\n")[0][:MOST_CHARACTERS]


def last_line(text):
    lines = [line for line in str(text).split("\n") if line.startswith("E ")] or str(text).strip().split("\n")
    return first_line(lines[-1].replace("E  ", "", 1))


def skip_reason(longrepr):
    """As pytest's verbose lines give it."""
    reason = str(longrepr[2]) if isinstance(longrepr, tuple) else ""
    return (
        ""
        if reason == "Skipped"
        else reason[len("Skipped: ") :]
        if reason.startswith("Skipped: ")
        else reason
    )


def type_of_reports(pytest):
    if hasattr(pytest, "TestReport"):
        return pytest.TestReport
    import _pytest.runner

    return _pytest.runner.TestReport


def make_plugin(orders, send, pytest):
    """The plugin, made of closures: nothing that code under test can reach leads to the channel."""
    made = {}
    printed = [0]
    files = frozenset(os.path.abspath(name) for name in orders["changed"])
    report_type = type_of_reports(pytest)
    state = {"config": None}

    def hooks():
        """Whether a file of the submission has registered any hook."""
        for caller in vars(state["config"].pluginmanager.hook).values():
            for hook in caller.get_hookimpls() if hasattr(caller, "get_hookimpls") else ():
                code = getattr(hook.function, "__code__", None)
                if code is not None and os.path.abspath(code.co_filename) in files:
                    return True
        return False

    def relative(nodeid):
        config = state["config"]
        return config.cwd_relative_nodeid(nodeid) if hasattr(config, "cwd_relative_nodeid") else nodeid

    def pytest_configure(config):
        state["config"] = config
        try:
            style = config.getini("console_output_style")
        except (ValueError, KeyError):
            style = "classic"
        send("session", pytest=pytest.__version__, verbose=int(config.getoption("verbose") or 0), style=style)

    def pytest_runtest_makereport(item, call):
        outcome = yield
        report = outcome.get_result()
        made[id(report)] = (report, call.excinfo is not None)
        if files and call.when == "call" and hooks():
            send("tampered")

    def pytest_runtest_logreport(report):
        known = made.pop(id(report), None)
        if type(report) is not report_type:  # a subtest: pytest's summary does not name it as a test
            return
        word = None
        if known is None:
            send("tampered")  # nobody else may make reports
            return
        if hasattr(report, "wasxfail"):
            word = "XPASS" if report.outcome == "passed" else "XFAIL" if report.outcome == "skipped" else None
        elif report.outcome == "passed":
            word = "PASSED" if report.when == "call" else None
            if known[1]:
                word = "FAILED"
        elif report.outcome == "skipped":
            word = "SKIPPED"
        if word is None and report.outcome == "failed":
            word = "FAILED" if report.when == "call" else "ERROR"
        if word is None:
            return
        told = getattr(report, "wasxfail", "")
        if word in ("FAILED", "ERROR"):
            told = getattr(getattr(report.longrepr, "reprcrash", None), "message", None) or ""
        elif word == "SKIPPED":
            told = skip_reason(report.longrepr)
        if word in ("PASSED", "FAILED", "ERROR"):  # of the others pytest shows no output
            for _, content in report.sections:
                tell(content)
        send(
            "test",
            id=relative(report.nodeid),
            word=word,
            when=report.when,
            told=first_line(told),
            why=last_line(report.longrepr),
        )

    def tell(content):
        """Some expected ids are no tests: lines of a pytest that a test has run, which a log parser took for them."""
        for line in content.split("\n"):
            if line.startswith(STATUSES) and printed[0] < MOST_PRINTED:
                printed[0] += 1
                send("printed", line=line[:MOST_CHARACTERS])

    def pytest_collectreport(report):
        if report.outcome == "failed":
            send("error", id=relative(report.nodeid), told="", why=last_line(report.longrepr))

    plugin = types.ModuleType("official_recorder")
    wrapper = pytest.hookimpl(hookwrapper=True, tryfirst=True)
    first = pytest.hookimpl(tryfirst=True)
    plugin.pytest_configure = first(pytest_configure)
    plugin.pytest_runtest_makereport = wrapper(pytest_runtest_makereport)
    plugin.pytest_runtest_logreport = first(pytest_runtest_logreport)
    plugin.pytest_collectreport = first(pytest_collectreport)
    return plugin


def run_pytest(orders, send, words):
    sys.argv = ["pytest", *words]
    import pytest

    return pytest.main(words, plugins=[make_plugin(orders, send, pytest)])


def record_unittest(send):
    """Tell the pieces of unittest's verbose log: what stands on the terminal, without what tests print between."""
    result = unittest.TextTestResult

    def telling(method, text):
        def told(self, test, *arguments):
            send("unittest", text=text(self, test, *arguments))
            return method(self, test, *arguments)

        return told

    result.startTest = telling(result.startTest, lambda self, test: self.getDescription(test) + " ... ")
    ends = {
        "addSuccess": "ok\n",
        "addError": "ERROR\n",
        "addFailure": "FAIL\n",
        "addExpectedFailure": "expected failure\n",
        "addUnexpectedSuccess": "unexpected success\n",
    }
    for name, text in ends.items():
        setattr(result, name, telling(getattr(result, name), lambda self, *_, text=text: text))
    result.addSkip = telling(result.addSkip, lambda self, test, reason: f"skipped {reason!r}\n")
    add_subtest = result.addSubTest

    def told_subtest(self, test, subtest, err):
        if err is not None:
            end = "FAIL" if issubclass(err[0], test.failureException) else "ERROR"
            send("unittest", text=f"\n  {self.getDescription(subtest)} ... {end}\n")
        return add_subtest(self, test, subtest, err)

    result.addSubTest = told_subtest
    print_list = result.printErrorList

    def told_list(self, flavour, errors):
        for test, _ in errors:
            send("unittest", text=f"{flavour}: {self.getDescription(test)}\n")
        return print_list(self, flavour, errors)

    result.printErrorList = told_list


def main():
    orders, send = open_channel()
    how, words = sys.argv[1], sys.argv[2:]
    del sys.path[0]
    send("hello", python=".".join(map(str, sys.version_info[:3])))
    flush = (sys.stdout.flush, sys.stderr.flush)
    exit_now = os._exit
    code = 1
    try:
        if how == "unittest":
            record_unittest(send)
            sys.argv = words
            sys.path.insert(0, os.path.dirname(os.path.abspath(words[0])))
            runpy.run_path(words[0], run_name="__main__")
            code = 0
        else:
            if how == "module":
                sys.path.insert(0, os.getcwd())
            code = int(run_pytest(orders, send, words))
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
    send("finish", code=code)
    for stream in flush:
        try:
            stream()
        except Exception:
            pass
    exit_now(code & 0xFF)  # what the code under test wants to do at exit is of no interest


if __name__ == "__main__":
    main()
