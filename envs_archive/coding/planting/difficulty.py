"""How hard a planted bug is to find, measured: never guessed from its kind."""

from __future__ import annotations

import ast
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from .repository import Repository, is_test_path
from .suite import Lines

FEW_SUSPECTS, MANY_SUSPECTS = 2, 10

Place = tuple[str, str]  # path, qualified name of a function


@dataclass(frozen=True)
class Difficulty:
    """Attributes:
    level: easy, medium or hard.
    places: functions that must be changed.
    named: a visible failure's traceback ends in one of them.
    suspects: functions that are at least as suspicious as the least suspicious of them, by Ochiai's coefficient over
        the tests that the agent sees (Abreu, Zoeteweij and van Gemund, On the Accuracy of Spectrum-based Fault
        Localization, 2007): how many an agent would look at that went by coverage alone.
    """

    level: str
    places: int
    named: bool
    suspects: int


class Functions:
    """The functions of a repository and the tests that run them."""

    def __init__(self, repository: Repository, lines: Lines) -> None:
        self.tests: dict[Place, frozenset[str]] = {}
        for path in repository.sources:
            for name, first, last in functions_in(ast.parse(repository.text(path))):
                tests = lines.tests(path, first, last)
                if tests:
                    self.tests[path, name] = self.tests.get((path, name), frozenset()) | tests

    def measure(
        self, places: Iterable[Place], failing: frozenset[str], failures: Mapping[str, Mapping[str, Any]]
    ) -> Difficulty:
        """The difficulty for somebody who sees these tests fail."""
        changed = set(places)
        ends = {end_of(failures[test]) for test in failing if test in failures}
        named = bool(ends & changed)
        least = min(self._ochiai(place, failing) for place in changed)
        suspects = sum(self._ochiai(place, failing) >= least for place in self.tests)
        if len(changed) > 1 or (suspects > MANY_SUSPECTS and not named):
            level = "hard"
        elif named or suspects <= FEW_SUSPECTS:
            level = "easy"
        else:
            level = "medium"
        return Difficulty(level, len(changed), named, suspects)

    def _ochiai(self, place: Place, failing: frozenset[str]) -> float:
        tests = self.tests.get(place, frozenset())
        return len(tests & failing) / math.sqrt(len(failing) * len(tests)) if tests and failing else 0.0


def end_of(failure: Mapping[str, Any]) -> Place | None:
    """The innermost function of the library in a traceback."""
    for path, name, _ in reversed(failure["places"]):
        if not is_test_path(path):
            return path, name.replace(".<locals>", "")
    return None


def functions_in(tree: ast.AST, prefix: str = "") -> Iterable[tuple[str, int, int]]:
    """(qualified name, first and last line of the body) of all functions."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield f"{prefix}{node.name}", node.body[0].lineno, node.end_lineno or node.lineno
        named = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
        yield from functions_in(node, f"{prefix}{node.name}." if named else prefix)
