"""A small repository, in several layouts, for the tests of this folder."""

from __future__ import annotations

import subprocess
from pathlib import Path

TEXT = '''"""Texts."""

SEPARATOR = "-"


def slug(title, limit=20):
    """A title as part of an address."""
    words = title.strip().lower().split()
    if not words:
        raise ValueError("empty title")
    return SEPARATOR.join(words)[:limit]


def initials(name):
    letters = [word[0].upper() for word in name.split() if word]
    return ".".join(letters)


def wrap(text, width):
    lines, line = [], ""
    for word in text.split():
        if line and len(line) + 1 + len(word) > width:
            lines.append(line)
            line = word
        else:
            line = f"{line} {word}" if line else word
    if line:
        lines.append(line)
    return lines
'''
STOCK = '''"""Stock."""


class Stock:
    def __init__(self, items=None):
        self.items = dict(items or {})
        self.sold = 0

    def add(self, name, count=1):
        if count <= 0:
            raise ValueError("count must be positive")
        self.items[name] = self.items.get(name, 0) + count

    def take(self, name, count=1):
        left = self.items.get(name, 0)
        if count > left:
            return False
        self.items[name] = left - count
        self.sold += count
        return True

    def missing(self, least):
        return sorted(name for name, count in self.items.items() if count < least)
'''
TEST_TEXT = """import pytest

from shop.text import initials, slug, wrap


@pytest.mark.parametrize("title, expected", [("Hello World", "hello-world"), (" A  b ", "a-b")])
def test_slug(title, expected):
    assert slug(title) == expected


def test_slug_is_cut():
    assert slug("one two three four five") == "one-two-three-four-f"


def test_slug_of_nothing():
    with pytest.raises(ValueError):
        slug("  ")


def test_initials():
    assert initials("ada king lovelace") == "A.K.L"


def test_initials_of_nothing():
    assert initials("") == ""


def test_wrap():
    assert wrap("aa bb cc", 5) == ["aa bb", "cc"]


def test_wrap_of_a_long_word():
    assert wrap("a bbbbbbb", 3) == ["a", "bbbbbbb"]
"""
TEST_STOCK = """import unittest

from shop.stock import Stock


class StockTests(unittest.TestCase):
    def test_add(self):
        stock = Stock({"tea": 1})
        stock.add("tea", 2)
        self.assertEqual(stock.items, {"tea": 3})

    def test_add_nothing(self):
        with self.assertRaises(ValueError):
            Stock().add("tea", 0)

    def test_take(self):
        stock = Stock({"tea": 2})
        self.assertTrue(stock.take("tea", 2))
        self.assertEqual(stock.sold, 2)
        self.assertFalse(stock.take("tea"))

    def test_items_are_copied(self):
        items = {"tea": 2}
        Stock(items).take("tea")
        self.assertEqual(items, {"tea": 2})

    def test_missing(self):
        self.assertEqual(Stock({"tea": 2, "rum": 1, "gin": 1}).missing(2), ["gin", "rum"])
"""
# One that fails, one whose outcome depends on the order, one that is slow, and one that asks for what is not there.
ODD_TESTS = """import time

seen = []


def test_wrong():
    assert 1 == 2


def test_first():
    seen.append(1)


def test_second():
    assert seen == [1]


def test_long():
    time.sleep(0.5)
"""
UNCOLLECTED = "import no_such_library\n\n\ndef test_nothing():\n    pass\n"


def write(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return root


def flat(root: Path) -> Path:
    """Package beside its tests, settings that ask for a plugin, a conftest at the top, tests that are of no use."""
    return write(
        root,
        {
            "shop/__init__.py": "",
            "shop/text.py": TEXT,
            "shop/stock.py": STOCK,
            "conftest.py": "import pytest\n\n\n@pytest.fixture(autouse=True)\ndef quiet():\n    yield\n",
            "tests/test_text.py": TEST_TEXT,
            "tests/test_stock.py": TEST_STOCK,
            "tests/test_odd.py": ODD_TESTS,
            "tests/test_uncollected.py": UNCOLLECTED,
            "pyproject.toml": '[tool.pytest.ini_options]\naddopts = "--no-such-plugin-option"\n',
        },
    )


def src_layout(root: Path) -> Path:
    """Package below src/ that is not installed, and nothing that tells pytest so."""
    return write(
        root,
        {
            "src/shop/__init__.py": "",
            "src/shop/text.py": TEXT,
            "src/shop/stock.py": STOCK,
            "tests/test_text.py": TEST_TEXT,
            "tests/test_stock.py": TEST_STOCK,
            "setup.py": "from setuptools import setup\n\nsetup()\n",
        },
    )


def git(folder: Path, *arguments: str) -> str:
    who = ["-c", "user.name=A", "-c", "user.email=a@localhost", "-c", "commit.gpgsign=false"]
    done = subprocess.run(["git", *who, *arguments], cwd=folder, check=True, capture_output=True, text=True)
    return done.stdout


def commit(folder: Path, message: str, files: dict[str, str]) -> str:
    write(folder, files)
    git(folder, "add", "-A")
    git(folder, "commit", "-q", "-m", message)
    return git(folder, "rev-parse", "HEAD").strip()
