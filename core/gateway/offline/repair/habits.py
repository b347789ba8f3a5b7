"""What a project does elsewhere is what it forgot here: deviations from its own habits are suspicious.

After Engler et al. 2001 ("Bugs as deviant behavior"): a helper with many call sites is more likely to be the one that
is missing than one with few, the more so where the same name is handed to it elsewhere.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from .candidates import Candidate, tokens

LEAST, MOST = 0.5, 3.0
SAME_ARGUMENT = 2.0


@dataclass(frozen=True)
class Habits:
    """How often each name is called in the files at hand, and with which first token in the parentheses."""

    calls: Counter[str]
    first: Counter[tuple[str, str]]


def habits_of(candidates: Sequence[Candidate]) -> Habits:
    """Count the calls of the files that the candidates are about."""
    calls: Counter[str] = Counter()
    first: Counter[tuple[str, str]] = Counter()
    for source in {c.path: c.source for c in candidates}.values():
        for line in source.lines:
            if not line.lstrip().startswith(("def ", "class ")):
                found = _calls(line)
                calls.update(name for name, _ in found)
                first.update(found)
    return Habits(calls, first)


def habit(candidate: Candidate, habits: Habits) -> float:
    """Factor of an edit that brings in a call, 1.0 for any other edit."""
    if not candidate.op.startswith(("wrap_helper", "helper_for")):
        return 1.0
    new = Counter(_calls(candidate.after)) - Counter(_calls(candidate.before))
    names = {name for name, _ in new} - {name for name, _ in _calls(candidate.before)}
    added = [call for call in new if call[0] in names]
    if not added:
        return LEAST
    name, argument = max(added, key=lambda call: habits.calls[call[0]])
    factor = min(MOST, LEAST + 0.5 * math.log2(1 + habits.calls[name]))
    return factor * SAME_ARGUMENT if habits.first[name, argument] else factor


def _calls(line: str) -> list[tuple[str, str]]:
    """(called name, first token in its parentheses) of a line."""
    words = tokens(line)
    return [
        (name, argument)
        for name, bracket, argument in zip(words, words[1:], words[2:], strict=False)
        if bracket == "(" and name.isidentifier()
    ]
