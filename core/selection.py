"""Parent selection: which archived designs the next step rewrites.

Pure functions over (design, reward, visits) with the random generator passed in; nothing here knows the
archive. A policy is a function ``(candidates, no_memo_reward, k, rng) -> list of SHAs``, listed in
``POLICIES`` under its name.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

VISIT_PENALTY = 0.5
TEMPERATURE = 0.5


@dataclass(frozen=True)
class Candidate:
    """A design that may become a parent.

    Attributes:
        reward: mean test pass rate, 0 to 1.
        visits: how often it has been taken as a parent so far.
    """

    sha: str
    reward: float
    visits: int


def alma_score(reward: float, no_memo_reward: float, visits: int) -> float:
    """``sigmoid(reward - no_memo_reward) - 0.5 * ln(1 + visits)`` (ALMA, arXiv 2602.07755)."""
    normalized = 1.0 / (1.0 + math.exp(no_memo_reward - reward))
    return normalized - VISIT_PENALTY * math.log1p(visits)


def alma_probabilities(candidates: Sequence[Candidate], no_memo_reward: float) -> list[float]:
    """Probability of each candidate to be drawn first: ``softmax(score / 0.5)``. An empty list gives an empty
    list."""
    if not candidates:
        return []
    scores = [alma_score(c.reward, no_memo_reward, c.visits) / TEMPERATURE for c in candidates]
    top = max(scores)
    weights = [math.exp(score - top) for score in scores]
    total = sum(weights)
    return [weight / total for weight in weights]


def sample_without_replacement(weights: Sequence[float], k: int, rng: random.Random) -> list[int]:
    """Draw up to ``k`` distinct positions, each next one in proportion to the weights that are left."""
    left = list(range(len(weights)))
    drawn: list[int] = []
    while left and len(drawn) < k:
        threshold = rng.random() * sum(weights[i] for i in left)
        chosen = left[-1]
        for i in left:
            threshold -= weights[i]
            if threshold < 0:
                chosen = i
                break
        left.remove(chosen)
        drawn.append(chosen)
    return drawn


def alma(candidates: Sequence[Candidate], no_memo_reward: float, k: int, rng: random.Random) -> list[str]:
    """The selection rule of ALMA: up to ``k`` designs without replacement, in the order drawn."""
    weights = alma_probabilities(candidates, no_memo_reward)
    return [candidates[i].sha for i in sample_without_replacement(weights, k, rng)]


Policy = Callable[[Sequence[Candidate], float, int, random.Random], list[str]]

POLICIES: dict[str, Policy] = {"alma": alma}


def get_policy(name: str) -> Policy:
    """Look a policy up.

    Raises:
        ValueError: there is no policy of that name (the message lists those there are).
    """
    if name not in POLICIES:
        raise ValueError(f"unknown selection policy '{name}' (available: {', '.join(sorted(POLICIES))})")
    return POLICIES[name]
