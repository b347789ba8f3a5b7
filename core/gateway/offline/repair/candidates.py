"""The pool: every single edit of the suspicious functions, with what ranking needs to know of each."""

from __future__ import annotations

import ast
import re
import warnings
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import pairwise

from .operators import Proposal, build_scope, proposals
from .plausible import Usage
from .priors import OPERATOR_WEIGHT
from .source import Function, SourceFile

MAX_FUNCTIONS = 30
MAX_CANDIDATES = 3500
PLACE_TOKEN = 0.4
MAX_OF_FUNCTION = 1200  # of a long function the rarer kinds of edit are left out
DID_NOT_RUN = 0.1
PUT_IN = ("insert", "early")  # kinds of edits that stand beside a line that ran
LEAST_FIT = 0.04  # an edit below makes no sense where it stands
MAX_OF_MODULE = 400  # tables of constants would crowd out the code

_TOKEN = re.compile(
    r"[A-Za-z_]\w*|\d[\w.]*|\"[^\"\n]*\"|'[^'\n]*'|[<>=!]=|//=?|\*\*=?|->|:=|[-+*/%|&^]=|<<|>>|\S"
)


@lru_cache(maxsize=65536)
def tokens(text: str) -> tuple[str, ...]:
    """Tokens of a line or two of code; never fails, unlike the real tokenizer on fragments."""
    return tuple(_TOKEN.findall(text))


@lru_cache(maxsize=65536)
def token_weight(token: str) -> float:
    """How much a token says about which edit this is: names most, brackets least."""
    if token[0].isalpha() or token[0] == "_":
        return 1.0
    if token[0].isdigit() or token[0] in "\"'":
        return 0.7
    return 0.15 if token in "()[]{},.:" else 0.8


def token_diff(before: str, after: str) -> dict[str, float]:
    """Signed, weighted difference of two pieces of code; of token pairs when only the order changed."""
    a, b = tokens(before), tokens(after)
    gone, come = Counter(a) - Counter(b), Counter(b) - Counter(a)
    if not gone and not come:
        pairs_a, pairs_b = Counter(pairwise(a)), Counter(pairwise(b))
        gone = Counter({f"{x} {y}": n for (x, y), n in (pairs_a - pairs_b).items()})
        come = Counter({f"{x} {y}": n for (x, y), n in (pairs_b - pairs_a).items()})
        return {**{f"-{t}": 0.5 * n for t, n in gone.items()}, **{f"+{t}": 0.5 * n for t, n in come.items()}}
    out = {f"-{t}": token_weight(t) * n for t, n in gone.items()}
    head = 0
    while head < min(len(a), len(b)) and a[head] == b[head]:
        head += 1
    if head and head < len(b):
        out[f"@{a[head - 1]} {b[head]}"] = PLACE_TOKEN  # where the change begins: `return f`, `[ f`
    out.update({f"+{t}": token_weight(t) * n for t, n in come.items()})
    return out


@dataclass(frozen=True, eq=False)
class Candidate:
    """Replace [start, end) of `source` by `text`. Two edits with the same result have the same `key`."""

    source: SourceFile
    function: Function
    op: str
    start: int
    end: int
    text: str
    fit: float = 1.0

    @property
    def path(self) -> str:
        return self.source.path

    @property
    def key(self) -> tuple[str, int, int, str]:
        return (self.path, self.start, self.end, self.text)

    @cached_property
    def line(self) -> int:
        return self.source.line_of(self.start)

    @cached_property
    def _lines(self) -> tuple[int, int]:
        text = self.source.text
        first = text.rfind("\n", 0, self.start) + 1
        last = text.find("\n", self.end)
        return first, len(text) if last < 0 else last

    @cached_property
    def before(self) -> str:
        first, last = self._lines
        return self.source.text[first:last].strip()

    @cached_property
    def after(self) -> str:
        first, last = self._lines
        text = self.source.text
        return (text[first : self.start] + self.text + text[self.end : last]).strip()

    @cached_property
    def diff(self) -> dict[str, float]:
        return token_diff(self.before, self.after)

    @cached_property
    def diff_norm_squared(self) -> float:
        return sum(v * v for v in self.diff.values()) or 1.0

    @cached_property
    def before_tokens(self) -> frozenset[str]:
        return frozenset(tokens(self.before))

    def result(self) -> str:
        return self.source.text[: self.start] + self.text + self.source.text[self.end :]

    @cached_property
    def parses(self) -> bool:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                ast.parse(self.result())
            except (SyntaxError, ValueError, RecursionError, MemoryError):
                return False
        return True


def trimmed(text: str, start: int, end: int, new: str) -> tuple[int, int, str]:
    """The one smallest splice with the same result: first the common start, then the common end left out.

    A pure insertion or deletion can often be shifted; it is moved as far right as it goes, so that equal
    results have equal splices whatever span they were first written for.
    """
    old = text[start:end]
    head = 0
    limit = min(len(old), len(new))
    while head < limit and old[head] == new[head]:
        head += 1
    tail = 0
    limit -= head
    while tail < limit and old[-1 - tail] == new[-1 - tail]:
        tail += 1
    start, end, new = start + head, end - tail, new[head : len(new) - tail]
    if start == end:
        while new and end < len(text) and text[end] == new[0]:
            new = new[1:] + new[0]
            start, end = start + 1, end + 1
    elif not new:
        while end < len(text) and text[start] == text[end]:
            start, end = start + 1, end + 1
    return start, end, new


def _worth(op: str, fit: float) -> float:
    return OPERATOR_WEIGHT.get(op, 1.0) * fit


@lru_cache(maxsize=2048)
def _of_function(
    source: SourceFile,
    function: Function,
    project: tuple[SourceFile, ...],
    files: tuple[str, ...],
    usage: Usage,
) -> tuple[Candidate, ...]:
    try:
        scope = build_scope(source, function, {s.path: s for s in project}, files, usage)
        found: list[Proposal] = list(proposals(scope))
    except (RecursionError, IndexError, KeyError):  # code no operator was written for: no candidates there
        return ()
    seen: dict[tuple[int, int, str], Candidate] = {}
    ran = usage.watched.lines.get((source.path, function.qualname)) if function.name else None
    for op, start, end, text, fit in found:
        if ran is not None and not op.startswith(PUT_IN) and source.line_of(start) not in ran:
            fit *= DID_NOT_RUN
        key = trimmed(source.text, start, end, text)
        if (key[0] == key[1] and not key[2]) or fit < LEAST_FIT:
            continue
        # Several operators may give the same edit: it counts as the likeliest kind.
        if key not in seen or _worth(op, fit) > _worth(seen[key].op, seen[key].fit):
            seen[key] = Candidate(source, function, op, *key, fit)
    most = MAX_OF_FUNCTION if function.name else MAX_OF_MODULE
    if len(seen) <= most:
        return tuple(seen.values())
    kinds = Counter(c.op for c in seen.values())
    ranked = sorted(seen.values(), key=lambda c: -_worth(c.op, c.fit) / kinds[c.op] ** 0.6)
    return tuple(ranked[:most])


def pool(
    weights: Mapping[Function, float],
    sources: tuple[SourceFile, ...],
    files: tuple[str, ...],
    usage: Usage,
) -> list[Candidate]:
    """Candidates of the most suspicious functions of `sources`, most suspicious function first."""
    ranked = [(weights.get(f, 0.0), s, f) for s in sources for f in s.functions]
    ranked.sort(key=lambda item: (-item[0], not item[2].name))
    out: list[Candidate] = []
    for _, source, function in ranked[:MAX_FUNCTIONS]:
        out += _of_function(source, function, sources, files, usage)
        if len(out) >= MAX_CANDIDATES:
            break
    return out[:MAX_CANDIDATES]
