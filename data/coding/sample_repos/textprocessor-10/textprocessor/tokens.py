"""Words and sentences with their places in the text."""

import re
from typing import NamedTuple

from textprocessor.errors import TextError

WORD = re.compile(r"[^\W_]+(?:['’-][^\W_]+)*")
SENTENCE_END = re.compile(r"[.!?]+[\"')]*(?=\s|$)")
ABBREVIATIONS = {"dr", "e.g", "etc", "i.e", "mr", "mrs", "no", "prof", "vs"}


class Span(NamedTuple):
    """A place in a text: start inclusive, end exclusive."""

    start: int
    end: int

    def overlaps(self, other):
        """True if the two have at least one character in common."""
        return self.start < other.end and other.start < self.end

    def of(self, text):
        """The characters at this place."""
        if not 0 <= self.start <= self.end <= len(text):
            raise TextError(f"{self} lies outside a text of {len(text)} characters")
        return text[self.start : self.end]


class Token(NamedTuple):
    """A word as it is spelled in the text, and where."""

    text: str
    span: Span


def tokenize(text):
    """The words of a text, in order."""
    return [Token(match.group(), Span(*match.span())) for match in WORD.finditer(text)]


def words(text):
    """The words of a text as strings, as they are spelled."""
    return [token.text for token in tokenize(text)]


def sentences(text):
    """The sentences of a text, stripped; a dot after an abbreviation ends none."""
    found = []
    start = 0
    for match in SENTENCE_END.finditer(text):
        before = text[start : match.start()].split()
        if match.group() == "." and before and before[-1].lower() in ABBREVIATIONS:
            continue
        found.append(text[start : match.end()].strip())
        start = match.end()
    rest = text[start:].strip()
    return [*found, rest] if rest else found


def merge_spans(spans):
    """Sorted spans with overlapping and touching ones joined."""
    merged = []
    for span in sorted(spans):
        if merged and span.start <= merged[-1].end:
            merged[-1] = Span(merged[-1].start, max(merged[-1].end, span.end))
        else:
            merged.append(span)
    return merged


def redact(text, spans, mask="*"):
    """The text with every character inside the spans replaced by the mask."""
    characters = list(text)
    for span in merge_spans(spans):
        characters[span.start : span.end] = mask * (span.end - span.start)
    return "".join(characters)
