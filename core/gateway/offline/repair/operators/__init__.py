"""All single edits of one function, by general operators on its syntax tree."""

from __future__ import annotations

from collections.abc import Iterator

from . import control, expressions, helpers, names
from .base import Proposal, Scope, build_scope

FAMILIES = (
    expressions.comparisons,
    expressions.arithmetic,
    expressions.conditions,
    expressions.constants,
    expressions.bounds,
    names.variables,
    names.arguments,
    names.wrapping,
    names.subscripts,
    helpers.own_forms,
    control.statements,
    control.blocks,
)


def proposals(scope: Scope) -> Iterator[Proposal]:
    """Every edit the operators know for this function, in source order within each node."""
    for node in scope.nodes:
        for family in FAMILIES:
            yield from family(scope, node)


__all__ = ["Proposal", "Scope", "build_scope", "proposals"]
