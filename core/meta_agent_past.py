"""The part of a prompt that tells what the archive knows: how a design came about, what became of its rewrites, what
was tried.

Every section has a size that no archive makes it exceed, however many designs it holds and whatever those are.
"""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from core.examples import clip
from core.hypotheses import Compared

SOURCE_CHARS = 36_000
SUGGESTION_CHARS = 8_000
DIFF_CHARS = 2_000
MOST_CHILDREN = 3
"""So many of the best rewrites of a design are shown, and so many of the worst."""
MOST_AHEAD = 20
BEST_DESIGNS, LATEST_DESIGNS = 8, 16
EARLIER_DESIGNS = 400
NOTE_CHARS = 600
_RACED = "The race against its parent ended with "


@dataclass(frozen=True)
class Tried:
    """A line of the list of what was tried: ``note`` is its docstring's first sentence, and why it failed. ``status``
    is that of a design, or ``turned down`` for a version that never became one. ``worth`` is what the search is to
    raise, ``usd`` the price of a run."""

    sha: str
    status: str
    reward: float | None
    note: str
    hypothesis: str | None = None
    compared: Compared | None = None
    judged: str | None = None
    memory_tokens: float | None = None
    usd: float | None = None
    worth: float = 0.0


@dataclass(frozen=True)
class Origin:
    """How a design came about: its parent's source, the suggestion followed, the change in reward."""

    parent: str
    source: str
    suggestion: Any
    improve_score: float | None
    hypothesis: str | None = None
    compared: Compared | None = None


@dataclass(frozen=True)
class Child:
    """A scored rewrite of a design; ``change`` is the difference to its parent on the tasks that both ran on. ``worth``
    is what the search is to raise, ``usd`` the price of a run."""

    sha: str
    source: str
    change: float
    hypothesis: str | None = None
    compared: Compared | None = None
    judged: str | None = None
    memory_tokens: float | None = None
    usd: float | None = None
    worth: float = 0.0


@dataclass(frozen=True)
class Second:
    """The other parent of a crossover. ``ahead``: by how much it gives more than the first one, by task."""

    sha: str
    source: str
    reward: float
    resolved: float
    ahead: Mapping[str, float]
    memory_tokens: float | None = None
    usd: float | None = None


def origin_section(origin: Origin | None) -> str:
    if origin is None:
        return "# How it came about\nIt has no parent."
    change = "unknown" if origin.improve_score is None else f"{origin.improve_score:+.4f}"
    suggestion = clip(json.dumps(origin.suggestion, ensure_ascii=False, indent=1), SUGGESTION_CHARS)
    return (
        f"# How it came about\nIt rewrites {origin.parent}; change in reward: {change}\n"
        f"{came_of(origin.hypothesis, origin.compared)}"
        f"The suggestion it followed:\n{fenced(suggestion, 'json')}\n"
        f"Source of {origin.parent}:\n{fenced(clip(origin.source, SOURCE_CHARS), 'python')}"
    )


def children_section(parent: str, source: str, children: Sequence[Child]) -> str:
    """The best and the worst rewrites of a design: what they were meant to improve, whether they did, what changed."""
    if not children:
        return "# What became of its rewrites\nThere are none yet."
    ordered = sorted(children, key=lambda child: (-child.worth, -child.change))
    shown = ordered[:MOST_CHILDREN]
    shown += ordered[max(MOST_CHILDREN, len(ordered) - MOST_CHILDREN) :]
    parts = [f"# What became of its rewrites\n{len(children)} were scored; best first, then the worst."]
    for child in shown:
        price = price_lines(child.memory_tokens, child.usd)
        parts.append(
            f"## Rewrite {child.sha}: {child.change:+.4f} against {parent}{price}\n"
            f"{came_of(child.hypothesis, child.compared, child.judged)}"
            f"{fenced(_changed(source, child.source), 'diff')}"
        )
    return "\n".join(parts)


def second_section(second: Second) -> str:
    """The other parent of a crossover, and the tasks on which it does better than the first."""
    ahead = sorted(second.ahead.items(), key=lambda item: (-item[1], item[0]))[:MOST_AHEAD]
    tasks = (
        "".join(f"- {task[:80]}: {gain:+.3f}\n" for task, gain in ahead)
        or "None of those that both ran on.\n"
    )
    return (
        f"# Second design {second.sha}\nreward: {second.reward:.4f}\nresolved: {second.resolved:.4f}"
        f"{price_lines(second.memory_tokens, second.usd)}\nTasks on which it does better than the first:\n{tasks}"
        f"{fenced(clip(second.source, SOURCE_CHARS), 'python')}"
    )


def tried_section(ideas: Sequence[Tried]) -> str:
    """The designs so far: the best and the latest in detail, of others the SHA; then the latest versions that were
    turned down."""
    designs = [one for one in ideas if one.status != "turned down"]
    if not designs:
        return "# Designs already tried\nNone."
    older, latest = designs[:-LATEST_DESIGNS], designs[-LATEST_DESIGNS:]
    scored = sorted(
        (one for one in older if one.reward is not None), key=lambda one: (-one.worth, -one.reward)
    )
    best = {one.sha for one in scored[:BEST_DESIGNS]}
    lines = [_line(one) for one in older if one.sha in best] + [_line(one) for one in latest]
    rest = [one.sha for one in older if one.sha not in best]
    if rest:
        lines.append("Earlier ones: " + ", ".join(rest[-EARLIER_DESIGNS:]))
    if len(rest) > EARLIER_DESIGNS:
        lines.append(f"and {len(rest) - EARLIER_DESIGNS} before those")
    turned_down = [one for one in ideas if one.status == "turned down"][-LATEST_DESIGNS:]
    if turned_down:
        lines.append(
            "\n# Turned down before they were scored\nNot to be proposed again as they were, unless the reason says so."
        )
        lines += [f"- {one.sha}: {one.note[:NOTE_CHARS]}" for one in turned_down]
    return "# Designs already tried\n" + "\n".join(lines)


def first_sentence(source: str) -> str:
    """The first sentence of a design's docstring, on one line."""
    match = re.match(r'\s*[rR]?("""|\'\'\')(.*?)\1', source, re.DOTALL)
    text = " ".join(match[2].split()) if match else "(no description)"
    return re.split(r"(?<=[.!?])\s", text, maxsplit=1)[0][:300]


def fenced(text: str, language: str = "text") -> str:
    """Put text into a code fence longer than any run of backticks inside it."""
    longest = max((len(run) for run in re.findall(r"`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}{language}\n{text.rstrip()}\n{fence}"


def _line(one: Tried) -> str:
    score = "failed" if one.reward is None else f"reward {one.reward:.4f}"
    line = f"- {one.sha} ({score}): {one.note[:NOTE_CHARS]}"
    if one.hypothesis is not None:
        line += f" Hypothesis: {one.hypothesis}"
    if one.compared is not None:
        line += f" Against its parent {one.compared}."
    if one.judged is not None:
        line += f" {_RACED}{one.judged}."
    if one.memory_tokens is not None:
        line += f" Memory text: {one.memory_tokens:.0f} tokens."
    return line if one.usd is None else f"{line} A run costs {one.usd:.6f} USD."


def price_lines(memory_tokens: float | None, usd: float | None) -> str:
    """What a design's memory text takes of the prompt, and what a run with it costs, each as a line of its own where it
    is known."""
    lines = "" if memory_tokens is None else f"\ntokens of memory text, mean: {memory_tokens:.0f}"
    return lines if usd is None else f"{lines}\nUSD of all model calls of a run: {usd:.6f}"


def came_of(hypothesis: str | None, compared: Compared | None, judged: str | None = None) -> str:
    """What a design was meant to improve, and what came of it beside its parent, each on a line of its own."""
    lines = [
        ("Hypothesis: ", hypothesis),
        ("Against its parent, mean difference paired by task: ", compared),
        (_RACED, judged),
    ]
    return "".join(f"{begin}{value}\n" for begin, value in lines if value is not None)


def _changed(before: str, after: str) -> str:
    """What a rewrite changed, line by line, with the size of the change first."""
    if max(len(before), len(after)) > SOURCE_CHARS:
        return f"(too long to compare: {len(before)} characters before, {len(after)} after)"
    lines = list(difflib.unified_diff(before.splitlines(), after.splitlines(), lineterm="", n=1))[2:]
    more = sum(line.startswith("+") for line in lines)
    less = sum(line.startswith("-") for line in lines)
    return clip(f"{more} lines added, {less} taken out\n" + "\n".join(lines), DIFF_CHARS)
