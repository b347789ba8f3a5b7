"""What stands around an edit tells whether it can be meant, and which module and tests to look at."""

from __future__ import annotations

import pytest

from core.gateway.offline.repair.candidates import pool
from core.gateway.offline.repair.plausible import usage_of
from core.gateway.offline.repair.source import parse_source
from core.gateway.offline.repair.testlog import Failure, TestRun

HEAD = """NOTHING = object()
EMPTY = object()


def cells(text):
    return len(text)


def flat(text):
    return " ".join(text.split())


def wide(text):
    return cells(text) > 9


"""
# (function, line that cannot be meant, line that can be)
PAIRS = [
    ("def f(text):\n    return len(text)\n", "return flat(text)", "return cells(text)"),
    ("def f(texts):\n    return [text for text in texts]\n", "return [text for text in cells(texts)]", None),
    (
        "def f(texts):\n    return max((len(text) for text in texts), default=0)\n",
        "return max((len(text) for text in texts), default=0).split()",
        "return max((cells(text) for text in texts), default=0)",
    ),
    (
        "def f(texts):\n    return max((len(text) for text in texts), default=0)\n",
        "return sum((len(text) for text in texts), default=0)",
        "return min((len(text) for text in texts), default=0)",
    ),
    ("def f(rows, text):\n    return list(zip(rows, text))\n", "return list(zip(rows, cells(text)))", None),
    (
        "def f(text):\n    name = text.strip()\n    return len(name)\n",
        "return len(name + 1)",
        "return len(name) + 1",
    ),
    ("def f(text):\n    raise ValueError(text)\n", "raise ValueError(flat(text))", None),
]


def fits(body: str) -> dict[str, float]:
    source = parse_source("lib.py", HEAD + body)
    function = next(f for f in source.functions if f.name == "f")
    found = pool({function: 1.0}, (source,), ("lib.py",), usage_of((source,)))
    return {c.after: c.fit for c in found if c.function is function}


@pytest.mark.parametrize(("body", "senseless", "sensible"), PAIRS)
def test_an_edit_that_python_would_refuse_hardly_counts(body, senseless, sensible):
    found = fits(body)
    assert found.get(senseless, 0.0) <= 0.25
    if sensible:
        assert found[sensible] >= 1.0


def test_a_method_is_not_exchanged_for_one_that_the_class_has_not():
    found = fits(
        "class Layers:\n    def get(self, key):\n        return key\n\n"
        "    def f(self, key):\n        return self.get(key)\n"
    )
    assert "return self.pop(key)" not in found


@pytest.mark.parametrize(
    "body",
    [
        "def f(value=NOTHING):\n    return value is None\n",
        "def f(*, value=NOTHING):\n    return value is None\n",
        "def f(row):\n    value = row.get(1, NOTHING)\n    return value is None\n",
    ],
)
def test_a_sentinel_that_the_variable_is_given_comes_before_others(body):
    found = fits(body)
    assert found["return value is NOTHING"] > 2 * found["return value is EMPTY"] > 0


def test_the_failing_tests_that_are_looked_at_are_of_every_file():
    tests = [f"tests/test_a.py::test_{i}" for i in range(30)] + ["tests/test_b.py::test_x"]
    run = TestRun(tuple(map(Failure, tests)), 0, True, False, 1, "")
    assert len(run.samples) == 12 and run.samples[1].test == "tests/test_b.py::test_x"
    assert run.samples[0].test == tests[0]


FILES = {
    "kit/__init__.py": "",
    "kit/names.py": "def key(name):\n    return name.strip().lower()\n",
    "kit/store.py": (
        "from kit.names import key\n\n\nclass Store:\n    def __init__(self):\n        self.rows = {}\n\n"
        "    def put(self, name, value):\n        self.rows[key(name)] = value\n\n"
        "    def take(self, name):\n        wanted = name\n        return self.rows.get(wanted)\n"
    ),
    "kit/orders.py": (
        "from kit.store import Store\n\n\ndef total(prices, names):\n    store = Store()\n"
        "    for name, price in prices:\n        store.put(name, price)\n"
        "    found = [store.take(name) for name in names]\n    return sum(found)\n"
    ),
    "tests/test_orders.py": (
        "from kit.orders import total\n\n\ndef test_total():\n"
        "    assert total([('Tea', 2), ('Jam', 3)], ['Tea', 'Jam']) == 5\n"
    ),
    "tests/test_store.py": (
        "from kit.store import Store\n\n\ndef test_take():\n    store = Store()\n    store.put('Tea', 2)\n"
        "    assert store.take('Tea') == 2\n"
    ),
    "conftest.py": "",
}


def test_a_module_below_two_that_fail_is_read_and_repaired(repair):
    green, episode = repair(FILES)
    read = [a["path"] for a in episode.actions if a["action"] == "read_file"]
    assert "kit/store.py" in read[:3]
    assert green


PICK = {
    "kit/__init__.py": "",
    "kit/base.py": "class _Nothing:\n    pass\n\n\nNOTHING = _Nothing()\n",
    "kit/pick.py": (
        "from kit.base import NOTHING\n\n\ndef last(rows, default=NOTHING):\n    for row in reversed(rows):\n"
        "        return row\n    if default is None:\n        raise LookupError('no rows')\n    return default\n"
    ),
    "tests/test_pick.py": (
        "import pytest\nfrom kit.pick import last\n\n\ndef test_none():\n    assert last([], None) is None\n\n\n"
        "def test_nothing():\n    with pytest.raises(LookupError):\n        last([])\n"
    ),
    "conftest.py": "",
}


def test_taking_out_what_raises_is_not_built_upon_at_once(repair):
    green, episode = repair(PICK)
    assert green
    assert "default is NOTHING" in (episode.folder / "kit/pick.py").read_text()
    assert "raise LookupError" in (episode.folder / "kit/pick.py").read_text()


def test_the_form_of_an_imported_helper_that_was_not_read_is_tried():
    source = parse_source(
        "kit/area.py", "from kit.rounding import half\n\n\ndef f(x, n):\n    return round(x, n)\n"
    )
    files = ("kit/area.py", "kit/rounding.py")
    found = pool({f: 1.0 for f in source.functions}, (source,), files, usage_of((source,)))
    assert "return half(x, n)" in [c.after for c in found]


def test_what_many_methods_do_is_likelier_to_be_missing_in_one():
    found = fits(
        "class Box:\n"
        "    def put(self, item):\n        self.items.add(item)\n        self.notice()\n        self.saved()\n\n"
        "    def take(self, item):\n        self.items.discard(item)\n        self.notice()\n\n"
        "    def f(self, item):\n        self.items.remove(item)\n"
    )
    assert found["self.notice()"] > found["self.saved()"] >= 1.0
