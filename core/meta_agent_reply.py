"""What a reply of the meta model holds: the source of a design or edits of one, and the hypothesis behind it."""

from __future__ import annotations

import ast
import re
from collections.abc import Sequence
from dataclasses import dataclass

from core.design_file import TOO_DEEP
from envs_archive.coding.file_actions import occurrences

HYPOTHESIS_CHARS = 300

# As a line, a heading, a bold word or a JSON key; what follows up to the end of its paragraph.
_HYPOTHESIS = re.compile(
    r"""^[ \t>*_\#"'{-]*hypothesis[ \t"'*_]*(?:[:=\u2013\u2014-][ \t"'*_]*\n?|\n+)[ \t>]*"""
    r"""(\S.*(?:\n(?![ \t]*(?:\n|`{3}|\#|"{3}|'{3})).+)*)""",
    re.IGNORECASE | re.MULTILINE,
)
_FENCED = re.compile(r"^[ \t]*(`{3,})[^\n]*\n.*?(?:^[ \t]*\1`*[ \t]*$|\Z)", re.MULTILINE | re.DOTALL)

_EDIT = re.compile(
    r"^[ \t]*<{5,9}[ \t]*SEARCH[ \t]*\n(.*?)^[ \t]*={5,9}[ \t]*\n(.*?)^[ \t]*>{5,9}[ \t]*REPLACE",
    re.MULTILINE | re.DOTALL | re.IGNORECASE,
)


@dataclass(frozen=True)
class Edit:
    """One text put in the place of another."""

    old: str
    new: str


class EditError(ValueError):
    """Edits cannot be applied; the message says which and why."""


def extract_edits(reply: str) -> list[Edit]:
    """The blocks ``<<<<<<< SEARCH``, ``=======``, ``>>>>>>> REPLACE`` of a reply, in order."""
    return [Edit(*match.groups()) for match in _EDIT.finditer(reply)]


def apply_edits(source: str, edits: Sequence[Edit]) -> str:
    """The source after all edits, each applied to what the ones before it left.

    Raises:
        EditError: the old text of one is empty, or does not occur exactly once. Nothing is guessed.
    """
    for number, edit in enumerate(edits, 1):
        if not edit.old.strip():
            raise EditError(f"edit {number}: the text to search for is empty")
        count, first = occurrences(source, edit.old)
        if count != 1:
            times = "does not occur in the design" if count == 0 else f"occurs {count} times, not once"
            raise EditError(f"edit {number}: its text {times}: {one_line(edit.old, 200)}")
        source = source[:first] + edit.new + source[first + len(edit.old) :]
    return _normal(source)


def extract_code(reply: str) -> str | None:
    """The Python source in a model's reply: the first python fence, else the whole reply when it parses.

    A fence that closes early because the code itself holds a line of backticks is extended while that makes
    the code parse. Returns None for a reply without code. The result ends in exactly one newline.
    """
    opening = re.search(r"^[ \t]*(`{3,})[ \t]*(?:python|py)3?[ \t]*$", reply, re.MULTILINE | re.IGNORECASE)
    if opening is None:
        return _normal(reply) if reply.strip() and _parses(reply) else None
    rest = reply[opening.end() :]
    closings = [m.start() for m in re.finditer(rf"^[ \t]*{opening[1]}`*[ \t]*$", rest, re.MULTILINE)]
    bodies = [rest[:end] for end in closings] or [rest]
    body = next((b for b in bodies if _parses(b)), bodies[0])
    return _normal(body) if body.strip() else None


def extract_hypothesis(reply: str) -> str | None:
    """What a reply says its change should improve, on one line of at most ``HYPOTHESIS_CHARS``; None when it does not.

    Looked for outside of code fences first, then in them: some models put it into the file's docstring.
    """
    for text in (_FENCED.sub("\n", reply), reply):
        if match := _HYPOTHESIS.search(text):
            return one_line(match[1], HYPOTHESIS_CHARS)
    return None


def one_line(text: str, limit: int) -> str:
    """A text without line breaks, and without the quotes and stars around it; cut at ``limit`` characters."""
    text = " ".join(text.split()).strip("\"'*_`,} ")
    return text if len(text) <= limit else text[: limit - 3].rstrip() + "..."


def _normal(source: str) -> str:
    return source.strip("\n").rstrip() + "\n"


def _parses(source: str) -> bool:
    try:
        ast.parse(source)
    except (SyntaxError, ValueError, *TOO_DEEP):
        return False
    return True
