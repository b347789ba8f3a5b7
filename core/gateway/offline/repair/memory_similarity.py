"""How much a note of the memory text speaks for a candidate.

Memory acts only here: fixes read by `parse_edits`, and prose through a small lexicon with low weight.
"""

from __future__ import annotations

import builtins
import keyword
import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache

from core.gateway.offline.notes import EditNote, parse_edits

from .candidates import Candidate, token_diff, tokens
from .source import SourceFile

THRESHOLD = 0.2  # squared cosine at or below which a note says nothing about a candidate
LEAST_MASS = 3.0  # with fewer notes than this, each still has only this share of the say
FOREIGN = 0.12  # weight of a fix made in a file this project does not have
PROSE = 0.25
OWN = 0.3  # from this weight on a note is taken to be about this project
PLAIN = 0.35  # weight of a change without any name of the project in it
MAX_NOTES = 60
DISCOUNT = 0.5
CARRIED_OUT, COUNTERPART, PARTLY = 0.5, 0.4, 0.3
_NAME = re.compile(r"[A-Za-z_]\w{2,}")
_KNOWN = frozenset(dir(builtins)) | frozenset(keyword.kwlist) | {"self", "cls"}
_KNOWN |= frozenset(
    [
        "append",
        "get",
        "items",
        "keys",
        "values",
        "lower",
        "upper",
        "strip",
        "split",
        "join",
        "key",
        "value",
        "result",
    ]
)

# Words of prose and the operators they speak about.
LEXICON: tuple[tuple[str, tuple[str, ...]], ...] = (
    (r"off[- ]by[- ]one|inclusive|exclusive|boundar|endpoint|last element", (
        "boundary", "range_bound", "slice_bound", "drop_one", "value_off_by_one", "constant_one",
        "bound_off_by_one")),
    (r"normali[sz]|canonical|helper", (
        "wrap_helper_key", "wrap_helper_argument", "wrap_helper_returned", "wrap_helper_assigned",
        "wrap_helper_compared", "wrap_helper_iterated", "wrap_helper_element")),
    (r"case[- ]insensitiv|lower[- ]?case|whitespace|strip\b|trim", ("append_method", "unwrap_method")),
    (r"\bround", ("round_two", "wrap_helper_returned", "wrap_builtin")),
    (r"\bunits?\b|conver[ts]|factor|seconds|minutes", ("factor", "constant_swap", "times_divide")),
    (r"negat|invert|condition", ("add_not", "drop_not", "equality", "flip", "and_or")),
    (r"argument order|swapped|order of (?:the )?arguments", ("swap_arguments", "swap_operands")),
    (r"empty|missing key|default", ("early_return", "subscript_get", "builtin_default", "truthiness")),
    (r"integer division|floor", ("true_floor", "floor_mod")),
    (r"invalidat|refresh|cache|timestamp", ("insert_end", "insert_start")),
    (r"cop(?:y|ies)\b|mutat|alias", ("wrap_builtin", "append_method", "early_default")),
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class Note:
    """One piece of experience, ready to compare. `names` are those of the project; `operators` only for prose."""

    edit: EditNote
    diff: dict[str, float]
    norm: float
    line_tokens: frozenset[str]
    weight: float
    names: frozenset[str] = frozenset()
    operators: frozenset[str] = frozenset()


@dataclass(frozen=True, eq=False)
class Notes:
    """All notes of a memory text; `mass` is the sum of their weights."""

    items: tuple[Note, ...]
    mass: float


@lru_cache(maxsize=256)
def _edits(text: str) -> tuple[EditNote, ...]:
    return tuple(parse_edits(text))


@lru_cache(maxsize=16384)
def _names(text: str) -> frozenset[str]:
    return frozenset(_NAME.findall(text)) - _KNOWN


def relation(note: EditNote, files: frozenset[str], names: frozenset[str]) -> float:
    """Whether a fix was made in this project: by its file, else by the names in it."""
    path = note.path.removeprefix("./").removeprefix("/workspace/")
    if path:
        return 1.0 if path in files else FOREIGN
    own = _names(f"{note.before}\n{note.after}")
    if not own:
        return 0.3
    return FOREIGN + (1.0 - FOREIGN) * (len(own & names) / len(own)) ** 2


def own_names(edit: EditNote, diff: Mapping[str, float], functions: frozenset[str]) -> frozenset[str]:
    """Tokens of a change that are names of its own project: those recur there, `<` to `<=` recurs anywhere.

    The functions that it calls anew; else the names it brings in, else those it takes out.

    Args:
        functions: names of the project's functions, which are its own however common they are.
    """
    own = [t for t in diff if t[1:] in functions or _own_name(t)]
    called = frozenset(t for t in own if t[0] == "+" and f"{t[1:]}(" in edit.after)
    return called or frozenset(t for t in own if t[0] == "+") or frozenset(t for t in own if t[0] == "-")


def _norm(diff: dict[str, float]) -> float:
    return math.sqrt(sum(v * v for v in diff.values()))


def _prose(text: str, names: frozenset[str], edits: tuple[EditNote, ...]) -> list[Note]:
    """Sentences that name something of the project next to a known word, or a helper to call."""
    out = []
    quoted = {part for e in edits for part in (e.before, e.after) if part}
    for line in text.splitlines():
        if len(line) > 400 or any(q in line for q in quoted):
            continue
        operators = {op for pattern, ops in LEXICON if re.search(pattern, line, re.I) for op in ops}
        called = [n for n in re.findall(r"`?([A-Za-z_]\w{2,})(?:\(\w*\)|`)", line) if n in names]
        diff = {f"+{n}": 1.0 for n in called}
        if operators or diff:
            edit = EditNote("", "", "", "", line.strip())
            local = bool(_names(line) & names)
            weight = PROSE if local else PROSE * 0.5
            out.append(Note(edit, diff, _norm(diff), frozenset(), weight, operators=frozenset(operators)))
    return out[:20]


@lru_cache(maxsize=256)
def read_notes(
    text: str, files: frozenset[str], names: frozenset[str], functions: frozenset[str] = frozenset()
) -> Notes:
    """Parse the memory text against one project: its files, the identifiers of the sources read, its functions."""
    if not text.strip():
        return Notes((), 0.0)
    edits = _edits(text)
    items = []
    for edit in edits[-MAX_NOTES:]:
        diff = token_diff(edit.before, edit.after)
        if not diff or len(edit.before) + len(edit.after) > 3000:
            continue
        lines = frozenset(tokens(edit.before or edit.after))
        own = own_names(edit, diff, functions)
        weight = relation(edit, files, names) * (1.0 if own else PLAIN)
        items.append(Note(edit, diff, _norm(diff), lines, weight, own))
    items += _prose(text, names, edits)
    return Notes(tuple(items), sum(n.weight for n in items))


@dataclass(frozen=True, eq=False)
class Idea:
    """What several notes have in common: the project's functions that their fixes call, else the names that they bring
    in (or take out).

    `weight` grows faster than the number of notes: what came up twice is a habit of the project, what came up once
    may have been chance (the discount of a Pitman-Yor process).
    """

    names: frozenset[str]
    notes: tuple[Note, ...]
    weight: float


def ideas(notes: Notes) -> list[Idea]:
    """Group the notes by the project names they bring in; a note without any is an idea of its own."""
    groups: dict[frozenset[str], list[Note]] = {}
    alone = []
    for note in notes.items:
        if note.names and note.weight >= OWN:
            groups.setdefault(note.names, []).append(note)
        else:
            alone.append(_idea(frozenset(), [note]))
    return alone + [_idea(names, group) for names, group in groups.items()]


def _idea(names: frozenset[str], notes: list[Note]) -> Idea:
    return Idea(names, tuple(notes), sum(n.weight for n in notes) * (1 - DISCOUNT / len(notes)))


def homes(sources: Iterable[SourceFile]) -> dict[str, str]:
    """Module of each function of the project, by name, as far as definitions and imports tell."""
    found: dict[str, str] = {}
    for source in sources:
        for name, target in source.imports.items():
            module, _, imported = target.partition(":")
            if imported and name.islower():
                found.setdefault(name, module.rpartition(".")[2])
        for function in source.functions:
            if function.name and not function.owner:
                found[function.name] = source.path.rpartition("/")[2].removesuffix(".py")
    return found


def likeness(idea: Idea, candidate: Candidate, home: Mapping[str, str]) -> float:
    """How far an edit carries out an idea: 0 to 1, above 1 for the very edit of one of its notes.

    Args:
        home: module of each function: one that lives beside the noted one is often its counterpart.
    """
    best = max(similarity(note, candidate) for note in idea.notes)
    if best > 1.0:
        return best if max(n.weight for n in idea.notes) >= OWN else 1.0
    if not idea.names:
        return best**3
    if idea.names <= candidate.diff.keys():
        return CARRIED_OUT + (1 - CARRIED_OUT) * best
    modules = {home[name[1:]] for name in idea.names if name[1:] in home}
    if any(token[0] == "+" and home.get(token[1:]) in modules for token in candidate.diff):
        return COUNTERPART
    return PARTLY * best**3


def _own_name(token: str) -> bool:
    return token[1:].isidentifier() and token[1:] not in _KNOWN and len(token) > 3


def similarity(note: Note, candidate: Candidate) -> float:
    """Resemblance of an edit to a noted one, 0 to 1 (above 1 for the very same edit).

    cos(token diffs)^2 * (0.6 + 0.4 * Jaccard of the changed lines), 0 when the squared cosine is small.
    """
    if note.operators or not note.edit.after + note.edit.before:
        return _prose_similarity(note, candidate)
    diff = candidate.diff
    small, large = (diff, note.diff) if len(diff) < len(note.diff) else (note.diff, diff)
    dot = sum(v * large[t] for t, v in small.items() if t in large)
    if dot <= 0.0:
        return 0.0
    squared = dot * dot / (note.norm * note.norm * candidate.diff_norm_squared)
    if squared <= THRESHOLD:
        return 0.0
    mine = candidate.before_tokens
    union = len(mine | note.line_tokens) or 1
    value = squared * (0.6 + 0.4 * len(mine & note.line_tokens) / union)
    if note.edit.function and note.edit.function.rpartition(".")[2] == candidate.function.name:
        value = min(1.0, value * 1.1)
    if note.edit.after == candidate.after and note.edit.before == candidate.before:
        # A line that was only added says nothing of where it belongs now.
        value = 1.5 if note.edit.before else 1.0
    return value


def _prose_similarity(note: Note, candidate: Candidate) -> float:
    named = any(token in candidate.diff for token in note.diff)
    if named and (not note.operators or candidate.op in note.operators):
        return 0.9
    if named:
        return 0.7
    return 0.5 if candidate.op in note.operators else 0.0
