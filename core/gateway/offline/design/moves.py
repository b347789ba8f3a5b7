"""Moves in the design space as sentences: written into an analysis, read back when the successor is written."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

from core.gateway.offline.design.space import LAYERS, MAX_LAYERS, OPTIONS, Params, from_values, step

# Sentences of other hands, where they speak of something this space has: (pattern, dimension, value or direction).
_LEXICON: tuple[tuple[str, str, Any], ...] = (
    (r"(only|same|own|per|current)[ -]project|project[ -](only|scope|specific|filter)", "scope", "project"),
    (r"before.{0,12}after|exact (change|edit|fix)|\bdiffs?\b|code change", "layers", "fixes"),
    (r"convention|curat", "layers", "conventions"),
    (r"similar (issues|cases|tasks)|failing test|error message", "layers", "cases"),
    (r"only .{0,20}(success|solved|resolved|passing)", "learn_from", "resolved"),
    (r"dedup|duplicate|merge", "keep", "merged"),
    (r"embedding|semantic", "rank", "embedding"),
    (r"(lower|reduce|loosen|relax).{0,24}(threshold|similarity)", "min_similarity", -1),
    (r"(raise|increase|stricter|tighten).{0,24}(threshold|similarity)", "min_similarity", 1),
    (r"fewer|too (long|many)|shorter|concise|noise", "k", -1),
    (r"more (notes|examples|entries|context|memories)", "k", 1),
)


def set_to(point: Params, name: str, value: Any) -> tuple[str, str]:
    """(dimension, sentence) for a new value of a dimension."""
    return name, f"Set `{name}` from `{getattr(point, name)}` to `{value}`"


def added(layer: str) -> tuple[str, str]:
    return "layers", f"Add the layer `{layer}`"


def dropped(layer: str) -> tuple[str, str]:
    return "layers", f"Remove the layer `{layer}`"


def replaced(old: str, new: str) -> tuple[str, str]:
    return "layers", f"Replace the layer `{old}` by `{new}`"


def follow(point: Params, text: str) -> Params:
    """Make the moves a text suggests; one that suggests none known leaves the point as it is."""
    moved = point
    for name, value in re.findall(r"[Ss]et `(\w+)`(?: from `[^`]*`)? to `([^`]+)`", text):
        if name in OPTIONS:
            moved = from_values({**vars(moved), name: value})
    for layer in re.findall(r"[Aa]dd the layer `(\w+)`", text):
        moved = _with_layer(moved, layer)
    for layer in re.findall(r"[Rr]emove the layer `(\w+)`", text):
        left = tuple(name for name in moved.layers if name != layer)
        moved = replace(moved, layers=left or moved.layers)
    for old, new in re.findall(r"[Rr]eplace the layer `(\w+)` by `(\w+)`", text):
        names = [new if name == old else name for name in moved.layers]
        moved = from_values({**vars(moved), "layers": names})
    if moved == point:
        for pattern, name, value in _LEXICON:
            if re.search(pattern, text, re.IGNORECASE):
                moved = _nudge(moved, name, value)
    return moved.canonical()


def _nudge(point: Params, name: str, value: Any) -> Params:
    if name == "layers":
        return _with_layer(point, value)
    if isinstance(value, int):
        return step(point, name, value)
    return replace(point, **{name: value})


def _with_layer(point: Params, layer: str) -> Params:
    if layer not in LAYERS or layer in point.layers:
        return point
    return replace(point, layers=(*point.layers[: MAX_LAYERS - 1], layer))
