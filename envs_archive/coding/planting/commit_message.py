"""What of a commit's message a user could have written: the trouble, not the remedy."""

from __future__ import annotations

import re

_TRAILER = re.compile(
    r"^(?:[A-Z][\w-]+-by:|Change-Id:|\(?cherry picked|"
    r"(?:Refs?|Close[sd]?|Fix(?:e[sd])?|Resolve[sd]?|See|PR|Issue)\b[\s:]*(?:#|gh-|https?:)\S*[.\s]*$)",
    re.I,
)
_PREFIX = re.compile(
    r"^(?:\[[^\]]*\]\s*|(?:fix|bugfix|bug)(?:\([^)]*\))?!?:\s*|#\d+:?\s*|gh-\d+:?\s*)+", re.I
)
_FIXING = re.compile(
    r"^(?:(?:fix(?:e[sd]|ing)?|solve[sd]?|resolve[sd]?|close[sd]?|correct(?:s|ed)?|repair(?:s|ed)?)\b[\s:]*"
    r"(?:(?:an?|the)\s+)?(?:(?:bug|issue|problem|regression)s?\b\s*)?(?:#\d+\b[\s:,-]*)?"
    r"(?:(?:in which|where|when|with|that)\b\s*)?)",
    re.I,
)
_REMEDY = re.compile(
    r"^(?:use|using|add|adds|added|replace|remove|change|rename|move|refactor|make|ensure|switch|set|return|check|call|"
    r"raise|allow|support|implement|introduce|update|bump|handle|avoid|prevent|don't|do not|let|convert|also|now|"
    r"improve|"
    r"simplify|skip|pass|wrap|treat|keep|drop|instead)\b",
    re.I,
)
_TELLS = re.compile(r"\binstead of\b|\bby (?:using|adding|checking|calling|removing)\b|\bso that\b", re.I)
_TROUBLE = re.compile(
    r"\b(?:fix\w*|bugs?|bugfix|issues?|errors?|crash\w*|wrong\w*|incorrect\w*|regress\w*|broken|breaks?|fail\w*|"
    r"problem\w*|exception|handl\w+|missing|prevent\w*|avoid\w*|correct\w*|invalid|unexpected|infinite|overflow|leak\w*|typo|"
    r"[A-Z]\w+Error)\b|#\d+",
    re.I,
)
_BEHAVIOUR = re.compile(
    r"\b(?:when|if|but|should|returns?|returned|gives?|gave|cannot|can't|doesn't|didn't|isn't|not|"
    r"no longer|"
    r"always|never|only|raises?|raised|ignor\w+|los[et]\w*)\b",
    re.I,
)
_REFERENCE = re.compile(
    r"\b(?:[0-9a-f]{7,40}|revert\w*|TODO|suggestion|review\w*|refactor\w*|commit|solution|implement\w*|new)\b",
    re.I,
)
_WORD = re.compile(r"[A-Za-z_]\w{2,}")


def tells_of_trouble(message: str) -> bool:
    """Whether a commit says that it mends something."""
    return bool(_TROUBLE.search(message))


def trouble(message: str, patch: str) -> str:
    """The sentences of a message that tell what was wrong; empty when all of them tell what was done.

    Left out are trailers, sentences that begin like an instruction, and those with a word that only the patch brings.
    """
    added, before = _words(patch, "+"), _words(patch, "-") | _words(patch, " ")
    new = {word for word in added - before if "_" in word or not word.islower()}
    kept = []
    lines = [line.rstrip() for line in message.strip().splitlines()]
    for number, paragraph in enumerate("\n".join(lines).split("\n\n")):
        words = [
            line.strip(" *-") for line in paragraph.splitlines() if not _TRAILER.match(line.strip(" *-"))
        ]
        sentences = re.split(r"(?<=[.!?])\s+(?=[A-Z`])", " ".join(words))
        told = [text for sentence in sentences if (text := _told(sentence, new, first=number == 0))]
        kept += [" ".join(told)] if told else []
    text = "\n\n".join(kept[:3])
    return f"{text[:1].upper()}{text[1:]}" if len(_WORD.findall(text)) > 2 else ""


def _told(sentence: str, new: set[str], first: bool) -> str:
    text = _PREFIX.sub("", sentence.strip())
    text = _FIXING.sub("", text, count=1) if first else text
    text = re.sub(
        r"\s*\((?:#|gh-)\d+\)\.?$|\s*,?\s*(?:closes|fixes|see)?\s*#\d+\.?$", "", text, flags=re.I
    ).strip(" :,-")
    tells = _TROUBLE.search(text) or _BEHAVIOUR.search(text)
    if (
        not tells
        or _REMEDY.match(text)
        or _REFERENCE.search(text)
        or _TELLS.search(text)
        or set(_WORD.findall(text)) & new
    ):
        return ""
    return text


def _words(patch: str, sign: str) -> set[str]:
    lines = [
        line[1:] for line in patch.splitlines() if line.startswith(sign) and not line.startswith(sign * 3)
    ]
    return {word for line in lines for word in _WORD.findall(line)}
