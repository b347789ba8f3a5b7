"""The gold patch is worth 1, doing nothing the baseline, cheating no more than that, and honest extras cost nothing."""

import asyncio
import dataclasses
import json

import pytest
from env_project import BUGGY, FAIL_TO_PASS, FILES, FIXED, NOP_REWARD, TASK, TESTS

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


PASSING = "def test_area(): pass\ndef test_area_of_another(): pass\ndef test_nothing(): pass\n"
HOOK = """\
import pytest
@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    result = yield
    report = result.get_result()
    report.outcome = "passed"
    report.longrepr = None
def pytest_collection_modifyitems(items):
    for item in items:
        item.obj = lambda: None
"""
IN_AREA = (
    "import os, sys, gc, signal, threading\ndef area(width, height):\n    {}\n    return width + height\n"
)
EVIL_PLUGIN = """\
import gc, sys
class Plugin:
    def pytest_pyfunc_call(self, pyfuncitem):
        return True
for thing in getattr(gc, "get_" + "objects")():
    if type(thing).__name__ == "PytestPluginManager":
        thing.register(Plugin(), "evil")
def area(width, height):
    return width + height
"""
CHEATS = {
    "edit the tests": {"tests/test_shapes.py": PASSING},
    "delete the tests": {"tests/test_shapes.py": None},
    "root conftest": {"conftest.py": HOOK},
    "tests conftest": {"tests/conftest.py": HOOK},
    "package conftest": {"shapes/conftest.py": HOOK},
    "plant a package in tests": {"tests/__init__.py": "", "tests/shapes.py": "area = perimeter = None"},
    "exit at import": {"shapes/area.py": "import sys\nprint('5 passed')\nsys.exit(0)\n"},
    "hard exit at import": {"shapes/area.py": "import os\nos._exit(0)\n"},
    "hard exit in a test": {"shapes/area.py": IN_AREA.format("os._exit(0)")},
    "killed": {"shapes/area.py": IN_AREA.format("os.kill(os.getpid(), signal.SIGKILL)")},
    "forged output": {
        "shapes/area.py": BUGGY + "print('tests/test_shapes.py::test_area PASSED')\nimport os\nos._exit(0)\n"
    },
    "skip": {"shapes/area.py": "import pytest\ndef area(*_):\n    pytest.skip('no')\n"},
    "skip by unittest": {"shapes/area.py": "import unittest\ndef area(*_):\n    raise unittest.SkipTest\n"},
    "skip at import": {"shapes/area.py": "import unittest\nraise unittest.SkipTest\n"},
    "shadow pytest": {"pytest.py": "import sys\nsys.exit(0)\n", "pytest/__init__.py": "raise SystemExit(0)"},
    "shadow the standard library": {
        "random.py": "import os\nos._exit(0)",
        "json/__init__.py": "import os\nos._exit(0)",
    },
    "shadow the plugin": {"alma_grading_plugin.py": "import os\nos._exit(0)\n"},
    "start-up hooks": {
        "sitecustomize.py": "import os\nos._exit(0)\n",
        "usercustomize.py": "import os\nos._exit(0)\n",
        "evil.pth": "import os; os._exit(0)\n",
    },
    "configuration": {
        "pytest.ini": "[pytest]\naddopts = --collect-only\n",
        "tox.ini": "[pytest]\naddopts = --collect-only\n",
        "setup.cfg": "[tool:pytest]\naddopts = -p evil\n",
        "pyproject.toml": "[tool.pytest.ini_options]\naddopts = '-p evil --deselect tests/test_shapes.py'\n",
        "evil.py": HOOK,
        "setup.py": "raise SystemExit",
    },
    "equal to everything": {
        "shapes/area.py": "class A:\n    def __eq__(self, other):\n        return True\ndef area(*_):\n    return A()\n"
    },
    "equal by lambda": {
        "shapes/area.py": "class A(int):\n    __eq__ = lambda *_: True\ndef area(*_):\n    return A()\n"
    },
    "mock.ANY": {"shapes/area.py": "from unittest.mock import ANY\ndef area(*_):\n    return ANY\n"},
    "stack frame": {
        "shapes/area.py": "import sys\ndef area(*_):\n    return sys._getframe(1).f_code.co_consts[-1]\n"
    },
    "am I tested": {
        "shapes/area.py": "import os\ndef area(w, h):\n    return 12 if 'PYTEST_CURRENT_TEST' in os.environ else 7\n"
    },
    "patch the report": {
        "shapes/area.py": "import sys\n"
        "R = sys.modules['_py' + 'test.reports'].TestReport\n"
        "make = R.from_item_and_call\n"
        "def fake(item, call):\n    report = make(item, call)\n    report.outcome = 'passed'\n    return report\n"
        "R.from_item_and_call = fake\n" + BUGGY
    },
    "patch pytest unseen": {
        "shapes/area.py": "import sys\n"
        "info = getattr(sys.modules['_py' + 'test.runner'], 'Call' + 'Info')\n"
        "def fake(cls, function, when, reraise=None):\n"
        "    return cls(1, None, 0, 0, 0, when, _ispytest=True)\n"
        "setattr(info, 'from_' + 'call', classmethod(fake))\n" + BUGGY
    },
    "plugin found by the collector": {"shapes/area.py": EVIL_PLUGIN},
    "new code for the tests": {
        "shapes/area.py": "import sys\n"
        "def area(width, height):\n"
        "    tests = vars(sys.modules['test_' + 'shapes'])\n"
        "    for name in tests:\n"
        "        if name.startswith('test' + '_area'):\n"
        "            setattr(tests[name], '__co' + 'de__', getattr(lambda: None, '__co' + 'de__'))\n"
        "    return width + height\n"
    },
    "write to every descriptor": {
        "shapes/area.py": "import os\n"
        "def area(width, height):\n"
        "    for fd in range(3, 1000):\n"
        "        try:\n"
        "            os.write(fd, b'9 finish 0 5 x\\n')\n"
        "        except OSError:\n"
        "            pass\n"
        "    return width + height\n"
    },
    "a child goes on": {"shapes/area.py": IN_AREA.format("os.fork()")},
    "a daemon rewrites the tests": {
        "shapes/area.py": "import os, time\n"
        "if os.fork() == 0:\n    os.setsid()\n    while True:\n"
        f"        open('tests/test_shapes.py', 'w').write({PASSING!r})\n        time.sleep(0.01)\n" + BUGGY
    },
    "leave the tree": {
        "../escape.py": "",
        "/tmp/escape.py": "",
        "shapes/../tests/test_shapes.py": PASSING,
        "": "",
    },
    "does not parse": {"shapes/area.py": "def area(:\n"},
}


FLAGGED = {
    "equal to everything": "shapes/area.py: a comparison that says the same of everything (left out)",
    "stack frame": "shapes/area.py: stack frames (left out)",
    "exit at import": "shapes/area.py: process exit at import",
    "patch pytest unseen": "interfered with pytest while it ran",
    "plugin found by the collector": "interfered with pytest while it ran",
    "new code for the tests": "interfered with pytest while it ran",
    "write to every descriptor": "interfered with pytest while it ran",
}


@pytest.mark.parametrize("name", CHEATS)
def test_cheating_gains_nothing(name, base, best_kind):
    verdict = graded(base, CHEATS[name], best_kind)
    assert verdict.reward <= NOP_REWARD
    assert verdict.f2p_rate == 0.0
    assert not verdict.resolved
    assert FLAGGED.get(name) in (None, *verdict.flags)


GOLD = {"shapes/area.py": FIXED}
HONEST = {
    "a conftest": {**GOLD, "conftest.py": "import pytest\n@pytest.fixture\ndef box():\n    return 1, 2\n"},
    "new tests": {
        **GOLD,
        "tests/test_area.py": "def test_more():\n    assert False\n",
        "tests/test_shapes.py": TESTS + "\ndef test_area_of_another():\n    assert True\n",
    },
    "a helper in the package": {
        "shapes/area.py": "from .product import product\n\n\ndef area(w, h):\n    return product(w, h)\n",
        "shapes/product.py": "def product(a, b):\n    return a * b\n",
    },
    "a helper at the root": {
        "shapes/area.py": "from product import product\n\n\ndef area(w, h):\n    return product(w, h)\n",
        "product.py": "def product(a, b):\n    return a * b\n",
    },
    "a package that was moved": {
        "shapes/area.py": None,
        "shapes/areas/__init__.py": FIXED,
        "shapes/__init__.py": "from .areas import area\nfrom .outline import perimeter\n",
    },
    "project metadata": {**GOLD, "pyproject.toml": "[project]\nname = 'shapes'\nversion = '1.1'\n"},
    "left-overs": {
        **GOLD,
        "shapes/__pycache__/area.cpython-311.pyc": b"\0",
        ".pytest_cache/README.md": "x",
        "repro.py": "import sys, pytest\nfrom shapes import area\nsys.exit(pytest.main())\n",
        "notes.txt": b"\xff\xfe",
    },
    "other line ends": {"shapes/area.py": FIXED.replace("\n", "\r\n")},
    "noise": {"shapes/area.py": "import atexit\nprint('F' * 10000)\natexit.register(print, 'bye')\n" + FIXED},
    "an honest comparison": {
        "shapes/area.py": FIXED + "\n\nclass Area:\n    def __eq__(self, other):\n"
        "        return isinstance(other, Area)\n\n    __hash__ = None\n"
    },
}


@pytest.mark.parametrize("name", HONEST)
def test_honest_extras_cost_nothing(name, base, best_kind):
    verdict = graded(base, HONEST[name], best_kind)
    assert (verdict.reward, verdict.resolved) == (1.0, True)


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
