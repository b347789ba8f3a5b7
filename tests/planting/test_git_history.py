"""Tasks out of a history: the commit that mends something becomes one, the others are told with their reasons."""

from __future__ import annotations

import asyncio
import shutil

import pytest
from small_library import STOCK, TEST_STOCK, TEST_TEXT, TEXT, commit, flat, git, write

from envs_archive.coding.planting.commit_message import tells_of_trouble, trouble
from envs_archive.coding.planting.making import Request, make_tasks
from envs_archive.coding.planting.repository import RepositoryError, fingerprint
from envs_archive.coding.tasks import load_tasks
from evals.utils.sandbox import probe

BUGGY = TEXT.replace("title.strip().lower().split()", "title.lower().split(' ')")
FEATURE = (
    STOCK
    + """
    def names(self):
        return sorted(self.items)
"""
)
FEATURE_TEST = TEST_STOCK.replace(
    "    def test_missing",
    '    def test_names(self):\n        self.assertEqual(Stock({"b": 1}).names(), ["b"])\n\n    def test_missing',
)
NEW_MODULE_TEST = "from shop.names import name\n\n\ndef test_name():\n    assert name() == 1\n"


@pytest.fixture(scope="module")
def history(tmp_path_factory):
    """(work tree, sha of the fix): settled code with a bug, its fix, and commits that are none."""
    root = tmp_path_factory.mktemp("history") / "shop"
    root.mkdir()
    git(root, "init", "-q", "-b", "main")
    tests = TEST_TEXT.replace(
        '("Hello World", "hello-world"), (" A  b ", "a-b")', '("Hello World", "hello-world")'
    )
    files = {
        "shop/__init__.py": "from ._version import version\n",
        "shop/text.py": BUGGY,
        "shop/stock.py": STOCK,
        "tests/test_text.py": tests.split("def test_slug_of_nothing")[0] + tests.split('slug("  ")\n')[1],
        "tests/test_stock.py": TEST_STOCK,
        ".gitignore": "_version.py\n",
    }
    commit(root, "Begin", files)
    fix = commit(
        root,
        "Fix #7: slug() loses words when there are several spaces (#8)\n\nUse split() without a separator.\n",
        {"shop/text.py": TEXT, "tests/test_text.py": TEST_TEXT},
    )
    commit(root, "Fix the docs", {"README.md": "Shop.\n"})
    commit(
        root,
        "Fix error in names",
        {
            "shop/names.py": "def name():\n    return 1\n",
            "shop/stock.py": STOCK + "\n\n",
            "tests/test_names.py": NEW_MODULE_TEST,
        },
    )
    commit(root, "Say it shorter", {"shop/stock.py": FEATURE, "tests/test_stock.py": FEATURE_TEST})
    write(root, {"shop/_version.py": "version = '1'\n"})
    return root, fix


def mined(repository, out):
    request = Request(repository, tasks=5, out=out, from_git=True)
    return asyncio.run(make_tasks(request, probe("auto"), lambda line: None))


def test_a_fix_becomes_a_task(history, tmp_path):
    root, fix = history
    write(root, {"shop/text.py": "work in progress(\n"})  # the user's tree is read, and is nobody's business
    before = fingerprint(root)
    report, rows = mined(root, tmp_path / "fixes.jsonl")
    assert fingerprint(root) == before
    git(root, "checkout", "-q", "shop/text.py")
    assert [record["commit"] for record in report.records.values()] == [fix]
    row = rows[0]
    assert row["FAIL_TO_PASS"] == [
        "tests/test_text.py::test_slug[ A  b -a-b]",
        "tests/test_text.py::test_slug_of_nothing",
    ]
    assert "tests/test_stock.py::StockTests::test_take" in row["PASS_TO_PASS"]
    assert "tests/test_text.py" in row["test_patch"] and "shop/text.py" in row["patch"]
    (task,) = load_tasks(tmp_path / "fixes.jsonl")
    assert (task.repo_path / "shop/text.py").read_text() == BUGGY
    assert (task.repo_path / "shop/_version.py").is_file() and not (task.repo_path / "README.md").exists()
    text = row["problem_statement"]
    assert "loses words when there are several spaces" in text and "slug(' A  b ')" in text
    assert "separator" not in text and "#7" not in text
    assert report.tried == 4
    assert report.rejected == {
        "does not change source and tests together": 1,
        "its message tells of no trouble": 1,
        "its tests need what is not there before (a new feature)": 1,
    }


def test_a_bare_clone_does_as_well(history, tmp_path):
    root, _ = history
    git(tmp_path, "clone", "-q", "--bare", str(root), "shop.git")
    with pytest.raises(
        RepositoryError, match="_version"
    ):  # made when the project is built: a bare clone has none
        mined(tmp_path / "shop.git", tmp_path / "none.jsonl")
    work = tmp_path / "work"
    git(tmp_path, "clone", "-q", str(tmp_path / "shop.git"), "work")
    git(work, "rm", "-q", ".gitignore")
    commit(work, "Keep the version", {"shop/_version.py": "version = '1'\n"})
    shutil.rmtree(tmp_path / "shop.git")
    git(tmp_path, "clone", "-q", "--bare", "work", "shop.git")
    with pytest.raises(RepositoryError, match="no task came out of it"):
        mined(tmp_path / "shop.git", tmp_path / "none.jsonl")  # its older versions cannot be imported
    assert not (tmp_path / "none.jsonl").exists()


def test_no_history(tmp_path):
    with pytest.raises(RepositoryError, match="no git history"):
        mined(flat(tmp_path / "shop"), tmp_path / "x.jsonl")


PATCH = "--- a/m.py\n+++ b/m.py\n@@ -1,2 +1,2 @@\n-    return cache[key]\n+    return cache.get(key, default_value)\n"


@pytest.mark.parametrize(
    "message, told",
    [
        ("Fix crash when the file is empty (#12)", "Crash when the file is empty"),
        (
            "fix(parser): numbers with a sign are not read\n\nCo-authored-by: B <b@localhost>",
            "Numbers with a sign are not read",
        ),
        ("Use >= instead of > in chunked", ""),
        ("Fix lookup\n\nReturns default_value when the key is not there.", ""),
        ("Fixed a bug where names with dots were lost.\n\nAdd a check.", "Names with dots were lost."),
        ("This reverts commit 1234567, which is wrong", ""),
    ],
)
def test_what_a_message_tells(message, told):
    assert trouble(message, PATCH) == told


def test_messages_of_trouble():
    assert tells_of_trouble("Handle empty input") and tells_of_trouble("Wrong sign (#3)")
    assert not tells_of_trouble("Release 1.2") and not tells_of_trouble("Add a names method")
