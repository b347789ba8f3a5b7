"""Whole repairs on small repositories, with real test runs."""

from __future__ import annotations

from collections.abc import Callable

TESTS = """from box.core import *


def test_window():
    assert window([1, 2, 3, 4], 2) == [2, 3]


def test_size():
    assert size([1]) == 1
"""
CORE = "def size(items):\n    return len(items)\n\n\ndef window(items, start):\n    return items[start - 1:{end}]\n"


def test_a_wrong_bound_is_repaired(repair: Callable) -> None:
    files = {"box/__init__.py": "", "box/core.py": CORE.format(end="start"), "tests/test_core.py": TESTS}
    solved, episode = repair(files)
    assert solved
    assert (episode.folder / "box/core.py").read_text() == CORE.format(end="start + 1")


def test_a_crash_in_a_helper_under_src_is_found_by_its_traceback(repair: Callable) -> None:
    files = {
        "conftest.py": "import sys\nsys.path.insert(0, 'src')\n",
        "src/text/__init__.py": "from .join import joined\n",
        "src/text/join.py": "from .parts import parts\n\n\ndef joined(line):\n    return '-'.join(parts(line))\n",
        "src/text/parts.py": (
            "def parts(line):\n    words = line.split()\n"
            "    return [words[i + 1] for i in range(len(words))]\n"
        ),
        "tests/test_text.py": (
            "import text\n\n\nclass TestJoin:\n    def test_joined(self):\n"
            "        assert text.joined('a b') == 'a-b'\n\n\n"
            "def test_there():\n    assert text\n"
        ),
    }
    solved, episode = repair(files)
    assert solved
    assert "words[i]" in (episode.folder / "src/text/parts.py").read_text()


STORE = """def canon(name):
    return " ".join(name.split()).lower()


class Store:
    def __init__(self):
        self.rows = {}
        self.log = []

    def put(self, name, value):
        self.rows[canon(name)] = value

    def total(self, first, second, scale=1):
        low = min(first, second)
        high = max(first, second)
        part = self.rows.get(first, low) + self.rows.get(second, high)
        return part * scale
"""
STORE_TESTS = """from store import Store


def make():
    store = Store()
    store.put("A  b", 2)
    store.put("C", 3)
    return store


def test_total():
    assert make().total("a b", " A b ") == 4


def test_put():
    assert make().rows == {"a b": 2, "c": 3}
"""


def test_memory_of_the_project_changes_what_is_tried_first(repair: Callable) -> None:
    fixed = STORE.replace("get(first, low)", "get(canon(first), low)")
    files = {"store.py": fixed, "test_store.py": STORE_TESTS}
    note = "- In `store.py` `drop`: fixed by changing `self.rows.pop(name, None)` to `self.rows.pop(canon(name), None)`"
    tries = []
    for memory in ("", note):
        solved, episode = repair(files, memory=memory)
        edits = [a for a in episode.actions if a["action"] == "edit_file"]
        tries.append(len(edits))
    assert solved
    assert tries[1] < tries[0]
