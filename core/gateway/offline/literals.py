"""Reading JSON and Python literals out of running text, also when they were cut short.

Memory designs put trajectories into prompts as ``json.dumps``, ``str`` or a slice of either. The reader
takes both notations, mixed, and keeps what stands before a cut.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, NamedTuple

_SPACE = re.compile(r"\s*")
_NUMBER = re.compile(r"-?\d+(?:\.\d*)?(?:[eE][+-]?\d+)?")
_WORD = re.compile(r"[A-Za-z_]\w*")
_ELLIPSIS = re.compile(r"\.{3,}|…")
# json.dumps and repr both escape line breaks: a raw one inside quotes means that the string was cut there.
_STRINGS = {q: re.compile(rf"{q}((?:[^{q}\\\n]|\\[^\n])*)({q}?)") for q in "'\""}
_ESCAPE = re.compile(r"\\(u[0-9a-fA-F]{4}|x[0-9a-fA-F]{2}|U[0-9a-fA-F]{8}|.)")
_SIMPLE = {
    "n": "\n",
    "t": "\t",
    "r": "\r",
    "b": "\b",
    "f": "\f",
    "0": "\0",
    "\\": "\\",
    '"': '"',
    "'": "'",
    "/": "/",
}
_WORDS = {"true": True, "True": True, "false": False, "False": False, "null": None, "None": None, "NaN": None}
_MAX_DEPTH = 25
_WORK_PER_CHARACTER = 6  # characters read per character of text, before the search for literals gives up


class Literal(NamedTuple):
    """A container found in a text: ``text[start:end]`` reads as ``value``; ``cut`` when its end was
    missing."""

    value: Any
    start: int
    end: int
    cut: bool


class _NotALiteral(Exception):
    pass


def unescape(body: str) -> str:
    """Return the text of a JSON or Python string literal's body; unknown escapes stay as they are."""

    def one(match: re.Match[str]) -> str:
        code = match.group(1)
        if code[0] in "uUx" and len(code) > 1:
            number = int(code[1:], 16)
            return chr(number) if number <= 0x10FFFF else match.group()
        return _SIMPLE.get(code, match.group())

    text = _ESCAPE.sub(one, body)
    if any("\ud800" <= c <= "\udfff" for c in text):  # JSON writes other planes as two halves
        text = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


class _Reader:
    def __init__(self, text: str, position: int) -> None:
        self.text = text
        self.position = position
        self.cut = False

    def peek(self) -> str:
        self.position = _SPACE.match(self.text, self.position).end()  # type: ignore[union-attr]
        return self.text[self.position : self.position + 1]

    def value(self, depth: int) -> Any:
        if depth > _MAX_DEPTH:
            raise _NotALiteral
        head = self.peek()
        if head == "":
            self.cut = True
            return None
        if head == "{":
            return self.mapping(depth)
        if head in "[(":
            return self.sequence(depth, "]" if head == "[" else ")")
        if head in _STRINGS:
            return self.string(head)
        if number := _NUMBER.match(self.text, self.position):
            self.position = number.end()
            return _number(number.group())
        if word := _WORD.match(self.text, self.position):
            if word.group() not in _WORDS:
                raise _NotALiteral
            self.position = word.end()
            return _WORDS[word.group()]
        raise _NotALiteral

    def string(self, quote: str) -> str:
        match = _STRINGS[quote].match(self.text, self.position)
        if match is None:
            raise _NotALiteral
        self.position = match.end()
        self.cut = self.cut or not match.group(2)
        return unescape(match.group(1))

    def skip_ellipsis(self) -> bool:
        """A design that shortens a list by hand writes ``...`` in the place of what it left out."""
        self.peek()
        if dots := _ELLIPSIS.match(self.text, self.position):
            self.position = dots.end()
            return True
        return False

    def separator(self, closing: str) -> bool:
        """Step over a comma; return True when the container ends here (closed or cut)."""
        if self.cut:
            return True
        head = self.peek()
        if head == ",":
            self.position += 1
            head = self.peek()
        elif head and head != closing and not self.text.startswith(("...", "…"), self.position):
            raise _NotALiteral
        if head == closing:
            self.position += 1
            return True
        if head == "":
            self.cut = True
            return True
        return False

    def sequence(self, depth: int, closing: str) -> list[Any]:
        self.position += 1
        items: list[Any] = []
        if self.peek() == closing:
            self.position += 1
            return items
        while True:
            if not self.skip_ellipsis():
                items.append(self.value(depth + 1))
            if self.cut or self.separator(closing):
                return items

    def mapping(self, depth: int) -> dict[str, Any]:
        self.position += 1
        result: dict[str, Any] = {}
        if self.peek() == "}":
            self.position += 1
            return result
        while True:
            if not self.skip_ellipsis():
                key = self.value(depth + 1)
                if isinstance(key, dict | list):
                    raise _NotALiteral
                if self.cut or self.peek() == "":
                    self.cut = True
                    return result
                if self.text[self.position] != ":":
                    raise _NotALiteral
                self.position += 1
                result[str(key)] = self.value(depth + 1)
            if self.separator("}"):
                return result


def _number(text: str) -> int | float:
    value = float(text)
    return int(value) if text.lstrip("-").isdigit() and len(text) < 16 else value


def read_literal(text: str, start: int = 0) -> Literal | None:
    """Return the container literal that begins at ``text[start]``, or None when there is none."""
    return _read(text, start)[0]


def _read(text: str, start: int) -> tuple[Literal | None, int]:
    reader = _Reader(text, start)
    try:
        value = reader.value(0)
    except _NotALiteral:
        return None, reader.position
    found = isinstance(value, dict | list)
    return (Literal(value, start, reader.position, reader.cut) if found else None), reader.position


def find_literals(text: str) -> Iterator[Literal]:
    """Yield the outermost objects and lists of a text, in order.

    Lists of plain values are passed over: prose and code are full of brackets. The work is bounded, so that
    a text of nothing but brackets costs no more than a few readings of it.
    """
    work = _WORK_PER_CHARACTER * len(text) + 10_000
    position = 0
    opening = re.compile(r"[\[{]")
    while (match := opening.search(text, position)) and work > 0:
        start = match.start()
        literal, reached = _read(text, start)
        work -= reached - start
        if literal is not None and _holds_mapping(literal.value):
            yield literal
            position = literal.end
        else:
            position = start + 1


def _holds_mapping(value: Any) -> bool:
    if isinstance(value, dict):
        return bool(value)
    return isinstance(value, list) and any(_holds_mapping(item) for item in value)
