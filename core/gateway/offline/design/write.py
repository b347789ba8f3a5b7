"""The answers to ``generate`` and ``repair``: a complete design file that has not been tried."""

from __future__ import annotations

import hashlib
import random
import re
import sys
from typing import Any, NamedTuple

from core.gateway.offline.design.as_edits import edits_of
from core.gateway.offline.design.compose import compose, is_composed, recover
from core.gateway.offline.design.moves import follow
from core.gateway.offline.design.reading import Situation
from core.gateway.offline.design.space import (
    LAYERS,
    Params,
    differences,
    from_values,
    hint_weights,
    neighbours,
    sample,
)

CHANCE = {"high": 0.95, "medium": 0.6, "low": 0.35}
TRIES = 400
GIVEN_NAMES = {
    "MemoStructure": "agents.memo_structure",
    "Sub_memo_layer": "agents.memo_structure",
    "Basic_Recorder": "eval_envs.base_envs",
    "Agent": "utils.hire_agent",
    "Embedding": "utils.hire_agent",
    "Chroma": "langchain_chroma",
    "Any": "typing",
    "dataclass": "dataclasses",
    "field": "dataclasses",
    "defaultdict": "collections",
    "Counter": "collections",
}


class Written(NamedTuple):
    """A new design, and what it is expected to do."""

    hypothesis: str
    source: str


def generate(seen: Situation, system: str, rng: random.Random) -> str:
    """The successor of the design in the prompt, or a first design when there is none."""
    made = successor(seen, system, rng)
    edits = edits_of(seen.source, made.source) if seen.by_edits else None
    blocks = [f"<<<<<<< SEARCH\n{old}=======\n{new}>>>>>>> REPLACE" for old, new in edits or ()]
    text = "\n\n".join(blocks) or _fenced(made.source)
    return f"Hypothesis: {made.hypothesis}\n\n{text}"


def successor(seen: Situation, system: str, rng: random.Random) -> Written:
    """The same, with its parts apart."""
    if seen.source is None:
        start = _untried(sample(rng, hint_weights(system)), seen, rng, moved=True)
        return Written(_first_guess(start), compose(start))
    point = recover(seen.source)
    if seen.second_source is not None:
        return _crossed(point, recover(seen.second_source), seen, rng)
    goal, followed = point, []
    for change in _suggestions(seen.analysis):
        if rng.random() < CHANCE.get(change.priority, CHANCE["low"]):
            goal, before = follow(goal, change.what), goal
            if goal != before:
                followed.append(change)
    made = _untried(goal, seen, rng, moved=goal != point or not is_composed(seen.source))
    return Written(_expectation(point, goal, made, followed), compose(made))


def _crossed(first: Params, second: Params, seen: Situation, rng: random.Random) -> Written:
    """Every setting from one of two designs, by chance, but of each at least one where they differ in two."""
    names = differences(first, second)
    taken = rng.sample(names, rng.randint(1, len(names) - 1)) if len(names) > 1 else names
    goal = from_values({**vars(first), **{name: getattr(second, name) for name in taken}})
    made = _untried(goal, seen, rng, moved=bool(taken))
    kept = [name for name in names if name not in taken]
    hypothesis = (
        f"{' and '.join(taken) or 'nothing'} of {seen.second_sha} with {' and '.join(kept) or 'the rest'} of "
        f"{seen.sha} does better than either, since each was chosen for its score."
    )
    return Written(hypothesis, compose(made))


def repair(seen: Situation, rng: random.Random) -> str:
    """The design without its fault: recomposed, patched, or as a simpler one near it."""
    source = seen.source or ""
    repeated = "must differ from the designs tried" in seen.error
    if not is_composed(source) and not repeated:
        patched = _with_missing_import(source, seen.error)
        if patched is not None and content_sha(patched) not in seen.shas:
            return _fenced(patched)
    point = recover(source)
    broken = {content_sha(source)}
    if content_sha(compose(point)) in broken and not repeated:
        point = _without_culprit(point, seen.error)
    return _answer(_untried(point, seen, rng, moved=True, barred=broken))


def content_sha(source: str) -> str:
    """The name a source has in the archive."""
    return hashlib.sha256(source.encode("utf-8")).hexdigest()[:8]


def _untried(
    point: Params,
    seen: Situation,
    rng: random.Random,
    moved: bool,
    barred: set[str] | frozenset[str] = frozenset(),
) -> Params:
    """The point itself when it has ``moved``, else a random walk away from it, to a design not in the prompt's list."""
    taken = seen.shas | barred
    for attempt in range(TRIES):
        here = point
        for _ in range(attempt // 20 + (attempt > 0 or not moved)):
            here = rng.choice(neighbours(here))[2]
        if content_sha(compose(here)) not in taken:
            return here
    return sample(rng, {})


def _first_guess(point: Params) -> str:
    return (
        f"a memory of {' and '.join(point.layers)} resolves more tasks than none, since the agent then need not "
        "find again what it found before."
    )


def _expectation(point: Params, goal: Params, made: Params, followed: list[Suggestion]) -> str:
    """What the moves are made for: the reasons of those that were followed, and that the others are a try."""
    if not followed and made == point:
        return "the same settings written anew do no worse than the code they stand for."
    parts = [
        f"{change.what[:1].lower()}{change.what[1:]} to raise the reward: {change.why}" for change in followed
    ]
    if tried := differences(goal, made):
        parts.append(
            f"another value of {' and '.join(tried)} may do better from here, which nothing seen speaks against"
        )
    return "; ".join(parts) + "."


class Suggestion(NamedTuple):
    """A change that an analysis suggests."""

    priority: str
    what: str
    why: str


def _suggestions(analysis: Any) -> list[Suggestion]:
    """The suggested changes of an analysis; a text without structure counts as one."""
    if isinstance(analysis, dict) and isinstance(analysis.get("suggested_changes"), list):
        changes = [c for c in analysis["suggested_changes"] if isinstance(c, dict)]
        return [
            Suggestion(str(c.get("priority", "low")).lower(), str(c.get("what", "")), str(c.get("why", "")))
            for c in changes
        ]
    return [Suggestion("medium", str(analysis), "it was suggested")] if analysis else []


def _without_culprit(point: Params, error: str) -> Params:
    """The nearest design that does without what the traceback names; else one with fewer or simpler parts."""
    if re.search(r"embedding|vector", error, re.IGNORECASE) and point.rank == "embedding":
        return follow(point, "Set `rank` to `words`")
    named = [layer for layer in point.layers if re.search(rf"\b{layer}(layer|\b)", error, re.IGNORECASE)]
    if "Agent" in error and "conventions" in point.layers:
        named = ["conventions"]
    if len(point.layers) > 1:
        return follow(point, f"Remove the layer `{(named or point.layers)[-1]}`")
    other = next(layer for layer in LAYERS if layer != point.layers[0])
    return follow(point, f"Replace the layer `{point.layers[0]}` by `{other}`")


def _with_missing_import(source: str, error: str) -> str | None:
    """Add the import that a NameError asks for; None when that is not the fault."""
    match = re.search(r"NameError: name '(\w+)' is not defined", error)
    if match is None:
        return None
    name = match[1]
    if name in GIVEN_NAMES:
        line = f"from {GIVEN_NAMES[name]} import {name}"
    elif name in sys.stdlib_module_names:
        line = f"import {name}"
    else:
        return None
    lines = source.splitlines(keepends=True)
    first = next(
        (i for i, text in enumerate(lines) if re.match(r"(from (?!__future__)|import )", text)), None
    )
    if first is None:
        return None
    return "".join([*lines[:first], line + "\n", *lines[first:]])


def _answer(point: Params) -> str:
    return _fenced(compose(point))


def _fenced(source: str) -> str:
    return f"```python\n{source}```"
