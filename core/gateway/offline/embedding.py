"""Text embeddings without a model: hashed words and parts of words.

Two texts are close when they share words, word stems or pieces of identifiers. Meaning beyond that is not seen.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from functools import lru_cache
from hashlib import blake2b
from itertools import pairwise

import numpy as np

DIMENSIONS = 512

_TOKEN = re.compile(r"[^\W_]+|[<>=!+*/%&|^~-]=?")
_CAMEL = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+|[^\x00-\x7f]+")
_SUFFIXES = (
    "ations",
    "ation",
    "ings",
    "ing",
    "ies",
    "ied",
    "edly",
    "ers",
    "est",
    "ed",
    "er",
    "es",
    "ly",
    "s",
)
_COMMON = frozenset(
    re.findall(
        r"\w+",
        "a an and are as at be been but by can do does for from had has have how i if in into is it its me my no"
        " not of on or our should so than that the their them then there these they this those to too us very was"
        " we were what when where which while who will with would you your",
    )
)
_WORD_WEIGHT, _STEM_WEIGHT, _PAIR_WEIGHT, _GRAM_WEIGHT, _COMMON_WEIGHT = 1.0, 1.0, 0.5, 0.35, 0.1


@lru_cache(maxsize=200_000)
def _bucket(feature: str) -> tuple[int, float]:
    """Place and sign of a feature: a fixed hash, so that vectors are the same in every process."""
    number = int.from_bytes(blake2b(feature.encode(), digest_size=8).digest(), "big")
    return number % DIMENSIONS, 1.0 if number >> 63 else -1.0


def stem(word: str) -> str:
    """Cut a common English ending; what remains has at least three letters and need not be a word."""
    for suffix in _SUFFIXES:
        if word.endswith(suffix) and len(word) - len(suffix) >= 3:
            word = word.removesuffix(suffix)
            break
    if len(word) > 3 and word[-1] == word[-2]:
        word = word[:-1]  # stopp(ed) -> stop
    return word.removesuffix("e") if len(word) > 3 else word


def words_of(text: str) -> list[str]:
    """Split text into lower-case words; identifiers fall apart at case changes, digits and underscores."""
    words: list[str] = []
    for token in _TOKEN.findall(text):
        words += [part.lower() for part in _CAMEL.findall(token)] or [token]
    return words


def _features(text: str) -> Counter[str]:
    counts: Counter[str] = Counter()
    words = words_of(text)
    for word in words:
        counts[f"w:{word}"] += 1
    stems = [stem(word) for word in words if word not in _COMMON]
    for item in stems:
        counts[f"s:{item}"] += 1
        if len(item) >= 4:
            padded = f"<{item}>"
            for size in (3, 4):
                for i in range(len(padded) - size + 1):
                    counts[f"g:{padded[i : i + size]}"] += 1
    for first, second in pairwise(stems):
        counts[f"p:{first} {second}"] += 1
    return counts


def _weight(feature: str) -> float:
    kind, body = feature[0], feature[2:]
    if kind == "w":
        return _COMMON_WEIGHT if body in _COMMON else _WORD_WEIGHT
    return {"s": _STEM_WEIGHT, "p": _PAIR_WEIGHT, "g": _GRAM_WEIGHT}[kind]


def embed(texts: list[str]) -> list[list[float]]:
    """Embed texts as unit vectors of 512 numbers (an empty text as zeros).

    Features are signed-hashed (Weinberger et al. 2009) with sublinear term frequency.
    """
    vectors = np.zeros((len(texts), DIMENSIONS))
    for row, text in enumerate(texts):
        for feature, count in _features(text).items():
            place, sign = _bucket(feature)
            vectors[row, place] += sign * _weight(feature) * (1.0 + math.log(count))
        norm = float(np.linalg.norm(vectors[row]))
        if norm > 0:
            vectors[row] /= norm
    return [[float(x) for x in vector] for vector in vectors]
