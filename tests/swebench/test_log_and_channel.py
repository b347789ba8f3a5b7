"""What the private channel tells is what the harness would read out of the terminal, for every kind of outcome."""

import asyncio
from pathlib import Path

import pytest
from small_instance import TESTS, diff, make_row
from test_source import load

from envs_archive.coding.clean_tree import lay_out
from envs_archive.coding.grading_rooms import GradingRooms
from envs_archive.coding.swebench.counting import PARSERS
from envs_archive.coding.swebench.grading import grading_limits, run_tests
from envs_archive.coding.swebench.records import sympy_lines
from envs_archive.coding.swebench.sites import install, mounted
from envs_archive.coding.workspace import prepare_base
from evals.utils.sandbox import Limits

EVERY_KIND = """
import unittest
import pytest

@pytest.mark.parametrize("x", ["a b", "a - b", "/tmp/a/b", "[", ""])
def test_parameters(x):
    print("PASSED inner.py::test_printed")
    print("tests/test_shapes.py::test_printed PASSED")
    assert x != "a - b"

@pytest.fixture
def broken():
    raise ValueError("a - b")

@pytest.fixture
def leaving():
    yield
    raise ValueError

def test_setup(broken): pass
def test_teardown(leaving): pass
def test_both(leaving): assert False, "x\\ny"

@pytest.mark.xfail(reason="why - not")
def test_xfail():
    print("PASSED inner.py::test_unseen")
    assert False
@pytest.mark.xfail(run=False, reason="not run")
def test_xfail_unrun(): pass
@pytest.mark.xfail(strict=True)
def test_xpass_strict(): pass
@pytest.mark.xfail
def test_xpass(): pass
def test_imperative(): pytest.xfail("now")

@pytest.mark.skip(reason="here")
def test_skipped(): pass
def test_skips(): pytest.skip("there")

class TestUnit(unittest.TestCase):
    def test_ok(self): pass
    def test_bad(self): self.assertEqual(1, 2)
    @unittest.expectedFailure
    def test_expected(self): self.fail()
    @unittest.expectedFailure
    def test_unexpected(self): pass
    def test_parts(self):
        for i in range(3):
            with self.subTest(i=i):
                self.assertNotEqual(i, 1)
    @unittest.skip("no")
    def test_no(self): pass
"""


@pytest.mark.parametrize("options", ["-rA", "-rA -vv -o console_output_style=classic"])
def test_the_same_statuses_by_every_parser(options, place, tmp_path, best_kind):
    broken = "diff --git a/tests/test_broken.py b/tests/test_broken.py\nnew file mode 100644\n--- /dev/null\n"
    broken += "+++ b/tests/test_broken.py\n@@ -0,0 +1 @@\n+import nothing_of_that_name\n"
    command = f"pytest {options} --continue-on-collection-errors tests/test_shapes.py tests/test_broken.py"
    row = make_row(
        place[1],
        test_patch=diff("tests/test_shapes.py", TESTS, TESTS + EVERY_KIND) + broken,
        eval_script=f">>>>> Start Test Output\n{command}\n>>>>> End Test Output",
    )
    (task,) = load(place, [row]).tasks

    async def both():
        rooms = GradingRooms(best_kind, Limits())
        base = await prepare_base(task, tmp_path / "base", lambda tree: install(task, tree, best_kind, print))
        environment = mounted(task, base, best_kind)
        async with rooms.room_with(
            environment, (Path(__file__), "/run/x"), grading_limits(task), base
        ) as session:
            await lay_out(task, {}, session.workspace)
            log = (await session.run(command)).output
        return log, await run_tests(task, base, {}, rooms)

    log, found = asyncio.run(both())
    assert "Interrupted" not in log and found.ended == ""
    kinds = set()
    for name in ("pytest", "pytest_options", "pytest_v2", "matplotlib", "seaborn"):
        theirs = PARSERS[name](log.splitlines())
        ours = PARSERS[name](found.lines) | {k: v for k, v in theirs.items() if k.endswith("test_printed")}
        # This one keeps what a line says behind an id: the name of no test, so it decides nothing.
        if name == "pytest_v2":
            ours, theirs = ({k: v for k, v in m.items() if " - " not in k} for m in (ours, theirs))
        assert ours == theirs, name
        kinds |= set(theirs.values())
    assert kinds == {"PASSED", "FAILED", "ERROR", "XFAIL"}
    assert found.statuses["inner.py::test_printed"] == "PASSED"  # of no file of this tree
    assert "tests/test_shapes.py::test_printed" not in found.statuses
    assert "inner.py::test_unseen" not in found.statuses  # pytest shows no output of such


def test_sympys_runner_hides_the_last_test_of_each_file():
    ran = [
        ("a.py::test_a", "PASSED"),
        ("a.py::test_b", "FAILED"),
        ("a.py::test_c", "PASSED"),
        ("b.py::test_d", "FAILED"),
    ]
    assert PARSERS["sympy"](sympy_lines(ran)) == {
        "test_a": "PASSED",
        "test_b": "FAILED",
        "a.py:test_b": "FAILED",
        "b.py:test_d": "FAILED",
    }
