"""What a memory design is made of, read from its syntax tree: nothing of it is run.

All of it are heuristics on names and shapes; they tell what the code mentions, not what it achieves.
"""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

LAYER = "Sub_memo_layer"
GRAM = 5
"""Neighbouring nodes of the syntax tree that are compared as one."""
CONTAINERS = frozenset({"dict", "list", "set", "deque", "defaultdict", "OrderedDict", "Counter"})
LITERALS = {ast.Dict: "dict", ast.List: "list", ast.Set: "set", ast.DictComp: "dict", ast.ListComp: "list"}
GRAPHS = frozenset({"Graph", "DiGraph", "MultiGraph", "MultiDiGraph"})
VECTOR_CALLS = frozenset(
    {"similarity_search", "similarity_search_with_score", "get_batch_embeddings", "get_embedding"}
)
OVERLAP_CALLS = frozenset({"intersection", "SequenceMatcher", "get_close_matches"})
OVERLAP_NAMES = ("overlap", "jaccard", "bm25", "idf", "tfidf")
Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class Structure:
    """One design.

    Attributes:
        lines: of code, without comments, docstrings and empty lines.
        layers: names of its memory layers.
        stores: what it keeps things in: dict, list, vector store, graph, ...
        keys: names under which it hands out what it knows.
        model_calls: places in the code that ask a language model.
        embedding_calls: places that make or search vectors.
        ideas: how it learns and finds again, in words; comparable between designs.
    """

    lines: int
    layers: list[str]
    stores: list[str]
    keys: list[str]
    model_calls: int
    embedding_calls: int
    ideas: list[str]


def describe(source: str) -> Structure:
    """Read a design.

    Raises:
        SyntaxError: it is no Python.
    """
    tree = _bare(source)
    retrieve = _reached(tree, ("general_retrieve", "retrieve"))
    update = _reached(tree, ("general_update", "update"))
    stores = sorted(set(_stores(tree)))
    vectors = [n for n in ast.walk(tree) if _called(n) in VECTOR_CALLS | {"Chroma", "Embedding"}]
    return Structure(
        lines=len(ast.unparse(tree).splitlines()),
        layers=[node.name for node in _layers(tree)],
        stores=stores,
        keys=_keys(tree),
        model_calls=len(_asks(ast.walk(tree))),
        embedding_calls=len(vectors),
        ideas=sorted(_ideas(tree, retrieve, update, bool(vectors))),
    )


def similarity(one: str, other: str) -> float:
    """How alike two sources are, 0 to 1: the Sørensen-Dice coefficient of the runs of ``GRAM`` nodes in their syntax
    trees, names, values and docstrings left out, so that renaming changes nothing.

    Raises:
        SyntaxError: one of them is no Python.
    """
    a, b = _grams(_bare(one)), _grams(_bare(other))
    total = sum(a.values()) + sum(b.values())
    return 2 * sum((a & b).values()) / total if total else 1.0


def _bare(source: str) -> ast.Module:
    """The tree without docstrings and other bare texts."""
    tree = ast.parse(source)
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(body, list):
            kept = [
                child
                for child in body
                if not (
                    isinstance(child, ast.Expr)
                    and isinstance(child.value, ast.Constant)
                    and isinstance(child.value.value, str)
                )
            ]
            node.body = kept or ([] if isinstance(node, ast.Module) else [ast.Pass()])
    return tree


def _grams(tree: ast.Module) -> Counter[tuple[str, ...]]:
    nodes = [type(node).__name__ for node in _in_order(tree) if not isinstance(node, ast.expr_context)]
    return Counter(tuple(nodes[i : i + GRAM]) for i in range(max(0, len(nodes) - GRAM + 1)))


def _in_order(node: ast.AST) -> Iterator[ast.AST]:
    yield node
    for child in ast.iter_child_nodes(node):
        yield from _in_order(child)


def _called(node: ast.AST) -> str:
    """Last name of what a call calls; empty for anything else."""
    if not isinstance(node, ast.Call):
        return ""
    return _name(node.func)


def _name(node: ast.AST) -> str:
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""


def _layers(tree: ast.Module) -> list[ast.ClassDef]:
    """Classes that derive from the layer's base class, also by way of another class of the file."""
    known, found = {LAYER}, []
    for node in (n for n in ast.walk(tree) if isinstance(n, ast.ClassDef)):
        if any(_name(base) in known for base in node.bases):
            known.add(node.name)
            found.append(node)
    return found


def _stores(tree: ast.Module) -> Iterator[str]:
    """What attributes of objects are made of, in classes and in their methods."""
    assigned = {
        target.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Attribute)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign):
            targets, value, annotation = node.targets, node.value, None
        elif isinstance(node, ast.AnnAssign):
            targets, value, annotation = [node.target], node.value, node.annotation
        else:
            continue
        of_object = any(isinstance(t, ast.Attribute) and _name(t.value) == "self" for t in targets)
        of_class = annotation is not None and (_called(value) == "field" or _name(targets[0]) in assigned)
        if of_class and isinstance(annotation, ast.Name) and annotation.id == "str":
            yield "text"
        elif of_object or of_class:
            yield from _kinds(value)


def _kinds(value: ast.AST | None) -> Iterator[str]:
    if type(value) in LITERALS:
        yield LITERALS[type(value)]
    elif isinstance(value, ast.Constant) and isinstance(value.value, str):
        yield "text"
    elif _called(value) == "field":
        for keyword in value.keywords:
            made = keyword.value
            if keyword.arg == "default_factory":
                yield from _kinds(made.body if isinstance(made, ast.Lambda) else ast.Call(made, [], []))
    elif _called(value) in CONTAINERS:
        yield _called(value)
    elif _called(value) in GRAPHS:
        yield "graph"
    elif _called(value) == "Chroma":
        yield "vector store"


def _functions(tree: ast.Module) -> list[Function]:
    return [node for node in ast.walk(tree) if isinstance(node, Function)]


def _reached(tree: ast.Module, starts: Iterable[str]) -> list[ast.AST]:
    """All nodes of the functions of these names and of those that they mention."""
    functions: dict[str, list[Function]] = {}
    for function in _functions(tree):
        functions.setdefault(function.name, []).append(function)
    classes = {node.name: node for node in ast.walk(tree) if isinstance(node, ast.ClassDef)}
    waiting, seen, nodes = [s for s in starts if s in functions], set(), []
    while waiting:
        name = waiting.pop()
        if name in seen:
            continue
        seen.add(name)
        for function in functions.get(name, []):
            own = list(ast.walk(function))
            nodes += own
            mentioned = {_name(n) for n in own} & (functions.keys() | classes.keys())
            # What one side calls of the other is not its own way of working.
            waiting += sorted(mentioned - {"update", "general_update", "retrieve", "general_retrieve"})
    return nodes


def _asks(nodes: Iterable[ast.AST]) -> list[ast.AST]:
    return [node for node in nodes if _called(node) == "ask"]


def _keys(tree: ast.Module) -> list[str]:
    """Constant keys of dicts that ``general_retrieve`` builds."""
    found: dict[str, None] = {}
    for function in _functions(tree):
        if function.name != "general_retrieve":
            continue
        for node in ast.walk(function):
            keys: list[ast.AST | None] = []
            if isinstance(node, ast.Dict):
                keys = list(node.keys)
            elif isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Store):
                keys = [node.slice]
            for key in keys:
                if isinstance(key, ast.Constant) and isinstance(key.value, str):
                    found[key.value] = None
    return list(found)


def _ideas(tree: ast.Module, retrieve: list[ast.AST], update: list[ast.AST], vectors: bool) -> set[str]:
    names = {_name(n).lower() for n in retrieve} | {_called(n) for n in retrieve}
    everything = list(ast.walk(tree))
    found = {
        "finds by embedding": vectors,
        "finds by shared words": bool(names & OVERLAP_CALLS)
        or any(part in name for name in names for part in OVERLAP_NAMES)
        or any(isinstance(n, ast.BinOp) and isinstance(n.op, ast.BitAnd) for n in retrieve),
        "finds the most recent": any(_from_the_end(n) for n in retrieve)
        or bool(names & {"reversed"})
        or any(_called(n) == "deque" for n in everything),
        "finds by frequency or score": any(_ranks(n) for n in retrieve),
        "finds along a graph": any(_called(n) in GRAPHS for n in everything),
        "asks a model to find": bool(_asks(retrieve)),
        "asks a model to learn": bool(_asks(update)),
        "keeps projects apart": any(_by_project(n) for n in [*retrieve, *update]),
        "learns by the outcome": any(_judges(n) for n in update),
        "counts repetitions": any(_counts(n) for n in update)
        or any(_called(n) == "Counter" for n in everything),
        "forgets": any(_drops(n) for n in update)
        or any(_called(n) == "deque" and any(k.arg == "maxlen" for k in n.keywords) for n in everything),
    }
    return {idea for idea, there in found.items() if there}


def _from_the_end(node: ast.AST) -> bool:
    """``notes[-k:]``"""
    if not (isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Slice)):
        return False
    return isinstance(node.slice.lower, ast.UnaryOp) and isinstance(node.slice.lower.op, ast.USub)


def _by_project(node: ast.AST) -> bool:
    """``shelf[project]``, ``shelf.get(project)``, ``entry.project == project``"""
    if isinstance(node, ast.Subscript):
        return _is_project(node.slice)
    if _called(node) in {"get", "setdefault"}:
        return bool(node.args) and _is_project(node.args[0])
    return isinstance(node, ast.Compare) and any(_is_project(n) for n in [node.left, *node.comparators])


def _is_project(node: ast.AST) -> bool:
    """A project's name: a variable, ``init["project"]``, ``str(init.get("project"))``; not the word itself."""
    if isinstance(node, ast.Constant):
        return False
    return any(
        "project" in _name(n) or (isinstance(n, ast.Constant) and n.value == "project")
        for n in ast.walk(node)
    )


def _judges(node: ast.AST) -> bool:
    """A reward that something depends on."""
    tested = getattr(node, "test", None) if isinstance(node, ast.If | ast.IfExp) else None
    parts = [tested] if tested is not None else [node] if isinstance(node, ast.Compare) else []
    return any(isinstance(n, ast.Attribute) and n.attr == "reward" for part in parts for n in ast.walk(part))


def _counts(node: ast.AST) -> bool:
    """``entry.count += 1``, but not a running number of the object itself."""
    if not (isinstance(node, ast.AugAssign) and isinstance(node.op, ast.Add)):
        return False
    one = isinstance(node.value, ast.Constant) and node.value.value == 1
    of_other = isinstance(node.target, ast.Subscript) or (
        isinstance(node.target, ast.Attribute) and _name(node.target.value) != "self"
    )
    return one and of_other


def _drops(node: ast.AST) -> bool:
    """``del self.notes[key]``, ``self.notes.pop()``, ``self.notes = self.notes[-k:]``"""
    if isinstance(node, ast.Delete):
        return any(_of_self(target) for target in node.targets)
    if _called(node) in {"pop", "popleft", "popitem", "remove", "delete"}:
        return _of_self(node.func)
    return (
        isinstance(node, ast.Assign)
        and isinstance(node.value, ast.Subscript)
        and isinstance(node.value.slice, ast.Slice)
        and any(_of_self(target) for target in node.targets)
    )


def _of_self(node: ast.AST) -> bool:
    while isinstance(node, ast.Attribute | ast.Subscript | ast.Call):
        node = node.func if isinstance(node, ast.Call) else node.value
    return _name(node) == "self"


def _ranks(node: ast.AST) -> bool:
    """Sorting, or taking the largest, by a key."""
    return _called(node) in {"sorted", "sort", "max", "nlargest", "most_common"} and (
        _called(node) == "most_common" or any(k.arg == "key" for k in node.keywords)
    )
