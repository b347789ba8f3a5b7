# ruff: noqa: F821 (names of other parts)
from __future__ import annotations


def describe(edit: Edit, test: str, message: str) -> str:
    """One line per fix; changes of several lines follow in a small diff."""
    failed = f"{test or 'a test'} failed" + (f" with `{message.replace('`', chr(39))}`" if message else "")
    place = f"- In `{edit.path}`" + (f" `{edit.function}`" if edit.function else "")
    if edit.before and edit.after and "\n" not in edit.before + edit.after:
        return f"{place}: {failed}; fixed by changing `{edit.before}` to `{edit.after}`"
    removed = "".join(f"-{line}\n" for line in edit.before.splitlines())
    added = "".join(f"+{line}\n" for line in edit.after.splitlines())
    header = f"--- a/{edit.path}\n+++ b/{edit.path}\n@@\n"
    return f"{place}: {failed}; fixed by this change:\n```diff\n{header}{removed}{added}```"
