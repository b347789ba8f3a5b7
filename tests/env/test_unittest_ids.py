"""Tasks whose tests are named as unittest names them, graded for real; and what cheats on them are worth."""

from __future__ import annotations

import asyncio
import dataclasses

import pytest

from envs_archive.coding.grading import grade
from envs_archive.coding.grading_rooms import GradingRooms
from envs_archive.coding.tasks import Task
from envs_archive.coding.unittest_ids import is_unittest_id
from envs_archive.coding.workspace import prepare_base
from evals.utils.sandbox import Limits

SOURCE = "def add(a, b):\n    return a - b\n"
FIXED = SOURCE.replace("-", "+")
TESTS = """\
import unittest

from app.calc import add

from . import shared


def setUpModule():
    shared.READY.append(1)


class AddTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.ready = bool(shared.READY)

    def test_adds(self):
        self.assertTrue(self.ready)
        for one in range(3):
            with self.subTest(one=one):
                self.assertEqual(add(one, 2), one + 2)

    def test_zero(self):
        self.assertEqual(add(0, 0), 0)


class LaterTest(unittest.IsolatedAsyncioTestCase):
    async def test_later(self):
        self.assertEqual(add(5, 0), 5)
"""
FILES = {
    "app/__init__.py": "",
    "app/calc.py": SOURCE,
    "tests/shared.py": "READY = []\n",
    "tests/test_calc.py": TESTS,
}
TASK = Task(
    "unit",
    "add subtracts",
    ("tests.test_calc.AddTest.test_adds",),
    ("test_zero (tests.test_calc.AddTest)", "test_later (tests.test_calc.LaterTest.test_later)"),
    test_cmd="python -m unittest discover -v",
    files=FILES,
)
UNCHANGED = 2 / 3
PRINTS = "print('test_adds (tests.test_calc.AddTest.test_adds) ... ok')\nprint('Ran 3 tests')\nprint('OK')\n"
CHEATS = {
    "prints": {"app/calc.py": PRINTS + SOURCE},
    "ends the process": {"app/calc.py": PRINTS + "import os\nos._exit(0)\n"},
    "leaves": {"app/calc.py": "import sys\nsys.exit(0)\n"},
    "leaves in the test": {"app/calc.py": "import os\n\n\ndef add(a, b):\n    os._exit(0)\n"},
    "edits the test": {"tests/test_calc.py": TESTS.replace("add(one, 2)", "one + 2")},
    "edits its helper": {
        "tests/shared.py": "import unittest\nunittest.TestCase.assertEqual = print\nREADY = [1]\n"
    },
    "bends the test case": {
        "app/calc.py": f"import unittest\nunittest.TestCase.assertEqual = print\n{SOURCE}"
    },
    "bends the result": {
        "app/calc.py": f"import unittest\nunittest.TestResult.addFailure = lambda *a: None\n{SOURCE}"
    },
    "another unittest": {"unittest/__init__.py": "print('OK')\n", "unittest.py": "print('OK')\n"},
}


def graded(task, submissions, kind, folder, wall_s=30):
    """The verdict of each submission (texts by path), graded two at a time."""

    async def run():
        rooms, slots = GradingRooms(kind, Limits(wall_s=wall_s)), asyncio.Semaphore(2)
        base = await prepare_base(task, folder / "base")

        async def one(name, files):
            async with slots:
                encoded = {path: text.encode() for path, text in files.items()}
                return await grade(dataclasses.replace(task, instance_id=name), base, encoded, rooms)

        try:
            return await asyncio.gather(*(one(*item) for item in submissions.items()))
        finally:
            await rooms.close()

    verdicts = asyncio.run(run())
    assert [verdict.error for verdict in verdicts] == [None] * len(submissions)
    return dict(zip(submissions, verdicts, strict=True))


@pytest.mark.parametrize("package", [True, False], ids=["package", "no __init__"])
def test_gold_is_one_and_cheats_earn_what_nothing_earns(package, best_kind, tmp_path):
    task = dataclasses.replace(TASK, files={**FILES, "tests/__init__.py": ""}) if package else TASK
    submissions = {"nothing": {}, "gold": {"app/calc.py": FIXED}, **(CHEATS if package else {})}
    verdicts = graded(task, submissions, best_kind, tmp_path)
    gold = verdicts.pop("gold")
    assert (gold.reward, gold.resolved, gold.flags) == (1.0, True, [])
    assert verdicts["nothing"].reward == pytest.approx(UNCHANGED)
    for name, verdict in verdicts.items():
        assert verdict.reward <= UNCHANGED and verdict.f2p_rate == 0.0 and not verdict.resolved, name


LAYOUTS = {
    "beginning in a folder": ("python -m unittest discover -s checks", "checks/", "test_it.T.test_add"),
    "beginning in the first word": ("python -m unittest discover checks", "checks/", "test_it.T.test_add"),
    "top folder": (
        "python -m unittest discover -t lib -s lib/in_it",
        "lib/in_it/",
        "in_it.test_it.T.test_add",
    ),
    "below src": ("python -m unittest app2.test_it", "src/app2/", "app2.test_it.T.test_add"),
    "a package": ("python -m unittest", "tests/", "tests.T.test_add"),
}


@pytest.mark.parametrize("name", LAYOUTS)
def test_where_a_module_is(name, best_kind, tmp_path):
    command, folder, test = LAYOUTS[name]
    body = (
        "import unittest\nfrom app.calc import add\nfrom {} import READY\n\n\nclass T(unittest.TestCase):\n"
    )
    body += "    def test_add(self):\n        self.assertEqual(add(1, 2), 3)\n"
    package = {"lib/in_it/": "in_it.shared", "src/app2/": "app2.shared", "tests/": "tests.shared"}.get(
        folder, "shared"
    )
    file = "__init__.py" if name == "a package" else "test_it.py"
    files = {"app/__init__.py": "", "app/calc.py": SOURCE, f"{folder}shared.py": "READY = 1\n"}
    if folder != "checks/":
        files[f"{folder}__init__.py"] = ""
    files[folder + file] = body.format(package)
    task = dataclasses.replace(TASK, fail_to_pass=(test,), pass_to_pass=(), files=files, test_cmd=command)
    verdicts = graded(task, {"nothing": {}, "gold": {"app/calc.py": FIXED}}, best_kind, tmp_path)
    assert (verdicts["nothing"].reward, verdicts["gold"].reward) == (0.0, 1.0)


@pytest.mark.parametrize(
    "test, known",
    [
        ("a.b.C.test_x", True),
        ("test_x (a.b.C)", True),
        ("test_x (a.b.C.test_x)", True),
        ("tests/test_a.py::test_x", False),
        ("test_a.py::C::test_x[1.5-a.b.c]", False),
        ("test_x", False),
        ("a.b", False),
    ],
)
def test_what_is_such_an_id(test, known):
    assert is_unittest_id(test) is known
