"""How bugs are planted: every operator yields edits that people make by mistake, each named after its kind."""

from __future__ import annotations

from collections.abc import Iterator

from . import expressions, names, statements
from .base import Edit, Module, Operator, same_program

OPERATORS: tuple[Operator, ...] = (*expressions.OPERATORS, *statements.OPERATORS, *names.OPERATORS)

__all__ = ["OPERATORS", "Edit", "Module", "Operator", "edits_of", "same_program"]


def edits_of(path: str, source: str) -> Iterator[Edit]:
    """All edits of a module, in the order of its nodes. Most are bugs, some change nothing that anybody sees."""
    module = Module(path, source)
    for node in module.nodes:
        for operator in OPERATORS:
            yield from operator(module, node)
