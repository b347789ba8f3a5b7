"""The watched run: real tests of a real folder, and what the order of edits makes of what it tells."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

from core.gateway.offline.repair.candidates import pool
from core.gateway.offline.repair.plausible import usage_of
from core.gateway.offline.repair.source import parse_source
from core.gateway.offline.repair.watching import command, missed, pure, read_watched

SHOP = '''"""A shop."""


def fold(text):
    return text.strip().lower()


def cents(amount):
    return round(amount * 100)


class Shop:
    def __init__(self):
        self.stock = {}

    def _key(self, name):
        return fold(name)

    def forget(self, name):
        self.stock.pop(name, None)

    def add(self, name, count):
        if count < 0:
            raise ValueError(count)
        self.stock[self._key(name)] = count

    def find(self, name):
        if not name:
            return None
        wanted = set([name])
        found = [n for n in self.stock if n in wanted]
        return self.stock[found[0]] if found else None
'''
TESTS = """from shop import Shop


def test_find():
    shop = Shop()
    shop.add("Tea ", 3)
    assert shop.find("tea") == 3
    assert shop.find(" TEA") == 3
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "shop.py").write_text(SHOP)
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests/test_shop.py").write_text(TESTS)
    (tmp_path / "tests/conftest.py").write_text("import sys\nsys.path.insert(0, '.')\n")
    return tmp_path


def lineno(name: str) -> int:
    return next(n.lineno for n in ast.walk(ast.parse(SHOP)) if getattr(n, "name", "") == name)


def watch(folder: Path, names=("Shop.find", "Shop.add"), test: str = "tests/test_shop.py::test_find") -> str:
    functions = {"shop.py": {name: lineno(name.rpartition(".")[2]) for name in names}}
    helpers = {"shop.py": ["fold", "cents", "self._key", "no_such_helper"]}
    asked = command("python -m pytest -q", [test], functions, helpers)
    env = {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    done = subprocess.run(
        ["sh", "-c", asked], cwd=folder, capture_output=True, text=True, check=True, env=env
    )
    assert done.stderr == ""
    return done.stdout


def test_it_tells_which_lines_ran_and_which_helpers_matter(folder):
    before = {p: p.read_bytes() for p in folder.rglob("*") if p.is_file()}
    watched = read_watched(watch(folder))
    assert {p: p.read_bytes() for p in folder.rglob("*") if p.is_file()} == before
    first = lineno("find")
    assert watched.lines["shop.py", "Shop.find"] == {first + 1, first + 3, first + 4, first + 5}
    assert watched.helpers["shop.py"] == {"fold", "cents", "self._key"}
    values = watched.values["shop.py", "Shop.find"]
    assert (values["name"].kind, values["name"].changed) == ("text", {"fold", "self._key"})
    assert values["set([name])"].each == {"fold", "self._key"}
    assert values["n"].changed == frozenset()  # the stock's names are folded already
    added = watched.values["shop.py", "Shop.add"]
    assert added["count"].kind == "number" and added["count"].changed == {"cents"}


def test_edits_without_effect_and_of_lines_that_did_not_run_come_last(folder):
    source = parse_source("shop.py", SHOP)
    weights = {function: 1.0 for function in source.functions}

    def fits(output: str) -> dict[str, float]:
        candidates = pool(weights, (source,), ("shop.py",), usage_of((source,), (), output))
        return {f"{c.before} -> {c.after}": c.fit for c in candidates}

    plain, told = fits(""), fits(watch(folder))
    helps = "wanted = set([name]) -> wanted = set([self._key(name)])"
    found = "found = [n for n in self.stock if {} in wanted]"
    inert = f"{found.format('n')} -> {found.format('self._key(n)')}"
    assert told[helps] > plain[helps] and told.get(inert, 0.0) < plain[inert] / 5
    assert "return None -> return name" not in told


def test_what_a_test_cannot_import_or_a_helper_spoils_is_told_as_far_as_it_goes(folder):
    assert read_watched(watch(folder, test="tests/test_shop.py::test_missing")).values == {}
    with open(folder / "shop.py", "a") as file:
        file.write("\n\ndef cents(amount):\n    raise SystemExit(amount)\n")
    assert "name" in read_watched(watch(folder)).values["shop.py", "Shop.find"]


@pytest.mark.parametrize("output", ["", "Traceback: [1, 2]", '["value", 1, 2]\n["lines", "a"', "[" * 10_000])
def test_any_output_can_be_read(output):
    watched = read_watched(output)
    assert not watched.helpers and not watched.lines and not watched.values


def test_only_helpers_that_change_nothing_are_called_for_a_try():
    functions = {n.name: n for n in ast.walk(ast.parse(SHOP)) if isinstance(n, ast.FunctionDef)}
    assert {name for name, node in functions.items() if pure(node)} == {"fold", "cents", "_key", "find"}


@pytest.mark.parametrize(
    "body",
    [
        "book = self.find(x)\n    book.frozen = True",
        "for row in self.rows:\n        row.append(x)",
        "CACHE[x] = 1",
        "self.journal.record(x)",
        "rows = [] if x else self.rows\n    rows.append(x)",
        "with self.lock as held:\n        held.count = 1",
    ],
)
def test_a_helper_that_reaches_something_else_is_not_called(body):
    assert not pure(ast.parse(f"def helper(self, x):\n    {body}\n    return x").body[0])


def test_what_a_helper_makes_itself_it_may_change():
    made = (
        "out = []\n    seen = {}\n    for a in x:\n        out.append(a)\n        seen[a] = 1\n    return out"
    )
    assert pure(ast.parse(f"def helper(x):\n    {made}").body[0])


def test_a_helper_that_raises_what_the_test_waits_for_has_an_effect(folder):
    with open(folder / "shop.py", "a") as file:
        file.write("\n\nclass Empty(LookupError):\n    pass\n\n\ndef strict(text):\n    raise Empty(text)\n")

    def effect(*errors):
        functions = {"shop.py": {"Shop.find": lineno("find")}}
        ask = command("python -m pytest -q", ["tests"], functions, {"shop.py": ["strict"]}, missed(errors))
        done = subprocess.run(["sh", "-c", ask], cwd=folder, capture_output=True, text=True, check=True)
        return read_watched(done.stdout).values["shop.py", "Shop.find"]["name"].changed

    assert effect("Failed: DID NOT RAISE <class 'shop.Empty'>") == {"strict"}
    assert effect("Failed: DID NOT RAISE (KeyError, LookupError)") == {"strict"}
    assert effect("Failed: DID NOT RAISE KeyError") == effect("KeyError: 1") == frozenset()


def test_tests_that_are_not_run_by_pytest_are_not_watched():
    assert command("make test", ["t"], {}, {}) == ""
    assert command("python3 -m pytest -q", ["t"], {}, {}).startswith("python3 - ")


def test_a_repair_watches_once_before_its_first_edit(repair):
    conftest = "import sys\nsys.path.insert(0, '.')\n"
    green, episode = repair({"shop.py": SHOP, "tests/test_shop.py": TESTS, "tests/conftest.py": conftest})
    kinds = ["watch" if "WATCH" in a.get("command", "") else a["action"] for a in episode.actions]
    assert green and kinds.count("watch") == 1 and kinds.index("watch") == kinds.index("edit_file") - 1
