"""A tiny git repository with a bug, its row in SWE-bench's form, and an environments file that needs no building."""

import json
import os
import subprocess

REPO = "acme/shapes"
BUGGY = "def area(width, height):\n    return width + height\n"
FIXED = BUGGY.replace("width + height", "width * height")
TESTS = """\
import pytest
from shapes import area

def test_unit():
    assert area(2, 2) == 4

@pytest.mark.parametrize("text", ["a b", "a c"])
def test_spaces(text):
    assert text

@pytest.mark.xfail(reason="never mind")
def test_expected():
    assert False

def test_skipped():
    pytest.skip("not here")
"""
HIDDEN = "\ndef test_oblong():\n    assert area(2, 3) == 6\n"
FILES = {
    "shapes.py": BUGGY,
    "tests/test_shapes.py": TESTS,
    "pytest.ini": "[pytest]\naddopts = -p no:cacheprovider\n",
}
ENVIRONMENTS = """\
environments:
  - name: here
    repo: acme/shapes
    python: same
    variables: {PYTEST_DISABLE_PLUGIN_AUTOLOAD: "1"}  # this interpreter's take longer than the tests
"""


def git(folder, *arguments):
    who = {f"GIT_{r}_{k}": v for r in ("AUTHOR", "COMMITTER") for k, v in (("NAME", "A"), ("EMAIL", "a@b"))}
    done = subprocess.run(
        ["git", "-c", "init.defaultBranch=main", *arguments],
        cwd=folder,
        env=os.environ | who,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()


def diff(name, old, new):
    """A unified diff in git's form."""
    import difflib

    lines = difflib.unified_diff(
        old.splitlines(keepends=True), new.splitlines(keepends=True), f"a/{name}", f"b/{name}"
    )
    return f"diff --git a/{name} b/{name}\n" + "".join(lines)


def make_repository(folder):
    """A bare clone ``folder/acme__shapes``; returns the commit with the bug."""
    work = folder / "work"
    for name, text in FILES.items():
        (work / name).parent.mkdir(parents=True, exist_ok=True)
        (work / name).write_text(text)
    git(work, "init", "-q", ".")
    git(work, "add", "-A")
    git(work, "commit", "-qm", "with the bug")
    commit = git(work, "rev-parse", "HEAD")
    (work / "shapes.py").write_text(FIXED)
    git(work, "commit", "-qam", "without")
    (folder / "mirror").mkdir()
    git(folder, "clone", "-q", "--bare", str(work), str(folder / "mirror" / "acme__shapes"))
    return commit


def make_row(commit, **changes):
    """A row as the data sets have it, ids as JSON in a string."""
    script = (
        "#!/bin/bash\ncd /testbed\n: '>>>>> Start Test Output'\npytest -rA tests/test_shapes.py\n"
        ": '>>>>> End Test Output'\n"
    )
    ids = [f"tests/test_shapes.py::{name}" for name in ("test_unit", "test_spaces[a", "test_expected")]
    row = {
        "repo": REPO,
        "instance_id": "acme__shapes-1",
        "base_commit": commit,
        "patch": diff("shapes.py", BUGGY, FIXED),
        "test_patch": diff("tests/test_shapes.py", TESTS, TESTS + HIDDEN),
        "problem_statement": "area(2, 3) is 5",
        "hints_text": "multiply",
        "created_at": "2020-01-01",
        "version": "1.0",
        "FAIL_TO_PASS": json.dumps(["tests/test_shapes.py::test_oblong"]),
        "PASS_TO_PASS": json.dumps(ids),
        "eval_script": script,
        "log_parser": "parse_log_pytest",
        "eval_type": "pass_and_fail",
    }
    return {k: v for k, v in (row | changes).items() if v is not None}
