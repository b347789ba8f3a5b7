from __future__ import annotations

import io
import itertools
import random
import re
import symtable
import tokenize
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.gateway.offline.design.compose import compose
from core.gateway.offline.design.space import sample
from core.program_key import program_key

BASELINES = sorted((Path(__file__).resolve().parents[2] / "memo_archive/baseline").glob("*.py"))
DESIGN = '''
"""Keeps the last fix."""
import json
from agents.memo_structure import MemoStructure
LIMIT = 3

def shorten(text, most=80):
    return text[:most]

class Mine(MemoStructure):
    def __init__(self):
        super().__init__()
        self._notes = []
        self.seen = 0

    async def general_update(self, recorder):
        for step in recorder.steps[-LIMIT:]:
            line = json.dumps(step)
            self._notes.append(shorten(line))  # short

    async def general_retrieve(self, recorder):
        """What it knows."""
        return {"notes": "\\n".join(note for note in self._notes if note)}
'''


def renamed(source: str) -> str:
    """Names of functions' variables and of the top of the file in another order of the alphabet, and a comment.

    Those that also occur as an attribute, as a keyword, in a class body or in a string stay.
    """
    tokens = list(tokenize.generate_tokens(io.StringIO(source).readline))
    visible = set(re.findall(r"\w+", " ".join(t.string for t in tokens if t.type == tokenize.STRING)))
    visible |= {b.string for a, b in itertools.pairwise(tokens) if a.string == "."}
    visible |= {
        b.string
        for a, b, c in zip(tokens, tokens[1:], tokens[2:], strict=False)
        if a.string in "(," and c.string == "="
    }
    own: set[str] = set()
    tables = [symtable.symtable(source, "design", "exec")]
    for table in tables:
        tables += table.get_children()
        bound = {s.get_name() for s in table.get_symbols() if s.is_local() and not s.is_imported()}
        if table.get_type() == "class":
            visible |= bound
        else:
            own |= bound
    names = {name for name in own - visible if not name.startswith("__")}
    words = [(t.type, f"zz_{t.string[::-1]}" if t.string in names else t.string) for t in tokens]
    return "# another comment\n" + tokenize.untokenize(words)


def test_names_comments_docstrings_annotations_and_formatting_change_nothing():
    other = DESIGN.replace("Mine", "LastFixMemory").replace("LIMIT", "HOW_MANY").replace("shorten", "cut")
    other = other.replace("_notes", "_lines").replace("step ", "one ").replace("(step)", "(one)")
    other = other.replace("note for note in self._lines if note", "x for x in self._lines if x")
    other = (
        other.replace("recorder", "run")
        .replace("text[:most]", "words[:most]")
        .replace("(text,", "(words: str,")
    )
    other = (
        other.replace("Keeps the last fix", "A new idea").replace("# short", "# cut it").replace("line", "l")
    )
    other = (
        other.replace('"""What it knows."""', "")
        .replace("_ls", "_lines")
        .replace('"\\n".join(', '"\\n".join(  ')
    )
    other = other.replace("LIMIT = 3", "LIMIT = 3\n\n")
    assert other != DESIGN and program_key(other) == program_key(DESIGN)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("LIMIT = 3", "LIMIT = 4"),
        ('"notes"', '"note"'),
        ("text[:most]", "text[most:]"),
        ("[-LIMIT:]", "[:LIMIT]"),
        ("if note", "if not note"),
        ("self.seen = 0", "self.runs = 0"),
        ("import json", "import pickle as json"),
        ("most=80", "most=90"),
        ("shorten(line)", "shorten(step)"),
    ],
)
def test_what_changes_the_program_changes_the_key(old, new):
    assert DESIGN.count(old) >= 1
    assert program_key(DESIGN.replace(old, new)) != program_key(DESIGN)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("def f(a, b):\n    return a - b\n", "def f(a, b):\n    return b - a\n"),
        (  # a keyword tells which parameter is which
            "def f(a, b):\n    return a - b\nf(a=1, b=2)\n",
            "def f(b, a):\n    return b - a\nf(a=1, b=2)\n",
        ),
        ("x = 1\ny = 2\nprint(x)\n", "x = 1\ny = 2\nprint(y)\n"),
        ("def f():\n    x = 1\n    return x\n", "x = 1\ndef f():\n    return x\n"),
        ("print([x for x in a for y in b])\n", "print([y for x in a for y in b])\n"),
        (
            "class A:\n    _n = 1\n    def f(self):\n        return _n\n",
            "class A:\n    _n = 1\n    def f(self):\n        return A._n\n",
        ),
        ("import a\na.b()\n", "import a\na.c()\n"),
        ("def f():\n    global x\n    x = 1\n", "def f():\n    x = 1\n"),
        ("def f(d):\n    return d._asdict()\n", "def f(d):\n    return d._replace()\n"),
    ],
)
def test_different_programs_that_look_alike_stay_different(one, other):
    assert program_key(one) != program_key(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (
            "def f():\n    x = 1\n    def g():\n        nonlocal x\n        x = 2\n",
            "def f():\n    y = 1\n    def g():\n        nonlocal y\n        y = 2\n",
        ),
        (
            "try:\n    f()\nexcept E as error:\n    print(error)\n",
            "try:\n    f()\nexcept E as e:\n    print(e)\n",
        ),
        (
            "match v:\n    case [a, *b]:\n        print(a, b)\n",
            "match v:\n    case [first, *rest]:\n        print(first, rest)\n",
        ),
        (
            "def f(xs):\n    return sorted(xs, key=lambda x: x.n)\n",
            "def f(rows):\n    return sorted(rows, key=lambda r: r.n)\n",
        ),
        (
            "def f(v):\n    return [y for x in v if (y := x)]\n",
            "def f(v):\n    return [b for a in v if (b := a)]\n",
        ),
        (
            "class A:\n    _n = 1\n    def f(self):\n        return self._n\n",
            "class B:\n    _m = 1\n    def f(self):\n        return self._m\n",
        ),
    ],
)
def test_every_kind_of_binding_is_numbered(one, other):
    assert program_key(one) == program_key(other)


def test_a_file_that_looks_at_its_names_keeps_them():
    one = "def f():\n    x = 1\n    return locals()\n"
    assert program_key(one) != program_key(one.replace("x", "y"))
    assert program_key('"""A."""\nprint(__doc__)\n') != program_key('"""B."""\nprint(__doc__)\n')
    assert program_key("def f(:") is None and program_key("x = '\0'") is None


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**9))
def test_a_composed_design_under_other_names_is_the_same_program_and_another_one_is_not(seed):
    rng = random.Random(seed)
    one, other = compose(sample(rng, {})), compose(sample(rng, {}))
    assert renamed(one) != one
    assert program_key(renamed(one)) == program_key(one)
    assert (program_key(one) == program_key(other)) == (one == other)


def test_the_designs_made_by_hand_are_different_programs():
    assert len({program_key(path.read_text()) for path in BASELINES}) == len(BASELINES)


DEEP = {
    "plus": lambda n: "x = " + " + ".join(["a"] * n) + "\n",
    "elif": lambda n: "def f(a):\n    if a:\n        pass\n" + "    elif a == 1:\n        return a\n" * n,
    "calls": lambda n: "x = a" + ".b()" * n + "\n",
}


@pytest.mark.parametrize("kind", DEEP)
def test_a_deep_program_has_a_key_and_one_too_deep_for_python_has_none(kind):
    source = DEEP[kind](1000)
    assert program_key(source) == program_key("# said differently\n" + source) is not None
    assert program_key(source) != program_key(DEEP[kind](999))
    assert program_key(DEEP[kind](100_000)) is None


def test_a_number_of_any_length_is_part_of_the_key():
    long = "x = 0x" + "f" * 5000
    assert None is not program_key(long) != program_key(long + "f")
