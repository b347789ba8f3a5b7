"""Which single edits the pool holds: buggy function, and the line that repairs it."""

from __future__ import annotations

import ast

import pytest

from core.gateway.offline.repair.candidates import pool
from core.gateway.offline.repair.plausible import usage_of
from core.gateway.offline.repair.source import SourceFile, parse_source

HEAD = """import math

LIMIT = 60
RATE = 7


def norm(text):
    return text.strip().lower()


def other(a, b, strict=False):
    return a


"""


def candidates(body: str) -> tuple[SourceFile, list]:
    source = parse_source("lib.py", HEAD + body)
    return source, pool({f: 1.0 for f in source.functions}, (source,), ("lib.py",), usage_of((source,)))


CASES = [
    ("def f(a, b):\n    return a < b\n", "return a <= b"),
    ("def f(a, b):\n    return a == b\n", "return a != b"),
    ("def f(a, b):\n    return a + b\n", "return a - b"),
    ("def f(a, b):\n    return a / b\n", "return a // b"),
    ("def f(a, b):\n    return a - b\n", "return b - a"),
    ("def f(a, b):\n    if a and b:\n        return 1\n", "if a or b:"),
    ("def f(a):\n    if a:\n        return 1\n", "if not a:"),
    ("def f(a):\n    return not a\n", "return a"),
    ("def f(a):\n    return a[1:]\n", "return a[:]"),
    ("def f(a, n):\n    return a[:n - 1]\n", "return a[:n]"),
    ("def f(n):\n    return list(range(n))\n", "return list(range(n + 1))"),
    ("def f(n):\n    return list(range(n))\n", "return list(range(1, n))"),
    ("def f(a):\n    return a[0]\n", "return a[-1]"),
    ("def f(a):\n    return min(a)\n", "return max(a)"),
    ("def f(a, b):\n    return other(a, b)\n", "return other(b, a)"),
    ("def f(a, b, strict):\n    return other(a, b)\n", "return other(a, b, strict=strict)"),
    ("def f(a, b):\n    return other(a, b, strict=True)\n", "return other(a, b)"),
    ("def f(d, k):\n    return d[k]\n", "return d[norm(k)]"),
    ("def f(d, k):\n    return d[k]\n", "return d.get(k)"),
    ("def f(a):\n    return a\n", "return norm(a)"),
    ("def f(a):\n    return norm(a)\n", "return a"),
    ("def f(a):\n    return a.split()\n", "return a.lower().split()"),
    ("def f(minutes):\n    return minutes\n", "return minutes * LIMIT"),
    ("def f(m, s):\n    return m + s\n", "return m * LIMIT + s"),
    ("def f():\n    return LIMIT\n", "return RATE"),
    ("def f(a):\n    return sorted(a)\n", "return sorted(a, reverse=True)"),
    ("def f(a):\n    raise ValueError(a)\n", "raise TypeError(a)"),
    ("def f(a, b):\n    c = a\n    return c + b\n", "c = b"),
    ("def f(a):\n    for x in a:\n        break\n", "continue"),
    ("def f(a):\n    return a or 3\n", "return a if a is not None else 3"),
    ("def f(a):\n    return a * 2\n", "return a * 3"),
    ("def f(a):\n    total = 0\n    for x in a:\n        total = x\n    return total\n", "total += x"),
    ("def f(a):\n    é = a < 3\n    return é\n", "é = a <= 3"),
]


@pytest.mark.parametrize(("body", "fixed"), CASES)
def test_the_repair_is_in_the_pool_and_parses(body: str, fixed: str) -> None:
    _, found = candidates(body)
    hits = [c for c in found if c.after == fixed and c.function.name == "f"]
    assert hits, sorted({c.after for c in found if c.function.name == "f"})
    ast.parse(hits[0].result())


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ("def f(a):\n    b = 1\n", "    b = 1\n    return b"),
        ("def f(a):\n    return a\n", "    if not a:\n        return []\n    return a"),
        ("def f(a):\n    for x in a:\n        y = x\n        return y\n", "        y = x\n    return y"),
        (
            "class C:\n    def g(self):\n        self.n = 1\n        self.touch()\n\n"
            "    def f(self):\n        self.n = 2\n",
            "        self.n = 2\n        self.touch()",
        ),
    ],
)
def test_statement_edits(body: str, text: str) -> None:
    _, found = candidates(body)
    assert any(text in c.result() for c in found)


def test_same_edits_appear_once_and_nothing_is_unchanged() -> None:
    source, found = candidates("def f(a, n):\n    return a[n - 1:n + 1]\n")
    assert len({c.key for c in found}) == len(found)
    assert all(c.result() != source.text for c in found)


def test_code_that_does_not_parse_gives_no_candidates() -> None:
    source = parse_source("lib.py", "def f(:\n")
    assert pool({f: 1.0 for f in source.functions}, (source,), ("lib.py",), usage_of((source,))) == []


def test_a_file_cut_in_the_middle_keeps_its_whole_functions() -> None:
    source = parse_source("lib.py", HEAD + "def f(a):\n    return a\n\n\ndef g(a):\n    return (a +")
    assert [f.name for f in source.functions if f.name] == ["norm", "other", "f"]
