"""What a submission is worth, in odd cases too; tests/cheats has those that try to be worth more."""

import asyncio
import dataclasses
import json

import pytest
from env_project import BUGGY, FAIL_TO_PASS, FILES, FIXED, HOOK, NOP_REWARD, TASK

from envs_archive.coding import grading_rooms
from envs_archive.coding.grading import changes_from_patch, grade
from envs_archive.coding.grading_rooms import GradingRooms
from envs_archive.coding.workspace import PatchError, changed_files, make_workspace, prepare_base
from evals.utils.sandbox import Limits, SandboxKind

LIMITS = Limits(wall_s=30)


def grade_once(base, changes, kind, task=TASK, limits=LIMITS):
    """In a room of its own."""

    async def once():
        rooms = GradingRooms(kind, limits)
        try:
            return await grade(task, base, changes, rooms)
        finally:
            await rooms.close()

    return asyncio.run(once())


def graded(base, changes, kind, task=TASK, limits=LIMITS):
    encoded = {k: v.encode() if isinstance(v, str) else v for k, v in changes.items()}
    verdict = grade_once(base, encoded, kind, task, limits)
    assert verdict.error is None
    return verdict


def test_gold_and_nop_in_both_kinds(base, kind):
    gold = asyncio.run(changes_from_patch(base, TASK.patch))
    assert gold == {"shapes/area.py": FIXED.encode()}
    verdict = graded(base, gold, kind)
    assert (verdict.reward, verdict.resolved, verdict.f2p_rate, verdict.p2p_rate) == (1.0, True, 1.0, 1.0)
    assert verdict.flags == []
    verdict = graded(base, {}, kind)
    assert (verdict.reward, verdict.resolved, verdict.f2p_rate, verdict.p2p_rate) == (
        NOP_REWARD,
        False,
        0.0,
        1.0,
    )


def test_an_overfitted_patch_is_seen_by_the_hidden_test(base, best_kind):
    changes = {"shapes/area.py": BUGGY.replace("return", "return 12 if (width, height) == (3, 4) else")}
    verdict = graded(base, changes, best_kind)
    assert (verdict.reward, verdict.f2p_rate) == (4 / 5, 0.5)


@pytest.mark.parametrize("deaf", ["", "signal.signal(signal.SIGALRM, signal.SIG_IGN)"], ids=["plain", "deaf"])
def test_an_endless_loop_costs_its_own_tests_only(deaf, base, best_kind):
    source = (
        "import signal\n"
        "def area(width, height):\n"
        f"    {deaf}\n"
        "    while width == 2:\n"
        "        pass\n"
        "    return width * height\n"
    )
    verdict = graded(base, {"shapes/area.py": source}, best_kind, limits=Limits(wall_s=10))
    assert verdict.reward == 4 / 5  # only the hidden test asks for a width of 2


def test_the_total_limit_holds(base, best_kind):
    verdict = graded(
        base, {"shapes/area.py": "import time\ntime.sleep(60)\n"}, best_kind, limits=Limits(wall_s=4)
    )
    assert verdict.reward == 0.0
    assert verdict.seconds < 15


def test_a_crash_in_one_test_leaves_the_others(base, best_kind):
    source = (
        "import os\ndef area(width, height):\n    if width == 2: os._exit(0)\n    return width * height\n"
    )
    verdict = graded(base, {"shapes/area.py": source}, best_kind)
    assert verdict.reward == 4 / 5


ODD_TESTS = """\
import pytest
def test_pass(): pass
@pytest.mark.xfail
def test_xfail(): assert False
@pytest.mark.xfail
def test_xpass(): pass
@pytest.mark.skip
def test_skip(): pass
@pytest.fixture
def bad():
    yield
    assert False
def test_teardown(bad): pass
@pytest.mark.parametrize('x', ['a b', '\u00e4', '1::2'])
def test_names(x): pass
class TestGroup:
    def test_method(self): pass
"""


@pytest.mark.parametrize(
    ("good", "names"),
    [
        (
            True,
            [
                "test_pass",
                "test_names[a b]",
                "test_names[\\xe4]",
                "test_names[1::2]",
                "TestGroup::test_method",
            ],
        ),
        (False, ["test_xfail", "test_xpass", "test_skip", "test_teardown", "test_missing", "test_names[1"]),
    ],
    ids=["passed", "anything else"],
)
def test_only_passed_is_passed(good, names, tmp_path, best_kind):
    ids = tuple(f"tests/test_shapes.py::{name}" for name in names)
    files = {**FILES, "tests/test_shapes.py": ODD_TESTS}
    task = dataclasses.replace(TASK, files=files, test_patch="", fail_to_pass=ids, pass_to_pass=())
    own = asyncio.run(prepare_base(task, tmp_path / "own"))
    assert graded(own, {}, best_kind, task).reward == float(good)


UNUSUAL_TESTS = """\
import ctypes
import math
import sys
import unittest
from unittest import mock

import pytest

from shapes import area

CALLS = []
total = 0


class AnyText:
    def __eq__(self, other): return isinstance(other, str)


TWO = [AnyText()]


class Mod:
    def __init__(self, value): self.value = value % 3
    def __eq__(self, other): return self.value == other % 3


def helper(value):
    global total
    total += value
    CALLS.append(value)
    return total


def test_infinite():
    assert float("inf") == math.inf and float("nan") != float("nan")
    assert float("inf") == pytest.approx(math.inf) and 0.1 + 0.2 == pytest.approx(0.3)
    assert [math.inf, 1] == [math.inf, 1] and -math.inf < area(1, 1) < math.inf


def test_globals():
    assert helper(2) == 2 and helper(3) == 5 and CALLS == [2, 3] and total == 5


def test_patches(monkeypatch):
    monkeypatch.setattr(math, "sqrt", lambda x: 7)
    monkeypatch.setattr(sys.modules[__name__], "helper", lambda x: 9)
    with mock.patch("math.floor", return_value=3), mock.patch(__name__ + ".CALLS", [1]):
        assert (math.sqrt(4), math.floor(1.5), helper(1), CALLS) == (7, 3, 9, [1])


def test_objects():
    assert Mod(5) == 2 and Mod(5) == 5 and abs(Mod(5).value - 2) < 1
    assert ctypes.sizeof(ctypes.c_char) == 1


def test_wildcards():
    assert {"id": 5, "names": ["x", 2]} == {"id": mock.ANY, "names": [AnyText(), 2]}
    assert mock.Mock(return_value=3)() == 3 and ["x"] == TWO and 7 in range(5, 9) and 2 in {1: 0, 2: 0}.keys()


def test_scopes():
    helper = 1
    class Local:
        mock = 2
        both = [mock, helper]
    match [helper]:
        case [int(real=1) as found] if 0 < abs(found) <= 1 != 2:
            assert Local.both == [2, 1]
            return
    raise AssertionError


class TestCase(unittest.TestCase):
    def test_parts(self):
        for part in range(3):
            with self.subTest(part=part):
                self.assertEqual(part, part)
                self.assertAlmostEqual(part, part + 1e-12)
        self.assertEqual([1, "x"], [1, mock.ANY])
        self.assertIn("x", ["y", mock.ANY])
"""


def test_unusual_tests_pass(tmp_path, best_kind):
    names = ["infinite", "globals", "patches", "objects", "wildcards", "scopes"]
    ids = (*(f"tests/test_shapes.py::test_{name}" for name in names),)
    ids += ("tests/test_shapes.py::TestCase::test_parts",)
    files = {**FILES, "tests/test_shapes.py": UNUSUAL_TESTS}
    task = dataclasses.replace(TASK, files=files, test_patch="", fail_to_pass=ids, pass_to_pass=())
    own = asyncio.run(prepare_base(task, tmp_path / "own"))
    verdict = graded(own, {"shapes/area.py": FIXED}, best_kind, task)
    assert (verdict.reward, verdict.flags) == (1.0, [])


def test_links_and_git_are_no_changes(workspace, base, tmp_path):
    (workspace / "shapes" / "area.py").unlink()
    (workspace / "shapes" / "area.py").symlink_to("/etc/passwd")
    (workspace / "outside").symlink_to(tmp_path)
    (workspace / ".git" / "hooks").mkdir()
    (workspace / ".git" / "hooks" / "post-checkout").write_text("#!/bin/sh\n")
    assert changed_files(workspace, base) == {"shapes/area.py": None}


def test_a_settings_file_of_the_base_still_finds_its_tests(tmp_path, best_kind):
    moved = {f"src/{name}" if name.startswith("shapes/") else name: text for name, text in FILES.items()}
    moved["pyproject.toml"] = (
        "[tool.pytest.ini_options]\npythonpath = ['src']\naddopts = '--no-such-option'\n"
    )
    task = dataclasses.replace(TASK, files=moved)
    own = asyncio.run(prepare_base(task, tmp_path / "own"))
    verdict = graded(own, {"src/shapes/area.py": FIXED, "src/json.py": "raise SystemExit"}, best_kind, task)
    assert verdict.resolved


def test_plugins_of_the_project_itself_are_welcome(tmp_path, best_kind):
    plugin = "def pytest_runtest_setup(item):\n    item.config.seen = True\n"
    files = {**FILES, "conftest.py": "pytest_plugins = ['shapes.plugin']\n", "shapes/plugin.py": plugin}
    task = dataclasses.replace(TASK, files=files)
    own = asyncio.run(prepare_base(task, tmp_path / "own"))
    assert graded(own, {"shapes/area.py": FIXED}, best_kind, task).resolved
    evil = plugin + "def pytest_pyfunc_call(pyfuncitem):\n    return True\n"
    verdict = graded(own, {"shapes/plugin.py": evil}, best_kind, task)
    assert (verdict.reward, verdict.flags) == (0.0, ["interfered with pytest while it ran"])


def test_faults_of_the_harness_are_errors_and_no_scores(base, tmp_path):
    def error(base=base, task=TASK, kind=None):
        broken = SandboxKind("bwrap", "", executable="/nonexistent/bwrap")
        return grade_once(base, {}, kind or broken, task).error

    assert "/nonexistent/bwrap" in error()
    assert "is missing" in error(base=tmp_path / "none")
    assert "does not apply" in error(
        task=dataclasses.replace(TASK, test_patch=TASK.test_patch.replace("12", "13"))
    )


def test_a_grader_that_does_not_load_is_an_error(base, best_kind, tmp_path, monkeypatch):
    monkeypatch.setattr(grading_rooms, "GRADER", tmp_path)
    error = grade_once(base, {}, best_kind).error
    assert error.startswith("the tests could not be started: exit code ")


def test_a_source_folder_may_be_called_test(tmp_path, best_kind):
    files = {name.replace("shapes/", "test/"): text.replace("shapes", "test") for name, text in FILES.items()}
    patch = TASK.patch.replace("shapes/", "test/")
    task = dataclasses.replace(TASK, files=files, patch=patch, test_patch="", fail_to_pass=FAIL_TO_PASS[:1])
    own = asyncio.run(prepare_base(task, tmp_path / "own"))
    assert graded(own, {"test/area.py": FIXED}, best_kind, task).resolved
    assert graded(own, {"test/outline.py": "", "test/conftest.py": HOOK}, best_kind, task).reward == 3 / 4


def test_a_patch_that_does_not_apply(base):
    with pytest.raises(PatchError, match="does not apply"):
        asyncio.run(changes_from_patch(base, TASK.patch.replace("width, height", "w, h")))


def test_the_answers_are_nowhere_in_the_workspace(base, tmp_path):
    tree = make_workspace(base, tmp_path / "tree")
    everything = b"".join(path.read_bytes() for path in tree.rglob("*") if path.is_file())
    assert b"test_area_of_another" not in everything
    assert "another" not in json.dumps(TASK.public(base))
