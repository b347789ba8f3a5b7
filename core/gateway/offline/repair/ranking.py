"""The order of candidates: a general prior mixed with similarity to the notes of the conversation."""

from __future__ import annotations

import math
import random
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import lru_cache
from itertools import pairwise

from . import memory_similarity as memory
from .candidates import Candidate, tokens
from .localize import error_lines
from .priors import OPERATOR_WEIGHT
from .source import words
from .symptoms import factors
from .testlog import TestRun

IDEA = 60.0  # weight as an operator of an idea that all notes share; the commonest operators have 10
SIBLING_POWER = 0.6
KIND_POWER = 0.3  # how much the kind of edit counts beside a note
AGAIN = 5.0  # of the very edit of a note, where 1 is the most suspicious place
STRANGE, FAMILIAR = 0.4, 1.6
NOISE = 0.15  # scale of the Gumbel noise on log scores: a repeat differs, but not much


def familiar_pairs(candidates: Sequence[Candidate]) -> frozenset[tuple[str, str]]:
    """Adjacent tokens that occur in the files at hand, each line for itself."""
    sources = {c.source.path: c.source for c in candidates}
    return frozenset(
        pair
        for source in sources.values()
        for line in source.lines
        for pair in pairwise(tokens(line.strip()))
    )


@lru_cache(maxsize=2**16)  # every design meets the same edits
def naturalness(before: str, after: str, familiar: frozenset[tuple[str, str]]) -> float:
    """Share of the new token pairs of an edit that the project has elsewhere, as a factor around 1."""
    # What the line holds once and is now there twice is new as well, and as familiar as can be.
    new = Counter(pairwise(tokens(after))) - Counter(pairwise(tokens(before)))
    if not new:
        return 1.0
    known = sum(count for pair, count in new.items() if pair in familiar)
    return STRANGE + (FAMILIAR - STRANGE) * known / new.total()


def sibling_counts(candidates: Sequence[Candidate]) -> dict[tuple[object, str], float]:
    """How many edits of a kind a function has, those that hardly make sense counted for little."""
    counts: dict[tuple[object, str], float] = {}
    for c in candidates:
        key = (c.function, c.op)
        counts[key] = counts.get(key, 0.0) + min(1.0, c.fit)
    return {key: max(1.0, count) for key, count in counts.items()}


def prior_weights(
    candidates: Sequence[Candidate],
    siblings: Mapping[tuple[object, str], float],
    weights: Mapping[object, float],
    run: TestRun,
    issue: str,
) -> list[float]:
    """Unnormalised prior: place^2 * operator * symptom * line * naturalness / siblings^0.6."""
    familiar = familiar_pairs(candidates)
    symptom = factors(run)
    lines = {path: error_lines(run, path) for path in {c.path for c in candidates}}
    hints = words(issue)
    bonus: dict[tuple[str, int], float] = {}
    out = []
    for c in candidates:
        place = (c.path, c.line)
        if place not in bonus:
            factor = 1.0 + 2.0 * lines[c.path].get(c.line, 0.0)
            shared = len(words(c.before) & hints)
            bonus[place] = factor * (1.0 + 0.15 * min(shared, 4))
        value = weights.get(c.function, 0.0) ** 2 * OPERATOR_WEIGHT.get(c.op, 1.0) * symptom.get(c.op, 1.0)
        value *= bonus[place] * naturalness(c.before, c.after, familiar) * c.fit
        out.append(value / siblings[c.function, c.op] ** SIBLING_POWER)
    return out


def score(
    candidates: Sequence[Candidate],
    weights: Mapping[object, float],
    run: TestRun,
    issue: str,
    notes: memory.Notes,
) -> list[float]:
    """Score of each candidate; the higher is tried the earlier.

    To the prior comes what the notes say: a noted idea counts as one more operator of this project, whose weight is
    how often it was met. Place, symptom and fit count for its edits as they do for all others.
    """
    siblings = sibling_counts(candidates)
    prior = prior_weights(candidates, siblings, weights, run, issue)
    scores = list(prior)
    places = [
        p * siblings[c.function, c.op] ** SIBLING_POWER / OPERATOR_WEIGHT.get(c.op, 1.0) ** (1 - KIND_POWER)
        for p, c in zip(prior, candidates, strict=True)
    ]
    top = max(places, default=0.0)
    mass = max(notes.mass, memory.LEAST_MASS)
    ideas = memory.ideas(notes)
    home = memory.homes({c.source.path: c.source for c in candidates}.values()) if ideas else {}
    for idea in ideas:
        likeness = [memory.likeness(idea, c, home) for c in candidates]
        number: dict[object, float] = {}  # of edits that carry it out, by function
        for c, like in zip(candidates, likeness, strict=True):
            number[c.function] = number.get(c.function, 0.0) + min(1.0, like) * min(1.0, c.fit)
        for index, (c, like) in enumerate(zip(candidates, likeness, strict=True)):
            if like > 1.0:  # the very lines of a note: their place is known
                scores[index] += IDEA * idea.weight / mass * AGAIN * top
            elif like > 0.0:
                share = like * places[index] / max(1.0, number[c.function]) ** SIBLING_POWER
                scores[index] += IDEA * idea.weight / mass * share
    return scores


def order(scores: Sequence[float], seed: int, salt: str) -> list[int]:
    """Indices by score with small seeded Gumbel noise, best first. The same arguments give the same order."""
    rng = random.Random(f"{seed}:{salt}")
    keys = []
    for value in scores:
        noise = -math.log(-math.log(rng.uniform(1e-9, 1 - 1e-9)))
        keys.append(math.log(value + 1e-300) + NOISE * noise)
    return sorted(range(len(keys)), key=lambda i: -keys[i])
