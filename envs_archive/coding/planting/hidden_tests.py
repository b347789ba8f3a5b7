"""Which failing tests an agent does not see, and test files without them."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Mapping
from random import Random
from typing import NamedTuple

_FUNCTION = ast.FunctionDef | ast.AsyncFunctionDef


class NodeFunction(NamedTuple):
    """A test function, whatever its parameters; ``names`` are its classes and its own name."""

    path: str
    names: tuple[str, ...]


def function_of(test_id: str) -> NodeFunction:
    """The function of a node id."""
    path, *names = test_id.partition("[")[0].split("::")
    return NodeFunction(path, tuple(names))


def find_function(tree: ast.Module, names: tuple[str, ...]) -> ast.FunctionDef | ast.AsyncFunctionDef | None:
    """The only definition of a test function in a module; None when there is none, or more than one."""
    body: list[ast.stmt] = tree.body
    for number, name in enumerate(names):
        found = [node for node in body if isinstance(node, _FUNCTION | ast.ClassDef) and node.name == name]
        if len(found) != 1:
            return None
        if number == len(names) - 1:
            return found[0] if isinstance(found[0], _FUNCTION) else None
        body = found[0].body
    return None


def choose_hidden(failing: Iterable[str], texts: Mapping[str, str], rng: Random) -> set[NodeFunction]:
    """Up to half of the failing test functions, never all that can be seen fail; empty when there is only one.

    Args:
        texts: test files that can be edited; functions in others are never hidden.
    """
    functions = sorted({function_of(test) for test in failing})
    removable = [function for function in functions if _removable(function, texts)]
    count = min(len(removable), len(functions) // 2)
    return set(rng.sample(removable, rng.randint(1, count))) if count else set()


def _removable(function: NodeFunction, texts: Mapping[str, str]) -> bool:
    if function.path not in texts:
        return False
    tree = ast.parse(texts[function.path])
    node = find_function(tree, function.names)
    if node is None:
        return False
    holder = next((c for c in ast.walk(tree) if isinstance(c, ast.ClassDef) and node in c.body), tree)
    tests = [n for n in holder.body if isinstance(n, _FUNCTION) and n.name.startswith("test")]
    own = function.names[-1]
    named = any(
        (isinstance(n, ast.Name) and n.id == own)
        or (isinstance(n, ast.Attribute) and n.attr == own)
        or (isinstance(n, ast.Constant) and n.value == own)
        for n in ast.walk(tree)
    )
    return len(tests) > 1 and not named


def without(source: str, functions: Iterable[NodeFunction]) -> str:
    """A test file without some functions; their decorators and the comments above go with them."""
    lines = source.splitlines(keepends=True)
    tree = ast.parse(source)
    dropped: set[int] = set()
    for function in functions:
        node = find_function(tree, function.names)
        assert node is not None, function
        first = min([node.lineno, *(d.lineno for d in node.decorator_list)]) - 1
        while first > 0 and lines[first - 1].lstrip().startswith("#"):
            first -= 1
        while first > 0 and not lines[first - 1].strip():
            first -= 1
        dropped.update(range(first, node.end_lineno or node.lineno))
    return "".join(line for number, line in enumerate(lines) if number not in dropped)
