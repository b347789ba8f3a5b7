# ruff: noqa: F821 (names of other parts)
from __future__ import annotations

import math
import re
from collections import Counter


def words(text: str) -> set[str]:
    """Lower-case words and parts of identifiers, without the shortest."""
    return {w for w in re.findall(r"[a-z]+", re.sub(r"([a-z])([A-Z])", r"\1 \2", text).lower()) if len(w) > 2}


async def relevance(query: str, entries: list[Entry]) -> list[float]:
    """Weight of the words in common, 0 to 1; a word counts the more, the fewer entries have it."""
    asked, keys = words(query), [words(entry.key) for entry in entries]
    spread = Counter(word for key in keys for word in key)
    weight = {word: math.log(1 + len(keys) / n) for word, n in spread.items()}
    totals = [sum(weight[word] for word in key) or 1.0 for key in keys]
    return [
        sum(weight[word] for word in key & asked) / total for key, total in zip(keys, totals, strict=True)
    ]
