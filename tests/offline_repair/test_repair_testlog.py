"""Reading real pytest output."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from core.gateway.offline.repair.testlog import Frame, TestRun, comparison, parse_run

SOURCE = "def half(x):\n    return x / y\n\ndef third(x):\n    return x // 2\n"
TESTS = """from lib import half, third

def test_half():
    assert half(4) == 2

class TestThird:
    def test_third(self):
        value = third(9)
        assert value == 3

def test_fine():
    assert third(6) == 3
"""


def run(folder: Path, *options: str) -> TestRun:
    (folder / "lib.py").write_text(SOURCE)
    (folder / "test_lib.py").write_text(TESTS)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *options]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    return parse_run(done.stdout + done.stderr, done.returncode, False)


@pytest.mark.parametrize("style", ["auto", "short", "long"])
def test_failures_frames_and_errors(tmp_path: Path, style: str) -> None:
    found = run(tmp_path, f"--tb={style}")
    by_name = {f.function: f for f in found.failures}
    assert set(by_name) == {"test_half", "test_third"}
    assert found.passed == 1 and not found.green and found.collected
    assert Frame("lib.py", 2, "half") in by_name["test_half"].frames or any(
        f.path == "lib.py" and f.line == 2 for f in by_name["test_half"].frames
    )
    assert "NameError" in by_name["test_half"].error
    assert by_name["test_third"].test == "test_lib.py::TestThird::test_third"
    assert by_name["test_third"].failing_line == "assert value == 3"
    values = comparison(by_name["test_third"].error)
    assert values and (values.left, values.right) == (4, 3)


def test_the_long_form_carries_the_source_of_the_test(tmp_path: Path) -> None:
    body = {f.function: f for f in run(tmp_path).failures}["test_third"].body
    assert "value = third(9)" in body


def test_an_import_error_is_not_a_collected_run(tmp_path: Path) -> None:
    (tmp_path / "test_other.py").write_text("import missing_thing\n")
    found = run(tmp_path)
    assert not found.collected and found.failures and not found.green


def test_the_digest_ignores_times_and_addresses() -> None:
    a = parse_run("FAILED t.py::a - <x at 0x7f001122>\n1 failed in 0.10s", 1, False)
    b = parse_run("FAILED t.py::a - <x at 0x7f99aabb>\n1 failed in 9.99s", 1, False)
    c = parse_run("FAILED t.py::a - other\n1 failed in 0.10s", 1, False)
    assert a.digest == b.digest != c.digest


@pytest.mark.parametrize(
    ("error", "values"),
    [
        ("assert [1, 2] == [2, 1]", ([1, 2], [2, 1])),
        ("AssertionError: assert 'a == b' == 'c'", ("a == b", "c")),
        ("assert None is True", (None, True)),
    ],
)
def test_comparison_reads_literals(error: str, values: tuple) -> None:
    found = comparison(error)
    assert found and (found.left, found.right) == values


def test_comparison_of_objects_is_unknown() -> None:
    assert comparison("assert <A object> == 3") is None
