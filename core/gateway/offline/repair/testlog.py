"""Reading pytest output: which tests failed, with which error, through which frames."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import zip_longest

MOST_SAMPLES = 12


@dataclass(frozen=True)
class Frame:
    """One traceback line: a file of the workspace, a 1-based line, and the function when it is given."""

    path: str
    line: int
    function: str = ""


@dataclass(frozen=True)
class Failure:
    """One failing test. `body` is the source pytest printed for the test, "" when it printed none."""

    test: str
    error: str = ""
    frames: tuple[Frame, ...] = ()
    body: str = ""
    failing_line: str = ""

    @property
    def function(self) -> str:
        return self.test.rpartition("::")[2].partition("[")[0]

    @property
    def path(self) -> str:
        return self.test.partition("::")[0]


@dataclass(frozen=True)
class TestRun:
    """One run of the tests. `green` means: it ran, something passed or exit code 0, nothing failed."""

    __test__ = False
    failures: tuple[Failure, ...]
    passed: int
    collected: bool
    timed_out: bool
    exit_code: int | None
    digest: str  # the failures as text without times and addresses, to see whether an edit changed anything

    @property
    def green(self) -> bool:
        return self.exit_code == 0 and not self.failures and not self.timed_out

    @cached_property
    def samples(self) -> tuple[Failure, ...]:
        """A few failing tests that speak for all: of each test file in turn."""
        by_file: dict[str, list[Failure]] = {}
        for failure in self.failures:
            by_file.setdefault(failure.path, []).append(failure)
        in_turn = [f for rank in zip_longest(*by_file.values()) for f in rank if f is not None]
        return tuple(in_turn[:MOST_SAMPLES])

    @property
    def failing(self) -> frozenset[str]:
        return frozenset(f.test for f in self.failures)


_SUMMARY = re.compile(r"^(FAILED|ERROR) ([^\s]+?(?:\[.*?\])?)(?: - (.*))?$", re.M)
_BLOCK = re.compile(r"^_{3,} (?:ERROR (?:collecting|at (?:setup|teardown) of) )?(.+?) _{3,}$", re.M)
_SECTION = re.compile(r"^={5,} ?(.*?) ?=*$", re.M)
_FRAME = re.compile(r"^((?:[^\s:>][^:\n]*)?\.py):(\d+): (?:in (\S+)|(\w[\w.]*)|)\s*$", re.M)
_NATIVE = re.compile(r'File "([^"\n]+\.py)", line (\d+)(?:, in (\S+))?')
_PASSED = re.compile(r"(\d+) passed")
_NOISE = re.compile(r"0x[0-9a-f]{6,}|in \d+\.\d+s(?: \([^)]*\))?|\d+\.\d+s (?:call|setup|teardown)")


def _clean(path: str) -> str:
    return path.removeprefix("/workspace/").removeprefix("./")


def _blocks(text: str) -> dict[str, str]:
    marks = list(_BLOCK.finditer(text))
    ends = [m.start() for m in marks[1:]] + [len(text)]
    out: dict[str, str] = {}
    for mark, end in zip(marks, ends, strict=False):
        body = text[mark.end() : end]
        cut = _SECTION.search(body)
        out.setdefault(mark.group(1).strip(), body[: cut.start()] if cut else body)
    return out


def _frames(body: str) -> tuple[Frame, ...]:
    out = [Frame(_clean(m[1]), int(m[2][:9]), m[3] or "") for m in _FRAME.finditer(body)]
    out += [Frame(_clean(m[1]), int(m[2][:9]), m[3] or "") for m in _NATIVE.finditer(body)]
    return tuple(out)


def _failure(test: str, message: str, body: str) -> Failure:
    errors = re.findall(r"^E   ?(.*)$", body, re.M)
    first = next((i for i, e in enumerate(errors) if e.strip()), 0)
    error = "\n".join(e.strip() for e in errors[first : first + 12]) or message
    # In the long form the first chunk, up to its frame line, is the source of the test itself.
    first_frame = _FRAME.search(body)
    chunk = body[: first_frame.start()] if first_frame else body
    source = "\n".join(line[4:] for line in chunk.splitlines() if line.startswith(("    ", ">   ")))
    pointed = re.findall(r"^>\s+(.*)$", chunk, re.M)
    if not pointed:  # short form: "path:line: in test" followed by the source line
        short = re.search(rf"in {re.escape(test.rpartition('::')[2].partition('[')[0])}\n    (.+)", body)
        pointed = [short.group(1)] if short else []
    return Failure(test, error, _frames(body), source, pointed[-1].strip() if pointed else "")


@lru_cache(maxsize=1024)
def parse_run(text: str, exit_code: int | None, timed_out: bool) -> TestRun:
    """Parse merged pytest output in any of its traceback styles; other runners give just red or green."""
    blocks = _blocks(text)
    failures: dict[str, Failure] = {}
    for match in _SUMMARY.finditer(text):
        test = _clean(match.group(2))
        name = test.partition("::")[2].replace("::", ".")
        body = blocks.get(name) or blocks.get(test) or ""
        failures.setdefault(test, _failure(test, match.group(3) or "", body))
    if not failures:  # the summary was cut off or the run was killed: fall back on the blocks
        for name, body in blocks.items():
            frames = _frames(body)
            path = frames[0].path if frames else ""
            if re.search(r"^E  ", body, re.M):
                test = f"{path}::{name.replace('.', '::')}"
                failures[test] = _failure(test, "", body)
    passed = _PASSED.search(text)
    collected = exit_code in (0, 1) and not re.search(
        r"^E? *ERROR collecting|Interrupted: \d+ error", text, re.M
    )
    digest = "\n".join(sorted(f"{f.test} {_NOISE.sub('', f.error)}" for f in failures.values()))
    return TestRun(
        failures=tuple(failures.values()),
        passed=int(passed.group(1)) if passed else 0,
        collected=collected,
        timed_out=timed_out,
        exit_code=exit_code,
        digest=digest or (f"exit {exit_code}" if exit_code != 0 else ""),
    )


@dataclass(frozen=True)
class Comparison:
    """The two sides of a failed `assert a == b` as pytest shows them, when both are plain literals."""

    left: object
    right: object


_ASSERT_EQ = re.compile(
    r"^(?:AssertionError: )?assert (.+?) (==|!=|is|in|<=|>=|<|>|is not|not in) (.+)$", re.M
)


def _literal(text: str) -> object:
    text = text.strip()
    for candidate in (text, text.partition(" +  where")[0]):
        try:
            return ast.literal_eval(candidate)
        except (ValueError, SyntaxError, MemoryError, RecursionError, TypeError):
            continue
    return NotImplemented


@lru_cache(maxsize=1024)
def comparison(error: str) -> Comparison | None:
    """The values behind an assertion message, or None when they cannot be read."""
    for match in _ASSERT_EQ.finditer(error):
        line = match.group(0).removeprefix("AssertionError: ")[len("assert ") :]
        operator = match.group(2)
        # The first operator may sit inside a string: try every split and keep the first that parses.
        for split in re.finditer(rf" {re.escape(operator)} ", line):
            left, right = _literal(line[: split.start()]), _literal(line[split.end() :])
            if left is not NotImplemented and right is not NotImplemented:
                return Comparison(left, right)
    return None
