"""The way from one file to another as texts to put in the place of others, each of which stands there once."""

from __future__ import annotations

import difflib

MOST_CHANGED = 0.6
"""Of a file's lines; where more are changed the file is better written anew."""


def edits_of(before: str, after: str) -> list[tuple[str, str]] | None:
    """(old, new) pairs, to be applied one after the other; None when they would leave little as it is."""
    old, new = before.splitlines(keepends=True), after.splitlines(keepends=True)
    matcher = difflib.SequenceMatcher(None, old, new, autojunk=False)
    changes = [op[1:] for op in matcher.get_opcodes() if op[0] != "equal"]
    if not changes or sum(b - a for a, b, _, _ in changes) > MOST_CHANGED * len(old):
        return None
    changes = _unique(old, changes)
    # From the end on: what is searched for is then still as it was, and what was put in lies behind it.
    edits = [("".join(old[a:b]), "".join(new[c:d])) for a, b, c, d in reversed(changes)]
    text = before
    for searched, put in edits:
        if text.count(searched) != 1:  # what was put in repeats it
            return None
        text = text.replace(searched, put)
    return edits if text == after else None


def _unique(old: list[str], changes: list[tuple[int, int, int, int]]) -> list[tuple[int, int, int, int]]:
    """Changes widened by the lines around them until their text stands in the file once; those that meet are joined."""
    text = "".join(old)
    widened: list[tuple[int, int, int, int]] = []
    for a, b, c, d in changes:
        while text.count("".join(old[a:b])) != 1 or not "".join(old[a:b]).strip():
            if a > 0:
                a, c = a - 1, c - 1
            elif b < len(old):
                b, d = b + 1, d + 1
            else:
                break
        while widened and widened[-1][1] >= a:
            before = widened.pop()
            a, c = min(a, before[0]), min(c, before[2])
        widened.append((a, b, c, d))
    return widened
