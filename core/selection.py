"""Parent selection: which archived designs are rewritten next.

Pure functions over (design, reward, visits, parent) with the random generator passed in; nothing here knows the
archive. A policy is a function ``(candidates, no_memo_reward, k, rng) -> list of SHAs``, listed in
``POLICIES`` under its name. All but ``alma`` look at the order or the spread of the rewards and not at their size:
a gain of one point among equals counts as much as one of twenty.
"""

from __future__ import annotations

import math
import random
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import fmean, pstdev
from typing import Literal

ORIGINAL = "alma"
"""The one policy that also takes its parents as the original does: several at a time, behind a barrier."""
Way = Literal["rewrite", "edit", "crossover"]
WAYS: dict[Way, float] = {"rewrite": 0.5, "edit": 0.3, "crossover": 0.2}
"""How a parent is changed, and how often, outside ``alma``: written anew, by edits that leave the rest as it is, or
combined with a second parent. Half are free to change everything, as all are in the paper; the shares are a choice and
not tuned."""
VISIT_PENALTY = 0.5
TEMPERATURE = 0.5


@dataclass(frozen=True)
class Candidate:
    """A design that may become a parent.

    Attributes:
        reward: what is to be raised; for ``alma`` the mean test pass rate, 0 to 1.
        visits: how often it has been taken as a parent so far, rewrites under way included.
        parent: the design it rewrites; that need not be a candidate.
        sd: how sure the reward is; 0 where that is not known.
    """

    sha: str
    reward: float
    visits: int
    parent: str | None = None
    sd: float = 0.0


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


def greedy(candidates: Sequence[Candidate], no_memo_reward: float, k: int, rng: random.Random) -> list[str]:
    """The ``k`` best, however often they have been taken; chance decides between equals."""
    shuffled = rng.sample(candidates, len(candidates))
    return [c.sha for c in sorted(shuffled, key=lambda c: -c.reward)[:k]]


def uniform(candidates: Sequence[Candidate], no_memo_reward: float, k: int, rng: random.Random) -> list[str]:
    """Any, whatever its reward: what a search has to beat."""
    return [c.sha for c in rng.sample(candidates, min(k, len(candidates)))]


def rank_weights(candidates: Sequence[Candidate]) -> list[float]:
    """``1 / rank / (1 + visits)``: the best counts twice as much as the second, until its own rewrites are many.

    Equal rewards share the mean of their ranks. Any increasing transformation of the rewards leaves the weights as
    they are.
    """
    better = [sum(other.reward > c.reward for other in candidates) for c in candidates]
    equal = [sum(other.reward == c.reward for other in candidates) for c in candidates]
    ranks = [b + (e + 1) / 2 for b, e in zip(better, equal, strict=True)]
    return [1 / rank / (1 + c.visits) for rank, c in zip(ranks, candidates, strict=True)]


def rank(candidates: Sequence[Candidate], no_memo_reward: float, k: int, rng: random.Random) -> list[str]:
    """Up to ``k`` without replacement, in proportion to ``rank_weights``."""
    return [candidates[i].sha for i in sample_without_replacement(rank_weights(candidates), k, rng)]


def clade_beliefs(candidates: Sequence[Candidate]) -> list[tuple[float, float]]:
    """(mean, standard deviation) of what rewriting each candidate's line leads to.

    Its clade, the design and all that descend from it, are the observations, beside one at the mean of all designs
    that stands for not having looked, and one there for every rewrite that came to nothing or is still under way. An
    observation has the spread of all rewards and its own uncertainty. So a design that is good but whose children are
    not sinks, and a line that was hardly tried keeps its chance. Judging a parent by its whole clade is from the
    Huxley-Goedel Machine (arXiv 2510.21614), which counts solved tasks where this averages rewards.
    """
    if not candidates:
        return []
    mean, spread = fmean(c.reward for c in candidates), pstdev(c.reward for c in candidates)
    if spread == 0:
        return [(mean, 0.0)] * len(candidates)
    own = {c.sha: c for c in candidates}
    scored = Counter(c.parent for c in candidates)
    seen: dict[str, list[tuple[float, float]]] = {c.sha: [(mean, 0.0)] for c in candidates}
    for c in candidates:
        observed = [(c.reward, c.sd), *[(mean, 0.0)] * max(0, c.visits - scored[c.sha])]
        above: Candidate | None = c
        while above is not None:
            seen[above.sha] += observed
            above = own.get(above.parent or "")
    found = []
    for observed in seen.values():
        weights = [1 / (spread**2 + sd**2) for _, sd in observed]
        total = sum(weights)
        centre = sum(w * value for w, (value, _) in zip(weights, observed, strict=True)) / total
        found.append((centre, 1 / math.sqrt(total)))
    return found


def thompson(candidates: Sequence[Candidate], no_memo_reward: float, k: int, rng: random.Random) -> list[str]:
    """One draw from the belief in each candidate's clade; the ``k`` highest, chance decides between equals."""
    draws = [rng.gauss(mean, deviation) for mean, deviation in clade_beliefs(candidates)]
    order = sorted(rng.sample(range(len(candidates)), len(candidates)), key=lambda i: -draws[i])
    return [candidates[i].sha for i in order[:k]]


def draw_way(
    policy: Policy, candidates: Sequence[Candidate], no_memo_reward: float, parent: str, rng: random.Random
) -> tuple[Way, str | None]:
    """How a parent is to be changed, in the shares of ``WAYS``, and the second parent of a crossover.

    That is chosen by the same policy among the others; where there are none, the parent is written anew.
    """
    [way] = rng.choices(list(WAYS), list(WAYS.values()))
    if way != "crossover":
        return way, None
    others = [c for c in candidates if c.sha != parent]
    second = policy(others, no_memo_reward, 1, rng)
    return ("crossover", second[0]) if second else ("rewrite", None)


Policy = Callable[[Sequence[Candidate], float, int, random.Random], list[str]]

POLICIES: dict[str, Policy] = {
    ORIGINAL: alma,
    "greedy": greedy,
    "random": uniform,
    "rank": rank,
    "thompson": thompson,
}


def get_policy(name: str) -> Policy:
    """Look a policy up.

    Raises:
        ValueError: there is no policy of that name (the message lists those there are).
    """
    if name not in POLICIES:
        raise ValueError(f"unknown selection policy '{name}' (available: {', '.join(sorted(POLICIES))})")
    return POLICIES[name]
