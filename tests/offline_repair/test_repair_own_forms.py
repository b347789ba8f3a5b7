"""The project's own forms are in the pool, and what the project does elsewhere decides which of them come first."""

from __future__ import annotations

import json

import pytest

from core.gateway.offline.repair import explore, ranking
from core.gateway.offline.repair.candidates import pool
from core.gateway.offline.repair.conversation import read_state
from core.gateway.offline.repair.memory_similarity import read_notes
from core.gateway.offline.repair.plausible import usage_of
from core.gateway.offline.repair.source import parse_source
from core.gateway.offline.repair.testlog import TestRun

HEAD = """NOTHING = object()


def cells(text):
    return len(text)


def plain(name):
    return name.strip().lower()


def within(index, size):
    return index % size


"""
FORMS = [
    ("def f(text):\n    return len(text) + 1\n", "return cells(text) + 1"),
    ("def f(word):\n    return {word.lower(): 1}\n", "return {plain(word): 1}"),
    ("def f(names):\n    found = set(names)\n", "found = {plain(item) for item in names}"),
    ("def f(names):\n    found = sorted(names)\n", "found = sorted(plain(item) for item in names)"),
    ("def f(value=NOTHING):\n    return value is None\n", "return value is NOTHING"),
    ("def f(value=NOTHING):\n    return value is NOTHING\n", "return value is None"),
    (
        "class Row:\n    def __init__(self):\n        self.size = 3\n\n"
        "    def f(self, index):\n        return self.at(index)\n",
        "return self.at(within(index, self.size))",
    ),
]


def found(body: str):
    source = parse_source("lib.py", HEAD + body)
    return source, pool({f: 1.0 for f in source.functions}, (source,), ("lib.py",), usage_of((source,)))


@pytest.mark.parametrize(("body", "line"), FORMS)
def test_the_projects_own_form_is_in_the_pool(body, line):
    _, candidates = found(body)
    assert line in [c.after for c in candidates]


USER = """def a(name):
    return ROWS[plain(name)]


def b(name):
    return plain(name) in ROWS


def c(text):
    return plain(text)


def f(name):
    return ROWS.pop(name)
"""


def test_a_helper_that_is_used_everywhere_is_tried_before_one_that_is_not():
    source, candidates = found(USER)
    target = next(f for f in source.functions if f.name == "f")
    run = TestRun((), 1, True, False, 1, "x")
    scores = ranking.score(candidates, {target: 1.0}, run, "", read_notes("", frozenset(), frozenset()))
    by_line = {c.after: s for c, s in zip(candidates, scores, strict=True) if c.function is target}
    assert by_line["return ROWS.pop(plain(name))"] > 2 * by_line["return ROWS.pop(cells(name))"]


def fits(body: str) -> dict[str, float]:
    _, candidates = found(body)
    return {c.after: c.fit for c in candidates if c.function.name == "f"}


def test_a_call_fits_by_the_names_it_is_given_elsewhere():
    factors = fits(USER)
    assert factors["return ROWS.pop(plain(name))"] > 1.0 > factors["return ROWS.pop(cells(name))"]


def test_what_has_the_wrong_kind_hardly_fits_or_is_left_out():
    factors = fits("def f(count):\n    total = count + 1\n    return total\n")
    assert factors.get("return plain(total)", 0.0) < 0.2 < factors["return cells(total)"] * 4
    assert "total = (count + 1).lower()" not in factors


def test_a_condition_may_become_any_truth_but_a_value_keeps_its_kind():
    code = "def ok(text):\n    return text.isdigit()\n\n\ndef f(text):\n    if text:\n        return text.upper()\n"
    factors = fits(code)
    assert factors["if ok(text):"] > 2 * factors["return ok(text.upper())"]


def test_the_second_argument_of_a_helper_is_what_it_is_called():
    code = (
        "def scaled(value, unit):\n    return value * UNITS[unit]\n\n\n"
        "def f(amount, colour, unit):\n    return amount + 1\n"
    )
    assert "return scaled(amount, unit) + 1" in fits(code)


def test_lines_of_files_not_read_show_how_a_helper_is_called():
    source = parse_source(
        "lib.py", "from .keys import plain\n\n\ndef f(name, size):\n    return ROWS[name] + size\n"
    )
    target = source.functions[:1]
    lines = (
        "def plain(text: str) -> str:",
        "    return self.rows.get(plain(name))",
        "    if plain(name) == other:",
    )
    for seen, better in (((), False), (lines, True)):
        usage = usage_of((source,), seen)
        candidates = pool({f: 1.0 for f in target}, (source,), ("lib.py", "keys.py"), usage)
        factors = {c.after: c.fit for c in candidates}
        key, number = (
            factors["return ROWS[plain(name)] + size"],
            factors.get("return ROWS[name] + plain(size)", 0.0),
        )
        assert (key > 3 * number) == better


TASK = """# Issue
Wrong.

# Repository
Project: p
Working directory: /workspace
Files:
lib/__init__.py
lib/near.py
lib/other.py
tests/test_lib.py
Test command: python -m pytest -q
Step limit: 30
"""
RUN = """[1/30] run_command: exit code 1
F.
=================================== FAILURES ===================================
__________________________________ test_near ___________________________________

    def test_near():
>       assert near(1) == 2
E       assert 1 == 2

tests/test_lib.py:5: AssertionError
=========================== short test summary info ============================
FAILED tests/test_lib.py::test_near - assert 1 == 2
1 failed, 1 passed
"""


def conversation(*steps):
    messages = [{"role": "system", "content": "s"}, {"role": "user", "content": TASK}]
    for action, observation in steps:
        messages += [{"role": "assistant", "content": action}, {"role": "user", "content": observation}]
    return read_state(messages)


TEST_FILE = "from lib import far, near\n\n\ndef test_near():\n    assert near(1) == 2\n"
PACKAGE = "from lib.other import far\nfrom lib.near import near\n"


def reading(number, path, text):
    action = json.dumps({"action": "read_file", "path": path})
    return action, f"[{number}/30] read_file {path}: {len(text)} characters\n{text}"


def test_a_package_that_hands_a_name_on_is_followed_to_its_module():
    state = conversation(
        ('{"action": "run_command", "command": "python -m pytest -q"}', RUN),
        reading(2, "tests/test_lib.py", TEST_FILE),
        reading(3, "lib/__init__.py", PACKAGE),
    )
    run = next(t.run for t in state.trials)
    assert explore.next_look(state, run)["path"] == "lib/near.py"


def test_the_uses_of_imported_helpers_are_searched_once():
    near = "from lib.other import far\n\n\ndef near(x):\n    return x\n"
    steps = [
        ('{"action": "run_command", "command": "python -m pytest -q"}', RUN),
        reading(2, "tests/test_lib.py", TEST_FILE),
        reading(3, "lib/__init__.py", PACKAGE),
        reading(4, "lib/near.py", near),
    ]
    state = conversation(*steps)
    run = next(t.run for t in state.trials)
    look = explore.next_look(state, run)
    assert look["action"] == "search" and "far" in look["pattern"]
    answer = (json.dumps(look), f"[5/30] search {look['pattern']!r}: 1 matches\nlib/other.py:1:def far(x):")
    after = conversation(*steps, answer)
    assert explore.next_look(after, run) is None
    assert explore.lines_of_others(after) == ("def far(x):",)


def test_the_definition_that_the_failing_line_calls_is_read_first():
    state = conversation(
        ('{"action": "run_command", "command": "python -m pytest -q"}', RUN),
        (
            '{"action": "search", "pattern": "x"}',
            "[2/30] search 'x': 3 matches\nlib/other.py:1:def far(x):\nlib/other.py:9:class Near:\n"
            "lib/near.py:3:def near(x):",
        ),
    )
    run = next(t.run for t in state.trials)
    assert explore.next_look(state, run)["path"] == "lib/near.py"


def test_a_text_may_go_where_something_is_gone_through():
    code = (
        "def width(text):\n    total = 0\n    for letter in text:\n        total += 2 if letter > 'z' else 1\n"
        "    return total\n\n\ndef f(name):\n    label = f'[{name}]'\n    return len(label)\n"
    )
    assert fits(code)["return width(label)"] > 0.2


def test_what_a_line_holds_already_is_no_stranger_there():
    _, candidates = found("def f(left, right):\n    return plain(left), right\n")
    twice = next(c for c in candidates if c.after == "return plain(left), plain(right)")
    once = next(c for c in candidates if c.after == "return plain(left), within(right, left)")
    familiar = ranking.familiar_pairs([twice])
    natural = [ranking.naturalness(c.before, c.after, familiar) for c in (twice, once)]
    assert natural[0] > natural[1]
