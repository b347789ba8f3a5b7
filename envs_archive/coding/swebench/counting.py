"""Counts tests as the SWE-bench harness does.

Its facts (swebench 5.0.2, `harness/log_parsers/python.py` and `harness/grading.py`) in our words: each repository has a
parser that makes a map "test -> status" of a log, the last line about a test wins; a FAIL_TO_PASS test must be PASSED
or XFAIL there, a PASS_TO_PASS test may also be SKIPPED; a test that is not in the map has failed. Ids are what a parser
leaves of them: most cut them at the first space. An expected id that was cut within its brackets stands for all tests
that begin with it, as long as they agree. `tests/bench/swebench_counts.py` compares all this with the package itself.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

STATUSES = ("FAILED", "PASSED", "SKIPPED", "ERROR", "XFAIL")
_PASSING = ("PASSED", "XFAIL")
_COLOUR = re.compile(r"\[\d+m")
_CONTROLS = {code: None for code in range(1, 32)}
_SKIP_COUNT = re.compile(r"\[\d+\]")
_OPTION = re.compile(r"(.*?)\[(.*)\]")

Statuses = dict[str, str]


class Counts(NamedTuple):
    """The expected tests that count as kept or repaired, in the order of the lists."""

    fail_to_pass: list[str]
    pass_to_pass: list[str]


def count(statuses: Statuses, fail_to_pass: Sequence[str], pass_to_pass: Sequence[str]) -> Counts:
    """What of the expected tests counts as passed."""
    return Counts(
        [test for test in fail_to_pass if _status(test, statuses) in _PASSING],
        [test for test in pass_to_pass if _status(test, statuses) in (*_PASSING, "SKIPPED")],
    )


def _status(test: str, statuses: Statuses) -> str | None:
    if test in statuses:
        return statuses[test]
    if test.count("[") <= test.count("]"):
        return None
    begun = [status for name, status in statuses.items() if name.startswith(test)]
    agree = len({status in _PASSING for status in begun}) == 1
    return begun[0] if agree else None


def _words(line: str) -> list[str]:
    """The words of a line that tells a test's status; none for other lines, and for a count of skipped tests."""
    if not line.startswith(STATUSES):
        return []
    words = (line.replace(" - ", " ") if line.startswith("FAILED") else line).split()
    counts_skipped = len(words) > 1 and words[0] == "SKIPPED" and _SKIP_COUNT.fullmatch(words[1])
    return [] if len(words) < 2 or counts_skipped else words


def _each(lines: Iterable[str]) -> Iterator[tuple[str, str]]:
    return ((words[1], words[0]) for line in lines if (words := _words(line)))


def _pytest(lines: Iterable[str]) -> Statuses:
    return dict(_each(lines))


def _pytest_options(lines: Iterable[str]) -> Statuses:
    """A path as parameter is cut to its last part: it differs between machines."""
    return {_short_path(test): status for test, status in _each(lines)}


def _short_path(test: str) -> str:
    found = _OPTION.search(test)
    if found is None:
        return test
    name, option = found.groups()
    if option.startswith("/") and not option.startswith("//") and "*" not in option:
        option = "/" + option.rpartition("/")[2]
    return f"{name}[{option}]"


def _pytest_v2(lines: Iterable[str]) -> Statuses:
    """Ids with their spaces; also from the lines of a verbose run, at whose end the status is."""
    found: Statuses = {}
    for line in lines:
        line = _COLOUR.sub("", line).translate(_CONTROLS)
        if line.startswith(STATUSES):
            words = (line.partition(" - ")[0] if line.startswith("FAILED") else line).split()
            if len(words) >= 2 and not (words[0] == "SKIPPED" and _SKIP_COUNT.fullmatch(words[1])):
                found[" ".join(words[1:])] = words[0]
        elif line.endswith(STATUSES):
            words = line.split()
            if len(words) >= 2:
                found[" ".join(words[:-1])] = words[-1]
    return found


def _matplotlib(lines: Iterable[str]) -> Statuses:
    buttons = (("MouseButton.LEFT", "1"), ("MouseButton.RIGHT", "3"))

    def renamed(line: str) -> str:
        for name, number in buttons:
            line = line.replace(name, number)
        return line

    return _pytest(map(renamed, lines))


def _seaborn(lines: Iterable[str]) -> Statuses:
    """Knows only PASSED and FAILED."""
    found: Statuses = {}
    for line in lines:
        words = line.split()
        if len(words) < 2:
            continue
        if line.startswith("FAILED"):
            found[words[1]] = "FAILED"
        elif " PASSED " in line:
            if words[1] == "PASSED":
                found[words[0]] = "PASSED"
        elif line.startswith("PASSED"):
            found[words[1]] = "PASSED"
    return found


_UNITTEST_ENDS = {
    " ... ok": "PASSED",
    " ... OK": "PASSED",
    " ...  OK": "PASSED",
    " ... FAIL": "FAILED",
    " ... ERROR": "ERROR",
}
_DJANGO_NOISE = re.compile(
    r"^(.*?)\s\.\.\.\s(?:Testing against Django installed in (?:(?s:.*?)) silenced\)\."
    r"|Internal Server Error: /(?:.*)/"
    r"|System check identified no issues \(0 silenced\))\nok$",
    re.MULTILINE,
)
_DJANGO_VERSION = "--version is equivalent to version"
_DJANGO_APPLYING = "Applying sites.0002_alter_domain_unique...test_no_migrations"


def _django(lines: Iterable[str]) -> Statuses:
    """Lines of unittest's verbose run; a test with a docstring goes by the docstring's first line."""
    log = list(lines)
    found: Statuses = {}
    begun = None
    for line in map(str.strip, log):
        if _DJANGO_VERSION in line:
            found[_DJANGO_VERSION] = "PASSED"
        if " ... " in line:
            begun = line.partition(" ... ")[0]
        end = next((end for end in _UNITTEST_ENDS if line.endswith(end)), None)
        if " ... skipped" in line:
            found[line.partition(" ... skipped")[0]] = "SKIPPED"
        if end is not None:
            if _UNITTEST_ENDS[end] == "PASSED" and line.startswith(_DJANGO_APPLYING):
                line = line.partition("...")[2].strip()
            name = line.rpartition(end)[0] if _UNITTEST_ENDS[end] == "PASSED" else line.partition(end)[0]
            found[name] = _UNITTEST_ENDS[end]
        for mark, status in (("FAIL:", "FAILED"), ("ERROR:", "ERROR")):
            if line.startswith(mark) and len(words := line.split()) > 1:
                found[words[1]] = status
        if line.startswith("ok") and begun is not None:  # the test has printed something in between
            found[begun] = "PASSED"
    found |= {match[1]: "PASSED" for match in _DJANGO_NOISE.finditer("\n".join(log))}
    return found


def _sympy(lines: Iterable[str]) -> Statuses:
    """Names of functions, without their files."""
    log = list(lines)
    failures = re.findall(r"_* (.*)\.py:(.*) _*", "\n".join(log))
    found: Statuses = {f"{file}.py:{test}": "FAILED" for file, test in failures}
    ends = {" E": "ERROR", " F": "FAILED", " ok": "PASSED"}
    for line in map(str.strip, log):
        if line.startswith("test_"):
            found |= {line.split()[0]: status for end, status in ends.items() if line.endswith(end)}
    return found


PARSERS: dict[str, Callable[[Iterable[str]], Statuses]] = {
    "pytest": _pytest,
    "pytest_options": _pytest_options,
    "pytest_v2": _pytest_v2,
    "matplotlib": _matplotlib,
    "seaborn": _seaborn,
    "django": _django,
    "sympy": _sympy,
}
_SAME_AS = {
    **dict.fromkeys(("astroid", "flask", "marshmallow", "pvlib", "pyvista", "sqlfluff", "xarray"), "pytest"),
    **dict.fromkeys(("pydicom", "requests", "pylint"), "pytest_options"),
    **dict.fromkeys(("astropy", "scikit", "sphinx"), "pytest_v2"),
}
_OF_REPOSITORY = {"scikit-learn": "scikit", "pvlib-python": "pvlib"}


def parser_of(log_parser: str, repo: str) -> str:
    """The name in PARSERS that counts for a row: by its field ``log_parser``, in older data by its repository.

    A repository that the harness does not know is counted as pytest's.

    Raises:
        ValueError: the row's parser is none of those for Python.
    """
    name = repo.rpartition("/")[2].lower()
    asked = log_parser.removeprefix("parse_log_") or _OF_REPOSITORY.get(name, name)
    found = _SAME_AS.get(asked, asked)
    if found in PARSERS:
        return found
    if log_parser:
        raise ValueError(f"its log parser {log_parser} is none of those for Python tests")
    return "pytest"
