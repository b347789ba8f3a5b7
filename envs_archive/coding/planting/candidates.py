"""Which edit to try next: spread over modules, functions and kinds, by a seed."""

from __future__ import annotations

from collections import Counter
from random import Random

from .operators import Edit, edits_of
from .repository import Repository
from .suite import Lines


class Candidates:
    """All edits of a repository that some test meets; hands them out, the least familiar first.

    Args:
        lines: which tests run a line; an edit that no test runs cannot fail one.
    """

    def __init__(self, repository: Repository, lines: Lines, rng: Random) -> None:
        self._waiting: list[Edit] = []
        for path in repository.sources:
            if lines.of_file(path):
                self._waiting += [
                    e
                    for e in edits_of(path, repository.text(path))
                    if e.last == 0 or lines.tests(path, e.first, e.last)
                ]
        self.total = len(self._waiting)
        rng.shuffle(self._waiting)
        self._kinds: Counter[str] = Counter()
        self._functions: Counter[tuple[str, str]] = Counter()
        self._modules: Counter[str] = Counter()
        self._tried: Counter[tuple[str, str]] = Counter()

    def take(self, count: int) -> list[Edit]:
        """The next edits, at most ``count``; empty when all have been tried."""
        taken = []
        while self._waiting and len(taken) < count:
            edit = min(self._waiting, key=self._familiarity)
            self._waiting.remove(edit)
            self._tried[edit.path, edit.function] += 1
            self._tried["", edit.kind] += 1
            taken.append(edit)
        return taken

    def kept(self, edit: Edit) -> None:
        """An edit has become (part of) a task: others like it come later."""
        self._kinds[edit.kind] += 1
        self._functions[edit.path, edit.function] += 1
        self._modules[edit.path] += 1

    def _familiarity(self, edit: Edit) -> float:
        # A large module may have more bugs than a small one, but not in proportion to its edits.
        familiar = (
            2 * self._functions[edit.path, edit.function]
            + self._kinds[edit.kind]
            + self._modules[edit.path] / 2
        )
        tried = self._tried[edit.path, edit.function] / 2 + self._tried["", edit.kind] / 2
        return familiar + tried
