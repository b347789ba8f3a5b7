"""The order of candidates: a general prior mixed with similarity to the notes of the conversation."""

from __future__ import annotations

import math
import random
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import pairwise

from . import memory_similarity as memory
from .candidates import Candidate, tokens
from .habits import habit, habits_of
from .localize import error_lines
from .priors import OPERATOR_WEIGHT
from .source import words
from .symptoms import factors
from .testlog import TestRun

PRIOR_SHARE, NOTE_SHARE = 0.6, 0.4
NOTE_FLOOR = 0.3  # keeps a note that resembles nothing much from electing a winner anyway
SIBLING_POWER = 0.6
PLACE_POWER, KIND_POWER = 0.7, 0.3  # how much place and symptom, and the operator, count beside a note
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


def naturalness(candidate: Candidate, familiar: frozenset[tuple[str, str]]) -> float:
    """Share of the new token pairs of an edit that the project has elsewhere, as a factor around 1."""
    old = set(pairwise(tokens(candidate.before)))
    new = [pair for pair in pairwise(tokens(candidate.after)) if pair not in old]
    if not new:
        return 1.0
    return STRANGE + (FAMILIAR - STRANGE) * sum(pair in familiar for pair in new) / len(new)


def prior_weights(
    candidates: Sequence[Candidate], weights: Mapping[object, float], run: TestRun, issue: str
) -> list[float]:
    """Unnormalised prior: place^2 * operator * symptom * line * naturalness / siblings^0.6."""
    familiar = familiar_pairs(candidates)
    symptom = factors(run)
    siblings = Counter((c.function, c.op) for c in candidates)
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
        value *= bonus[place] * naturalness(c, familiar)
        out.append(value / siblings[c.function, c.op] ** SIBLING_POWER)
    return out


def score(
    candidates: Sequence[Candidate],
    weights: Mapping[object, float],
    run: TestRun,
    issue: str,
    notes: memory.Notes,
) -> list[float]:
    """Score of each candidate in the mixture; the higher is tried the earlier."""
    prior = prior_weights(candidates, weights, run, issue)
    habits = habits_of(candidates)
    # A note speaks for itself: what the project does elsewhere counts in the prior's share alone.
    usual = [p * habit(c, habits) for p, c in zip(prior, candidates, strict=True)]
    total = sum(usual) or 1.0
    scores = [PRIOR_SHARE * p / total for p in usual]
    if not notes.items:
        return scores
    share = NOTE_SHARE / max(notes.mass, memory.LEAST_MASS)
    places = [p / OPERATOR_WEIGHT.get(c.op, 1.0) for p, c in zip(prior, candidates, strict=True)]
    siblings = Counter((c.function, c.op) for c in candidates)
    places = [
        p * siblings[c.function, c.op] ** SIBLING_POWER for p, c in zip(places, candidates, strict=True)
    ]
    top = max(places, default=0.0) or 1.0
    standing = [
        (p / top) ** PLACE_POWER * OPERATOR_WEIGHT.get(c.op, 1.0) ** KIND_POWER
        for p, c in zip(places, candidates, strict=True)
    ]
    for note in notes.items:
        evidence, best, weight = {}, 0.0, note.weight
        for index, c in enumerate(candidates):
            similar = memory.similarity(note, c)
            if similar > 0.0:
                again = (
                    similar > 1.0 and note.weight >= memory.OWN
                )  # the very lines of the note: place is moot
                evidence[index] = similar**3 * (1.0 if again else standing[index])
                best, weight = max(best, similar), 1.0 if again else weight
        if not evidence:
            continue
        whole = NOTE_FLOOR + sum(evidence.values())
        # A note whose best match is poor speaks softly, else many poor matches would take its full share.
        voice = share * weight * min(1.0, best) ** 2 / whole
        for index, value in evidence.items():
            scores[index] += voice * value
    return scores


def order(scores: Sequence[float], seed: int, salt: str) -> list[int]:
    """Indices by score with small seeded Gumbel noise, best first. The same arguments give the same order."""
    rng = random.Random(f"{seed}:{salt}")
    keys = []
    for value in scores:
        noise = -math.log(-math.log(rng.uniform(1e-9, 1 - 1e-9)))
        keys.append(math.log(value + 1e-12) + NOISE * noise)
    return sorted(range(len(keys)), key=lambda i: -keys[i])
