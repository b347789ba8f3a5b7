"""How well a new expression fits where it would stand: its kind, and what is handed to which function.

After the observation that names tell misplaced arguments (Pradel and Sen 2018, "DeepBugs") and that a project's own
calls show its habits (Engler et al. 2001, "Bugs as deviant behavior"): a helper with many call sites is likelier to be
the one that is missing, the more so around an argument of a name that it is given elsewhere.
"""

from __future__ import annotations

import ast
import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from . import kinds
from .source import FUNCTION, Function, SourceFile, statement, words
from .watching import Seen, Watched, read_watched

WRONG_KIND, OTHER_KIND, NO_VALUE, PREDICATE = 0.1, 0.25, 0.02, 0.3
SAME_NAME, ALIKE, NEW, STRANGE = 2.0, 1.5, 0.8, 0.5
AGAIN = 0.1  # the result of a helper, handed to the same helper once more
LEAST, MOST = 0.01, 8.0
HAS_EFFECT, NO_EFFECT = 1.5, 0.08  # of a helper in the watched run
ITEM = "item"  # how the operators call one item of a collection
_TAKES = {
    "round": "number", "abs": "number", "int": "number text bool", "float": "number text", "bool": "number",
    "str": "number", "len": "list set dict tuple text", "list": "set dict tuple iterator text",
    "sorted": "list set dict tuple iterator", "sum": "list set tuple iterator", "set": "list tuple iterator text",
    "tuple": "list set iterator", "dict": "list iterator dict",
}  # fmt: skip
_TYPES = {
    "text": (str,), "list": (list,), "dict": (dict,), "set": (set,), "tuple": (tuple,), "number": (int, float),
    "iterator": (type(iter(())),),
}  # fmt: skip


@dataclass(frozen=True, eq=False)
class Usage:
    """How the files read so far call their functions.

    Attributes:
        functions: by name; of several with one name the first.
        known: kinds of results and attributes (`kinds.of_project`).
        sites: number of calls by name.
        given: words of the argument at a position, by (name, position).
        watched: what values there were in a run of the failing tests.
    """

    functions: dict[str, Function] = field(default_factory=dict)
    known: dict[str, str] = field(default_factory=dict)
    sites: Counter[str] = field(default_factory=Counter)
    given: dict[tuple[str, int], Counter[str]] = field(default_factory=dict)
    watched: Watched = field(default_factory=Watched)


@lru_cache(maxsize=64)
def usage_of(sources: tuple[SourceFile, ...], lines: tuple[str, ...] = (), watched: str = "") -> Usage:
    """Gather what the files read so far show, single `lines` that a search found in others, and a watched run."""
    usage = Usage(known=kinds.of_project(sources), watched=read_watched(watched))
    for source in sources:
        for function in source.functions:
            if isinstance(function.node, FUNCTION):
                usage.functions.setdefault(function.name, function)
        _note_calls(usage, iter(source.nodes))
    for line in lines:
        tree = statement(line)
        if isinstance(tree, FUNCTION):
            function = Function(tree.name, tree.name, "", tree, 1, 1)
            usage.functions.setdefault(tree.name, function)
            if kind := kinds.of_annotation(tree.returns):
                usage.known.setdefault(f"{tree.name}()", kind)
        elif tree is not None:
            _note_calls(usage, ast.walk(tree))
    return usage


def _note_calls(usage: Usage, nodes: Iterator[ast.AST]) -> None:
    for node in nodes:
        if isinstance(node, ast.Call):
            name = kinds.called_name(node)
            usage.sites[name] += 1
            for index, argument in enumerate(node.args[:4]):
                usage.given.setdefault((name, index), Counter())[word(argument)] += 1


def word(node: ast.AST) -> str:
    """The name that an expression goes by, "" for none."""
    if isinstance(node, ast.Name):
        return node.id.strip("_")
    if isinstance(node, ast.Attribute):
        return node.attr.strip("_")
    if isinstance(node, ast.Call):
        return kinds.called_name(node).strip("_")
    if isinstance(node, ast.Subscript):
        key = node.slice
        return key.value if isinstance(key, ast.Constant) and isinstance(key.value, str) else word(node.value)
    return ""


@lru_cache(maxsize=65536)
def _stems(name: str) -> frozenset[str]:
    return frozenset(w.removesuffix("s") for w in words(name)) or frozenset([name])


def _parameters(function: Function) -> list[str]:
    arguments = function.node.args
    names = [a.arg for a in [*arguments.posonlyargs, *arguments.args]]
    return names[1:] if names[:1] in (["self"], ["cls"]) else names


@lru_cache(maxsize=16384)
def parsed(text: str) -> ast.expr | None:
    try:
        return ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


@dataclass(eq=False)
class Judge:
    """Judges expressions for places in one function."""

    usage: Usage
    function: Function
    path: str
    seen: Mapping[str, Seen] = field(init=False)
    local: dict[str, str] = field(init=False)
    results: dict[str, str] = field(init=False)  # variable -> function whose result it holds

    def __post_init__(self) -> None:
        self.seen = self.usage.watched.values.get((self.path, self.function.qualname), {})
        self.local = kinds.of_function(self.function, self.usage.known)
        self.local |= {
            text: seen.kind for text, seen in self.seen.items() if seen.kind and text.isidentifier()
        }
        self.results = {
            target.id: kinds.called_name(node.value)
            for node in ast.walk(self.function.node)
            if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call)
            for target in node.targets
            if isinstance(target, ast.Name)
        }

    def fit(self, old_text: str, new_text: str, condition: bool = False) -> float:
        """Factor around 1 for an expression in the place of another; in a `condition` any truth will do."""
        old, new = parsed(old_text), parsed(new_text)
        if old is None or new is None:
            return 1.0
        before, after = kinds.of_expression(old, self.local), kinds.of_expression(new, self.local)
        value = 1.0
        if after == "nothing":
            value *= NO_VALUE
        elif not kinds.agree(after, before):
            value *= OTHER_KIND
        elif after == "bool" != before and not condition:
            value *= PREDICATE
        left, come = list(_calls(old_text)), _calls(new_text)
        for text, call in come:
            same = next((i for i, (other, _) in enumerate(left) if other == text), None)
            if same is None:
                value *= self._call(call)
            else:
                del left[same]
        value *= {True: HAS_EFFECT, False: NO_EFFECT, None: 1.0}[self._effect(old, new)]
        names = {kinds.called_name(call) for _, call in come}
        for _, call in left:
            if kinds.called_name(call) in names:  # called before as well: only the difference counts
                value /= max(self._call(call), 0.2)
        return min(max(value, LEAST), MOST)

    def _effect(self, old: ast.expr, new: ast.expr) -> bool | None:
        """Whether a helper in the new expression would have made a difference in the watched run; None: not known."""
        known = self.usage.watched.helpers.get(self.path, frozenset())
        before = ast.unparse(old)
        seen, base = self.seen.get(before), _base(old)
        effects = []
        for call in (n for n in ast.walk(new) if isinstance(n, ast.Call)):
            helper = ast.unparse(call.func)
            if helper not in known or len(call.args) != 1 or call.keywords:
                continue
            given = ast.unparse(call.args[0])
            if given != before and seen and base and given == base:
                effects.append(helper in seen.instead)
            elif given == ITEM and seen:
                effects.append(helper in seen.each)
            elif given in self.seen:
                effects.append(helper in self.seen[given].changed)
        return any(effects) if effects else None

    def arguments(self, called: str, index: int, options: Sequence[str], least: float) -> list[str]:
        """Those of `options` (texts) that a project function may be given at a position, the likeliest first."""
        name = called.rpartition(".")[2]
        function = self.usage.functions.get(name)
        names = _parameters(function) if function else []
        if index >= len(names):
            return []
        wanted = kinds.of_parameters(function).get(names[index], "")
        rated = []
        for text in options:
            argument = parsed(text)
            kind = kinds.of_expression(argument, self.local)
            value = self._name(name, index, names[index], argument) * (
                1.0 if kinds.agree(kind, wanted) else WRONG_KIND
            )
            value *= 1.5 if kind and kind == wanted else 1.0
            rated.append((value, text))
        rated.sort(key=lambda item: -item[0])
        return [text for value, text in rated if value >= least]

    def _call(self, call: ast.Call) -> float:
        name = kinds.called_name(call)
        if not name:
            return 1.0
        function = self.usage.functions.get(name)
        if isinstance(call.func, ast.Attribute) and function is None:
            types = _TYPES.get(kinds.of_expression(call.func.value, self.local))
            return 1.0 if types is None or any(hasattr(t, name) for t in types) else WRONG_KIND
        if function is None:
            if isinstance(call.func, ast.Name) and name in _TAKES and len(call.args) == 1:
                kind = kinds.of_expression(call.args[0], self.local)
                return 1.0 if not kind or kind in _TAKES[name].split() else WRONG_KIND
            return 1.0
        value = min(3.0, 0.5 + 0.5 * math.log2(1 + self.usage.sites[name]))
        takes = kinds.of_parameters(function)
        names = _parameters(function)
        for index, argument in enumerate(call.args[: len(names)]):
            kind = kinds.of_expression(argument, self.local)
            if not kinds.agree(kind, takes.get(names[index], "")):
                value *= WRONG_KIND
            value *= self._name(name, index, names[index], argument)
            held = self.results.get(argument.id) if isinstance(argument, ast.Name) else None
            if name == (kinds.called_name(argument) if isinstance(argument, ast.Call) else held):
                value *= AGAIN
        return value

    def _name(self, called: str, index: int, parameter: str, argument: ast.expr) -> float:
        """Does a function get arguments of this name, at this position?"""
        name = word(argument)
        given = self.usage.given.get((called, index), Counter())
        if not name:
            return 1.0
        if given[name] or name == parameter:
            return SAME_NAME + 0.5 * min(given[name], 4)
        stems = _stems(name)
        if stems & _stems(parameter) or any(stems & _stems(other) for other in given if other):
            return ALIKE
        return STRANGE if given.total() > 1 else NEW


def _base(node: ast.expr) -> str:
    """What a call of one thing works on: its only argument or its receiver."""
    if isinstance(node, ast.Call) and not node.keywords:
        if isinstance(node.func, ast.Name) and len(node.args) == 1:
            return ast.unparse(node.args[0])
        if isinstance(node.func, ast.Attribute) and not node.args:
            return ast.unparse(node.func.value)
    return ""


@lru_cache(maxsize=16384)
def _calls(text: str) -> tuple[tuple[str, ast.Call], ...]:
    """The calls in an expression, each with its own text."""
    tree = parsed(text) if "(" in text else None
    found = [n for n in ast.walk(tree) if isinstance(n, ast.Call)] if tree else []
    plain = text.isascii() and "\n" not in text and text == text.strip()
    return tuple((text[n.col_offset : n.end_col_offset] if plain else ast.unparse(n), n) for n in found)
