# ruff: noqa: F821 (names of other parts)
from __future__ import annotations


def describe(edit: Edit, test: str, message: str) -> str:
    """A small unified diff under the place and the failure."""
    removed = "".join(f"-{line}\n" for line in edit.before.splitlines())
    added = "".join(f"+{line}\n" for line in edit.after.splitlines())
    header = f"--- a/{edit.path}\n+++ b/{edit.path}\n@@ {edit.function} @@ {test} {message}".rstrip()
    return f"{header}\n{removed}{added}".rstrip()
