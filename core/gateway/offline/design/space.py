"""The space of memory designs the offline model searches: its dimensions, and moving about in it."""

from __future__ import annotations

import random
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

LAYERS = ("fixes", "cases", "conventions", "traces")
MAX_LAYERS = 3

# Every dimension beside the layers, with its values in an order in which neighbours are alike.
OPTIONS: dict[str, tuple[Any, ...]] = {
    "learn_from": ("resolved", "green", "all"),
    "form": ("notes", "diff", "arrows"),
    "scope": ("project", "project_first", "all"),
    "query": ("issue", "issue_and_files"),
    "rank": ("words", "rare_words", "embedding", "recent", "frequent"),
    "k": (1, 2, 4, 8, 16, 32),
    "min_similarity": (0.0, 0.05, 0.1, 0.2, 0.3),
    "keep": ("merged", "every"),
    "tail": (4, 8, 16),
    "budget": (1500, 3000, 6000, 12000),
}

# What a word of the domain's hints speaks for; without hints all values are equally likely at first.
HINT_WORDS: dict[str, tuple[str, str]] = {
    "exact change": ("layers", "fixes"),
    "symptom": ("layers", "cases"),
    "conventions": ("layers", "conventions"),
    "apart": ("scope", "project"),
    "solved its task": ("learn_from", "resolved"),
    "deduplicated": ("keep", "merged"),
}

_SUMMARY = re.compile(
    r"Remembers (?P<layers>[\w, +]+) of (?P<learn_from>\w+) runs as (?P<form>\w+); scope (?P<scope>\w+), "
    r"asked by (?P<query>\w+), ranked by (?P<rank>\w+) at (?P<min_similarity>[\d.]+), (?P<keep>\w+), "
    r"k (?P<k>\d+), tail (?P<tail>\d+), (?P<budget>\d+) characters"
)


@dataclass(frozen=True)
class Params:
    """One point of the space. Dimensions are those of ``OPTIONS``; ``layers`` is an ordered choice of 1 to
    3."""

    layers: tuple[str, ...] = ("fixes",)
    learn_from: str = "green"
    form: str = "notes"
    scope: str = "all"
    query: str = "issue"
    rank: str = "words"
    k: int = 4
    min_similarity: float = 0.1
    keep: str = "every"
    tail: int = 8
    budget: int = 3000

    def canonical(self) -> Params:
        """The same behaviour with dimensions that play no part at their defaults: equal designs compare
        equal."""
        point = self
        if not set(point.layers) & {"fixes", "cases"}:
            point = replace(point, form="notes", keep="every")
        if "traces" not in point.layers:
            point = replace(point, tail=8)
        if point.layers == ("fixes",) and point.learn_from == "all":
            point = replace(point, learn_from="green")  # a run without green tests has no fix to learn
        if point.layers == ("conventions",):
            point = replace(point, query="issue", rank="words", k=4, min_similarity=0.1)
            if point.scope == "project_first":
                point = replace(point, scope="project")
        if point.rank in ("recent", "frequent"):
            point = replace(point, query="issue", min_similarity=0.0)
        return point

    def summary(self) -> str:
        """One sentence that says all of it; ``read_summary`` reads it back."""
        return (
            f"Remembers {' + '.join(self.layers)} of {self.learn_from} runs as {self.form}; "
            f"scope {self.scope}, asked by {self.query}, ranked by {self.rank} at {self.min_similarity:g}, "
            f"{self.keep}, k {self.k}, tail {self.tail}, {self.budget} characters."
        )


def read_summary(text: str) -> Params | None:
    """The point a summary describes; None for any other text."""
    match = _SUMMARY.search(text)
    if match is None:
        return None
    return from_values({**match.groupdict(), "layers": match["layers"].split(" + ")})


def from_values(values: Mapping[str, Any]) -> Params:
    """A point from loosely typed values; what is unknown or out of the space is left at its default."""
    known: dict[str, Any] = {}
    layers = [name for name in values.get("layers", ()) if name in LAYERS]
    if layers:
        known["layers"] = tuple(dict.fromkeys(layers))[:MAX_LAYERS]
    for name, options in OPTIONS.items():
        if name in values:
            value = _nearest(values[name], options)
            if value is not None:
                known[name] = value
    return Params(**known).canonical()


def _nearest(value: Any, options: tuple[Any, ...]) -> Any:
    if isinstance(options[0], str):
        return value if value in options else None
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return min(options, key=lambda option: abs(option - number))


def hint_weights(system: str) -> dict[tuple[str, Any], float]:
    """How much more likely each value is for what the hints say; empty without hints."""
    _, found, hints = system.partition("# Hints")
    if not found:
        return {}
    return {target: 3.0 for phrase, target in HINT_WORDS.items() if phrase in hints}


def sample(rng: random.Random, weights: Mapping[tuple[str, Any], float]) -> Params:
    """A random point; ``weights`` of (dimension, value) multiply an otherwise even chance."""
    values: dict[str, Any] = {name: _choose(rng, name, options, weights) for name, options in OPTIONS.items()}
    count = rng.choice((1, 1, 2))
    layers: list[str] = []
    while len(layers) < count:
        left = tuple(name for name in LAYERS if name not in layers)
        layers.append(_choose(rng, "layers", left, weights))
    return Params(layers=tuple(layers), **values).canonical()


def _choose(
    rng: random.Random, name: str, options: tuple[Any, ...], weights: Mapping[tuple[str, Any], float]
) -> Any:
    return rng.choices(options, [weights.get((name, option), 1.0) for option in options])[0]


def step(point: Params, name: str, direction: int) -> Params:
    """The neighbour along an ordered dimension; the same point at its end."""
    options = OPTIONS[name]
    index = options.index(getattr(point, name)) + direction
    if not 0 <= index < len(options):
        return point
    return replace(point, **{name: options[index]}).canonical()


def neighbours(point: Params) -> list[tuple[str, Any, Params]]:
    """All points one change away, as (dimension, new value, point). Numbers move one notch at a time."""
    found: list[tuple[str, Any, Params]] = []
    for name, options in OPTIONS.items():
        current = options.index(getattr(point, name))
        for index, value in enumerate(options):
            near = abs(index - current) == 1 or (isinstance(value, str) and index != current)
            if near:
                found.append((name, value, replace(point, **{name: value}).canonical()))
    for layer in LAYERS:
        if layer in point.layers and len(point.layers) > 1:
            less = tuple(name for name in point.layers if name != layer)
            found.append(("layers", less, replace(point, layers=less).canonical()))
        elif layer not in point.layers and len(point.layers) < MAX_LAYERS:
            more = (*point.layers, layer)
            found.append(("layers", more, replace(point, layers=more).canonical()))
            swapped = (*point.layers[:-1], layer)
            found.append(("layers", swapped, replace(point, layers=swapped).canonical()))
    return [entry for entry in found if entry[2] != point]


def differences(old: Params, new: Params) -> list[str]:
    """Names of the dimensions in which two points differ."""
    return [name for name in ("layers", *OPTIONS) if getattr(old, name) != getattr(new, name)]
