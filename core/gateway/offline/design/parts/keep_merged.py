# ruff: noqa: F821 (names of other parts)
from __future__ import annotations


def keep(entries: list[Entry], new: Entry) -> None:
    """Add an entry, or count the one of its project that says the same."""
    for entry in entries:
        if new.essence and (entry.project, entry.essence) == (new.project, new.essence):
            entry.count += 1
            entry.key += "\n" + new.key
            entry.vector = []
            return
    entries.append(new)
