"""Tasks without test ids are graded by the exit code of their command; what cheats on them are worth."""

from __future__ import annotations

import dataclasses

import pytest
from test_unittest_ids import FILES as UNITTEST_FILES
from test_unittest_ids import graded

from envs_archive.coding.tasks import Task, task_from_row

SOURCE = "def add(a, b):\n    return a - b\n"
FIXED = SOURCE.replace("-", "+")
PATCH = """\
--- a/app/calc.py
+++ b/app/calc.py
@@ -1,2 +1,2 @@
 def add(a, b):
-    return a - b
+    return a + b
"""
CHECK = """\
import sys

from app.calc import add

if add(1, 2) != 3:
    sys.exit("wrong")
print("all is well")
"""
FILES = {
    "app/__init__.py": "",
    "app/calc.py": SOURCE,
    "check.py": CHECK,
    "Makefile": "all:\n\tpython check.py\n",
    "scripts/run": "set -e\npython3 -B -W ignore check.py\necho done\n",
    **{name: text for name, text in UNITTEST_FILES.items() if name.startswith("tests/")},
    "tests/__init__.py": "",
    "tests/test_plain.py": "from app.calc import add\n\n\ndef test_add():\n    assert add(1, 2) == 3\n",
    "checks/run.py": CHECK,
    "checks/__init__.py": "",
}
COMMANDS = {
    "a script": "python check.py",
    "a module": "python -m checks.run",
    "an expression": "python -c 'import sys; from app.calc import add; sys.exit(add(1, 2) != 3)'",
    "make": "make",
    "a shell script": "sh scripts/run",
    "two": "python -m unittest -q tests.test_calc && python check.py",
    "unittest": "python -m unittest",
    "pytest": "pytest -q tests/test_plain.py",
    "pytest as a module": "python -m pytest -q tests",
    "no Python": "grep -q 'a + b' app/calc.py",
    "in a folder": "cd checks; PYTHONPATH=.. python run.py",
}
OK = "print('OK')\nprint('all is well')\nprint('1 passed in 0.01s')\n"
CHEATS = {
    "prints": OK + SOURCE,
    "_exit at import": f"{OK}import os\nos._exit(0)\n",
    "_exit when called": "import os\n\n\ndef add(a, b):\n    os._exit(0)\n",
    "_exit by another name": "import posix\n\n\ndef add(a, b):\n    getattr(posix, '_ex' + 'it')(0)\n",
    "exit at import": f"{OK}import sys\nsys.exit(0)\n",
    "SystemExit when called": "def add(a, b):\n    raise SystemExit\n",
    "another program": "import os\nos.execv('/bin/true', ['true'])\n",
    "another program when called": "import os\n\n\ndef add(a, b):\n    os.execv('/bin/true', ['true'])\n",
    "a signal": "import os\nimport signal\nos.kill(os.getppid(), signal.SIGTERM)\nos._exit(0)\n",
    "at exit": f"import atexit\nimport os\natexit.register(os._exit, 0)\n{SOURCE}",
    "another exit": f"import sys\nsys.exit = lambda *a: None\n{SOURCE}",
    "a bent test case": f"import unittest\nunittest.TestCase.assertEqual = print\n{SOURCE}",
    "a bent result": (
        f"import unittest\nunittest.TestResult.wasSuccessful = lambda self: True\n"
        f"import unittest.runner as r\nr.TextTestResult.wasSuccessful = lambda self: True\n{SOURCE}"
    ),
    "the end itself": (
        "import gc\nimport os\n"
        "for thing in gc.get_objects():\n"
        "    if type(thing) is bytes and len(thing) == 32:\n"
        "        for fd in range(3, 20):\n"
        "            try:\n                os.write(fd, thing)\n            except OSError:\n                pass\n"
        "os._exit(0)\n"
    ),
}
EDITED = {
    "check.py": "print('all is well')\n",
    "checks/run.py": "",
    "Makefile": "all:\n\ttrue\n",
    "scripts/run": "true\n",
    "tests/test_calc.py": "",
    "tests/test_plain.py": "def test_add():\n    pass\n",
    "tests/__init__.py": "import os\nos._exit(0)\n",
    "conftest.py": "import os\nos._exit(0)\n",
    "sitecustomize.py": "import os\nos._exit(0)\n",
    "json.py": "import os\nos._exit(0)\n",
    "python": "#!/bin/sh\nexit 0\n",
}


def task_of(command: str) -> Task:
    return Task("command", "add subtracts", (), (), test_cmd=command, files=FILES, patch=PATCH)


@pytest.mark.parametrize("name", COMMANDS)
def test_gold_passes_and_nothing_does_not(name, best_kind, tmp_path):
    submissions = {"nothing": {}, "gold": {"app/calc.py": FIXED}, "edited": EDITED}
    verdicts = graded(task_of(COMMANDS[name]), submissions, best_kind, tmp_path)
    gold = verdicts["gold"]
    assert (gold.reward, gold.resolved, gold.f2p_rate, gold.p2p_rate, gold.flags) == (1.0, True, 1.0, 1.0, [])
    for other in ("nothing", "edited"):
        assert (verdicts[other].reward, verdicts[other].resolved) == (0.0, False), other


@pytest.mark.parametrize("name", ["a script", "unittest", "pytest"])
def test_cheats_earn_nothing(name, best_kind, tmp_path):
    submissions = {cheat: {"app/calc.py": text} for cheat, text in CHEATS.items()}
    for cheat, verdict in graded(task_of(COMMANDS[name]), submissions, best_kind, tmp_path).items():
        assert (verdict.reward, verdict.resolved) == (0.0, False), cheat


def test_in_the_process_sandbox(kind, tmp_path):
    submissions = {"gold": {"app/calc.py": FIXED}, "cheat": {"app/calc.py": CHEATS["_exit when called"]}}
    verdicts = graded(task_of("python check.py"), submissions, kind, tmp_path)
    assert (verdicts["gold"].reward, verdicts["cheat"].reward) == (1.0, 0.0)


HONEST = {
    "a program that ends by itself": f"import sys\n{FIXED}\n\ndef main():\n    sys.exit(0)\n",
    "a thread": f"import threading\nthreading.Thread(target=print).start()\n{FIXED}",
    "a child": (
        "import os\nchild = os.fork()\nif child == 0:\n    os._exit(0)\nos.waitpid(child, 0)\n" + FIXED
    ),
    "a logger": f"import logging\nimport warnings\nlogging.warning('x')\nwarnings.warn('y')\n{FIXED}",
    "a Python by name": (
        "import os\nimport subprocess\nenv = {'PATH': os.environ['PATH']}\n"
        "subprocess.run(['python', '-c', 'pass'], check=True)\n"
        "subprocess.run(['python', '-c', 'pass'], env=env, check=True)\n" + FIXED
    ),
    "other processes": (
        "import subprocess\nimport sys\nsubprocess.run([sys.executable, '-c', 'import os; os._exit(0)'])\n"
        + FIXED
    ),
}


@pytest.mark.parametrize("name", ["a script", "unittest", "pytest"])
def test_honest_code_of_such_kinds_passes(name, best_kind, tmp_path):
    submissions = {each: {"app/calc.py": text, "app/more.py": "x = 1\n"} for each, text in HONEST.items()}
    for each, verdict in graded(task_of(COMMANDS[name]), submissions, best_kind, tmp_path).items():
        assert verdict.reward == 1.0, each


@pytest.mark.parametrize(
    "name, is_source",
    [
        ("app/calc.py", True),
        ("app/check.py", True),
        ("app/tasks.py", True),
        ("specs/model.py", True),
        ("lib/latest.js", True),
        ("src/add.js", True),
        ("check.py", False),
        ("package.json", False),
        ("src/add.test.js", False),
        ("spec/add_spec.rb", False),
        ("src/__tests__/add.js", False),
        ("calc_test.go", False),
        ("scripts/run_tests.sh", False),
        ("test-all.sh", False),
    ],
)
def test_which_files_decide(name, is_source, best_kind, tmp_path):
    task = dataclasses.replace(task_of(f"test -e {name} && python check.py"), patch="")
    if name != "check.py":
        task = dataclasses.replace(task, test_cmd=f"python check.py; test -e $(echo {name[:1]}){name[1:]}")
        verdict = graded(task, {"new": {name: "text\n"}}, best_kind, tmp_path)["new"]
        assert verdict.reward == float(is_source)
    else:
        assert graded(task, {"new": {name: ""}}, best_kind, tmp_path)["new"].reward == 0.0


def test_a_command_that_hangs_is_no_success_and_costs_its_time_only(best_kind, tmp_path):
    task = dataclasses.replace(
        task_of("python check.py"), files={**FILES, "app/calc.py": "while True:\n    pass\n"}
    )
    verdict = graded(task, {"nothing": {}}, best_kind, tmp_path, wall_s=3)["nothing"]
    assert verdict.reward == 0.0 and verdict.seconds < 15


def test_rows_without_test_ids(tmp_path):
    row = {"instance_id": "a", "problem_statement": "x", "files": {"a.py": ""}}
    assert task_from_row({**row, "test_cmd": "make check"}, tmp_path).expected == ()
    empty = {"FAIL_TO_PASS": [], "PASS_TO_PASS": "[]"}
    assert task_from_row({**row, **empty, "test_cmd": "make check"}, tmp_path).expected == ()
    with pytest.raises(ValueError, match="there is no test_cmd: nothing to grade"):
        task_from_row({**row, **empty}, tmp_path)
    with pytest.raises(ValueError, match="missing field 'FAIL_TO_PASS'"):
        task_from_row(row, tmp_path)
