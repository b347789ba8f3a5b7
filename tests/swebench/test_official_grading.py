"""Grading of a SWE-bench task in a real sandbox with a real environment: counts, and those who try to bend them."""

import asyncio
import dataclasses
import json
from functools import partial
from pathlib import Path

import pytest
from small_instance import BUGGY, git, make_row
from test_source import load

from envs_archive.coding.grading import changes_from_patch, grade
from envs_archive.coding.grading_rooms import GradingRooms
from envs_archive.coding.swebench.checking import check
from envs_archive.coding.swebench.grading import run_tests
from envs_archive.coding.swebench.sites import install, mounted
from envs_archive.coding.workspace import WorkspaceError, list_files, prepare_base
from evals.utils.sandbox import Limits, probe
from evals.utils.session import Session


@pytest.fixture(scope="module")
def task(place, row):
    return load(place, [row]).tasks[0]


@pytest.fixture(scope="module")
def base(task, tmp_path_factory, best_kind):
    folder = tmp_path_factory.mktemp("bases") / task.instance_id
    return asyncio.run(prepare_base(task, folder, partial(install, task, kind=best_kind, say=print)))


def graded(task, base, kind, changes):
    encoded = {name: text.encode() for name, text in changes.items()}
    return asyncio.run(grade(task, base, encoded, GradingRooms(kind, Limits())))


def test_the_base_is_one_commit_without_the_fix(base):
    assert git(base, "log", "--format=%s", "--all") == "Base"
    assert (base / "shapes.py").read_text() == BUGGY
    assert "test_oblong" not in (base / "tests/test_shapes.py").read_text()


def test_gold_and_nop_in_both_kinds(task, base):
    for kind in (probe("auto"), probe("process")):
        gold = asyncio.run(changes_from_patch(base, task.patch))
        verdict = asyncio.run(grade(task, base, gold, GradingRooms(kind, Limits())))
        assert (verdict.reward, verdict.resolved, verdict.error, verdict.flags) == (1.0, True, None, [])
        verdict = graded(task, base, kind, {})
        assert (verdict.reward, verdict.resolved, verdict.f2p_rate, verdict.p2p_rate) == (
            3 / 4,
            False,
            0.0,
            1.0,
        )


def test_statuses_are_those_of_the_log(task, base, best_kind):
    found = asyncio.run(run_tests(task, base, {}, GradingRooms(best_kind, Limits())))
    assert found.statuses == {
        "tests/test_shapes.py::test_unit": "PASSED",
        "tests/test_shapes.py::test_spaces[a": "PASSED",
        "tests/test_shapes.py::test_expected": "XFAIL",
        "tests/test_shapes.py::test_oblong": "FAILED",
    }
    assert "assert 5 == 6" in found.reasons["tests/test_shapes.py::test_oblong"]


FORGED = "print('\\nPASSED tests/test_shapes.py::test_oblong')\n"
HOOK = """
import pytest
@pytest.hookimpl(tryfirst=True)
def pytest_runtest_logreport(report):
    report.outcome = "passed"
"""
REGISTERS = (
    "import gc, sys\n"
    "def area(width, height):\n"
    "    from _pytest.config import Config\n"
    "    for thing in gc.get_objects():\n"
    "        if type(thing) is Config:\n"
    "            thing.pluginmanager.register(sys.modules['shapes'], 'mine')\n"
    "    return width + height\n"
)
CHEATS = {
    "prints": {"shapes.py": BUGGY.replace("    return", f"    {FORGED}    return")},
    "ends the process": {"shapes.py": FORGED + "import os\nos._exit(0)\n"},
    "ends when asked": {"shapes.py": BUGGY.replace("return", "import os; os._exit(0)  #")},
    "raises the exit": {"shapes.py": BUGGY.replace("return", "raise SystemExit(0)  #")},
    "conftest": {"conftest.py": HOOK},
    "configuration": {"pytest.ini": "[pytest]\naddopts = --deselect tests/test_shapes.py::test_oblong\n"},
    "other tests": {"tests/test_shapes.py": "def test_oblong(): pass\ndef test_unit(): pass\n"},
    "shadow": {"pytest.py": "raise SystemExit(0)\n"},
    "writes on the channel": {
        "shapes.py": "import os\nfor n in range(3, 500):\n    try: os.write(n, b'{}\\n')\n    except OSError: pass\n"
        + BUGGY
    },
    "registers hooks": {"shapes.py": REGISTERS + HOOK},
}


@pytest.mark.parametrize("name", CHEATS)
def test_a_cheat_is_not_resolved(name, task, base, best_kind):
    verdict = graded(task, base, best_kind, CHEATS[name])
    assert (verdict.resolved, verdict.f2p_rate, verdict.error) == (False, 0.0, None)


def test_a_hang_fails_closed_at_the_environments_limit(task, base, best_kind):
    quick = dataclasses.replace(task.official.environment, test_timeout=2.0)
    hurried = dataclasses.replace(task, official=dataclasses.replace(task.official, environment=quick))
    verdict = graded(hurried, base, best_kind, {"shapes.py": "while True: pass\n"})
    assert (verdict.reward, verdict.resolved, verdict.error) == (0.0, False, None)
    assert verdict.seconds < 8


def test_unittest_is_counted_by_its_verbose_log(place, row, tmp_path, best_kind):
    script = "import sys, unittest\nsys.path.insert(0, '.')\n"
    script += "unittest.main(module=None, argv=['x', '-v', 'tests.cases'])\n"
    cases = (
        "import unittest\nfrom shapes import area\n\nclass Cases(unittest.TestCase):\n"
        "    def test_a(self):\n        print('noise')\n\n"
        "    def test_b(self):\n        'Says what it does.'\n        self.assertEqual(area(2, 3), 6)\n\n"
        "    @unittest.skip('no')\n    def test_c(self):\n        pass\n"
    )
    patch = "".join(
        f"diff --git a/{name} b/{name}\nnew file mode 100644\n--- /dev/null\n+++ b/{name}\n"
        f"@@ -0,0 +1,{text.count(chr(10))} @@\n" + "".join(f"+{line}\n" for line in text.splitlines())
        for name, text in {
            "tests/runtests.py": script,
            "tests/cases.py": cases,
            "tests/__init__.py": "# \n",
        }.items()
    )
    unit = make_row(
        place[1],
        test_patch=patch,
        eval_script=">>>>> Start Test Output\n./tests/runtests.py --verbosity 2\n>>>>> End Test Output",
        log_parser="parse_log_django",
        FAIL_TO_PASS=["Says what it does."],
        PASS_TO_PASS=["test_a (tests.cases.Cases.test_a)", "test_c (tests.cases.Cases.test_c)"],
    )
    (task,) = load(place, [unit]).tasks
    done = asyncio.run(check(task, tmp_path, GradingRooms(best_kind, Limits()), 1, print))
    assert (done.usable, done.reason, done.gold, done.nop) == (True, "", 1, 0)


NOWHERE = "diff --git a/{0} b/{0}\n--- a/{0}\n+++ b/{0}\n@@ -1 +1 @@\n-a\n+b\n"
UNUSABLE = {
    "test_patch": ({"test_patch": NOWHERE.format("x.py")}, "test_patch does not apply"),
    "patch": ({"patch": NOWHERE.format("shapes.py")}, "patch does not apply"),
    "commit": ({"base_commit": "0" * 40}, f"commit {'0' * 40} is not in"),
    "never repaired": (
        {"FAIL_TO_PASS": ["tests/test_shapes.py::test_none"]},
        "1 of 4 tests; tests/test_shapes.py::test_none",
    ),
    "passes already": (
        {"FAIL_TO_PASS": ["tests/test_shapes.py::test_unit"], "PASS_TO_PASS": []},
        "doing nothing is resolved",
    ),
}


@pytest.mark.parametrize("name", UNUSABLE)
def test_what_cannot_be_used_says_why(name, place, tmp_path, best_kind):
    changes, reason = UNUSABLE[name]
    (task,) = load(place, [make_row(place[1], **changes)]).tasks
    done = asyncio.run(check(task, tmp_path, GradingRooms(best_kind, Limits()), 1, print))
    assert not done.usable and reason in done.reason, done
    assert list(tmp_path.iterdir()) == []


def test_tests_that_need_the_network_are_told_as_such(place, row, tmp_path, best_kind):
    asks = row["test_patch"].replace(
        "    assert area(2, 3) == 6", "    __import__('socket').getaddrinfo('a.org', 80)"
    )
    (task,) = load(place, [make_row(place[1], test_patch=asks)]).tasks
    done = asyncio.run(check(task, tmp_path, GradingRooms(best_kind, Limits()), 1, print))
    assert "needs the network" in done.reason and "test_oblong" in done.reason


def test_an_installation_makes_what_the_project_needs(place, row, tmp_path, best_kind):
    file = tmp_path / "e.yaml"
    command = "echo VERSION = \\'$SETUPTOOLS_SCM_PRETEND_VERSION\\' > _version.py; mkdir -p build && touch build/junk"
    file.write_text(
        f"environments:\n- {{repo: acme/shapes, python: same, install: [{json.dumps(command)}]}}\n"
    )
    (task,) = load(place, [row], environments=str(file)).tasks
    step = partial(install, task, kind=best_kind, say=print)
    first = asyncio.run(prepare_base(task, tmp_path / "first", step))
    again = asyncio.run(prepare_base(task, tmp_path / "again", step))  # from what was kept
    assert list_files(first) == list_files(again) == sorted([*list_files(place[0] / "work"), "_version.py"])
    assert (again / "_version.py").read_text() == "VERSION = '1.0'\n"


def test_the_agents_commands_run_in_the_environment(task, base, best_kind, tmp_path):
    given = mounted(task, base, best_kind)
    shown = [(Path(folder), folder) for folder in given["folders"]]
    command = 'python -c "import sys; print(sys.prefix)"; python -m pytest --version; touch $(which pytest)x'

    async def ask():
        async with Session(best_kind, tmp_path, readonly=shown, command_env=given["variables"]) as session:
            return await session.run(command)

    output = asyncio.run(ask()).output
    assert "/projects/" in output and "acme" not in output and "pytest " in output
    assert "Read-only file system" in output


def test_a_mirror_may_lack_what_is_no_source(place, row, tmp_path):
    work, mirror = place[0] / "work", tmp_path / "mirror" / "shapes.git"
    git(tmp_path, "clone", "-q", "--bare", str(work), str(mirror))
    (task,) = load(place, [row], repo_cache=str(tmp_path / "mirror")).tasks
    blobs = {name: git(work, "rev-parse", f"{place[1]}:{name}") for name in ("pytest.ini", "shapes.py")}
    files = {name: mirror / "objects" / blob[:2] / blob[2:] for name, blob in blobs.items()}
    files["pytest.ini"].unlink()
    assert "pytest.ini" not in list_files(asyncio.run(prepare_base(task, tmp_path / "first")))
    files["shapes.py"].unlink()
    with pytest.raises(WorkspaceError, match=r"lacks 1 files of commit \w+: shapes.py"):
        asyncio.run(prepare_base(task, tmp_path / "second"))
