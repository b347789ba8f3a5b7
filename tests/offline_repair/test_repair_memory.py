"""Memory acts on the order of candidates, through its text alone."""

from __future__ import annotations

import pytest

from core.gateway.offline.repair import memory_similarity, note_edits, ranking
from core.gateway.offline.repair.candidates import Candidate, pool
from core.gateway.offline.repair.localize import locate
from core.gateway.offline.repair.plausible import usage_of
from core.gateway.offline.repair.source import parse_source
from core.gateway.offline.repair.testlog import Failure, TestRun

SOURCE = """MINUTE = 60


def canon(key):
    return key.strip().lower()


class Store:
    def __init__(self):
        self.items = {}
        self.version = 0

    def put(self, key, value):
        self.items[canon(key)] = value
        self.version += 1

    def fetch(self, key, default=None):
        if key in self.items:
            return self.items[key]
        return default

    def drop(self, key):
        self.rows.pop(key, None)
        self.version += 1

    def wait(self, minutes, extra):
        return minutes + extra
"""
FILES = ("store.py", "tests/test_store.py")


def run_of(function: str, error: str) -> TestRun:
    failure = Failure(
        f"tests/test_store.py::test_{function}",
        error,
        (),
        f"assert store.{function}(1)",
        f"store.{function}(1)",
    )
    return TestRun((failure,), 3, True, False, 1, "x")


def ranked(memory: str, function: str = "fetch", error: str = "assert None == 1") -> list[str]:
    source = parse_source("store.py", SOURCE)
    run = run_of(function, error)
    weights = locate(run, "", (source,), ())
    usage = usage_of((source,))
    found = pool(weights, (source,), FILES, usage)
    names = frozenset(("canon", "Store", "items", "version", "fetch", "MINUTE", "minutes"))
    notes = memory_similarity.read_notes(memory, frozenset(FILES), names)
    found += note_edits.suggested(notes, weights, (source,), FILES, usage, {c.key for c in found})
    scores = ranking.score(found, weights, run, "", notes)
    best = sorted(range(len(found)), key=lambda i: -scores[i])
    return [found[i].after for i in best]


def test_an_idiom_noted_elsewhere_raises_its_use_here() -> None:
    note = "- In `store.py` `name_of`: fixed by changing `return name` to `return canon(name)`"
    fix = "return canon(default)"
    without, position = ranked("").index(fix), ranked(note).index(fix)
    assert position < without
    assert position < 8


def test_the_same_note_from_another_project_changes_little() -> None:
    fix = "return self.items[canon(key)]"
    foreign = (
        "- In `lib/users.py` `drop`: fixed by changing `del users[name]` to `del users[clean_name(name)]`"
    )
    assert abs(ranked(foreign).index(fix) - ranked("").index(fix)) <= 5
    assert ranked(foreign)[:3] == ranked("")[:3]


def test_the_very_fix_comes_first() -> None:
    note = "- In `store.py` `fetch`: fixed by changing `return default` to `return default or self.version`"
    assert ranked(note)[0] == "return default or self.version"


def test_a_noted_statement_is_inserted_at_other_places() -> None:
    note = "- In `store.py` `drop`: fixed by adding `self.version += 1`"
    assert any("self.version += 1" in text for text in ranked(note)[:12])


def test_a_factor_is_carried_over() -> None:
    note = "- In `store.py` `sleep`: fixed by changing `return pause` to `return pause * MINUTE`"
    fix = "return minutes * MINUTE + extra"
    error = "assert 3 == 121"
    assert ranked(note, "wait", error).index(fix) < ranked("", "wait", error).index(fix) / 2


def test_a_note_about_a_function_speaks_for_those_that_live_beside_it() -> None:
    source = parse_source("app.py", "from .angles import to_degrees, to_radians\nfrom .text import fold\n")
    home = memory_similarity.homes([source, parse_source("lib/roots.py", "def half(x):\n    return x / 2\n")])
    assert home == {"to_degrees": "angles", "to_radians": "angles", "fold": "text", "half": "roots"}
    note = "- In `app.py` `turn`: fixed by changing `sin(angle)` to `sin(to_radians(angle))`"
    notes = memory_similarity.read_notes(note, frozenset(["app.py"]), frozenset(["to_radians", "angle"]))
    [idea] = memory_similarity.ideas(notes)
    code = parse_source("app.py", "def turn(x):\n    return f(x)\n")
    start = code.text.index("f(x)")

    def speaks(text: str) -> float:
        return memory_similarity.likeness(
            idea, Candidate(code, code.functions[0], "", start, start + 4, text), home
        )

    assert speaks("to_radians(f(x))") > speaks("to_degrees(f(x))") > speaks("fold(f(x))")


def test_prose_about_a_helper_acts_weakly() -> None:
    prose = "Always call `canon(key)` before a lookup."
    fix = "if canon(key) in self.items:"
    assert ranked(prose).index(fix) <= ranked("").index(fix)


@pytest.mark.parametrize(
    "memory", ["", "   ", "no code at all", "`" * 99, "{'steps': [", "\x00�", "- `a` -> `"]
)
def test_unreadable_memory_does_no_harm(memory: str) -> None:
    assert ranked(memory)[:5] == ranked("")[:5]


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ("d[k]", "d[f(k)]", ("wrap", "f(__hole__)")),
        ("if a:", "if a and b:", ("wrap", "__hole__ and b")),
        ("g(x)", "g(x, deep=True)", ("keyword", "g|deep=True")),
        ("return LOW", "return HIGH", ("replace", "LOW|HIGH")),
        ("x = (", "y", ("", "")),
    ],
)
def test_patterns_of_changes(before: str, after: str, expected: tuple[str, str]) -> None:
    assert note_edits.pattern(before, after) == expected


def test_a_helper_of_a_common_name_is_an_idea_of_the_project() -> None:
    note = "- In `app.py`: fixed by changing `return name` to `return key(name)`"
    arguments = (note, frozenset(["app.py"]), frozenset(["key", "name"]))
    assert memory_similarity.read_notes(*arguments).items[0].names == frozenset()
    [idea] = memory_similarity.ideas(memory_similarity.read_notes(*arguments, frozenset(["key"])))
    assert idea.names == {"+key"}


def test_a_line_that_was_added_elsewhere_is_not_put_into_every_function_first() -> None:
    note = "- In `store.py` `put`: fixed by adding `self.version += 1`"
    first = ranked(note, "wait", "assert 3 == 180")[:8]
    assert first.count("self.version += 1") <= 1
