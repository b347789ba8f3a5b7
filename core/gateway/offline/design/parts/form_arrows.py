# ruff: noqa: F821 (names of other parts)
from __future__ import annotations


def describe(edit: Edit, test: str, message: str) -> str:
    """The change alone, as ``before -> after``: the shortest form."""
    before, after = (" ".join(side.split()) or "(nothing)" for side in (edit.before, edit.after))
    return f"- {edit.path} {edit.function}: `{before}` -> `{after}`"
