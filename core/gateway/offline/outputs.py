"""Reading the output of test runs, whole or cut short."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

_EXIT = re.compile(r"exit(?:ed)?(?: with)?(?: code| status)?[ :=]+(-?\d+)|return ?code[ :=]+(-?\d+)", re.I)
_PASSED = re.compile(r"\b(\d+) passed\b")
_FAILED = re.compile(r"\b(\d+) (?:failed|errors?)\b")
_UNITTEST_OK = re.compile(r"^Ran \d+ tests? in .*\n+OK\b", re.M)
_UNITTEST_BAD = re.compile(r"^FAILED \((?:failures|errors)=", re.M)
_TIMED_OUT = re.compile(r"\btimed out\b", re.I)
_TEST_COMMAND = re.compile(r"\b(?:pytest|py\.test|unittest|tox|nosetests?)\b")
_SHORT = re.compile(r"^(?:FAILED|ERROR) (\S+?::\S+?)(?: - (.*))?$", re.M)
_SECTION = re.compile(r"^_{3,} (?:ERROR at \w+ of )?([A-Za-z_][\w.]*(?:\[[^\n]*?\])?) _{3,}$", re.M)
_E_LINE = re.compile(r"^E   +(\S.*)$", re.M)
_UNITTEST = re.compile(r"^(?:FAIL|ERROR): (\w+)", re.M)
_ERROR_LINE = re.compile(r"^(\w+(?:Error|Exception|Warning|Interrupt|Iteration)\b.*)$", re.M)
_MAX_ERROR = 120


@dataclass(frozen=True)
class TestRun:
    """One run of tests.

    Attributes:
        green: everything that ran passed.
        failures: first error line of each failing test, by the test's name without its file.
        explicit: the output itself counts tests, so that it is a test run whatever the command was.
    """

    __test__ = False  # not a test class, whatever pytest makes of the name

    green: bool
    failures: dict[str, str] = field(default_factory=dict)
    explicit: bool = False


def read_test_run(output: str, command: str = "") -> TestRun | None:
    """Return what a command's output says of tests, or None when it does not look like a run of tests."""
    passed, failed = _PASSED.search(output), _FAILED.search(output)
    bad = bool(failed or _UNITTEST_BAD.search(output))
    explicit = bool(passed or bad or _UNITTEST_OK.search(output))
    if not explicit and not _TEST_COMMAND.search(command):
        return None
    code = _EXIT.search(output[:400])
    exit_code = int(code.group(1) or code.group(2)) if code else None
    failures = _failures(output)
    if exit_code is None and not explicit and not failures:
        return None  # a test command with no output to judge by
    green = not bad and not failures and exit_code in (0, None) and not _TIMED_OUT.search(output[:200])
    return TestRun(green, failures, explicit)


def _failures(output: str) -> dict[str, str]:
    found: dict[str, str] = {}
    sections = list(_SECTION.finditer(output))
    for match, following in zip(sections, [*sections, None][1:], strict=True):
        end = following.start() if following else len(output)
        line = _E_LINE.search(output, match.end(), end)
        found[match.group(1)] = _tidy(line.group(1) if line else "")
    for match in _SHORT.finditer(output):
        name = match.group(1).split("::")[-1]
        if not found.get(name):
            found[name] = _tidy(match.group(2) or "")
    if not found:
        for match in _UNITTEST.finditer(output):
            line = _ERROR_LINE.search(output, match.end())
            found[match.group(1)] = _tidy(line.group(1) if line else "")
    return found


def _tidy(error: str) -> str:
    error = " ".join(error.split())
    if error.startswith("assert "):
        error = f"AssertionError: {error}"
    return error if len(error) <= _MAX_ERROR else error[: _MAX_ERROR - 1] + "…"
