"""The designs: of an evolution the tree of its archive; each with its code, its parent's, and how it came about."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup
from pygments.lexers import PythonLexer
from pygments.token import Token

from core.experiments.evaluate import Row
from core.hypotheses import Compared
from core.records import Record
from core.report.html.packed import piece
from core.report.html.report import Report
from core.report.html.safe import as_json, visible
from core.report.html.templating import fill
from core.report.loaded_run import LoadedRun
from core.report.tables import percent, points, short

ID, TITLE = "designs", "Designs"

MOST_COLOURED = 200_000
"""Characters of a design that are coloured and compared; beyond, it is shown as it is."""
_COLOURS = (
    (Token.Comment, "c"),
    (Token.Literal.String.Doc, "d"),
    (Token.Literal.String, "s"),
    (Token.Literal.Number, "n"),
    (Token.Keyword, "k"),
    (Token.Operator.Word, "k"),
    (Token.Name.Class, "f"),
    (Token.Name.Function, "f"),
    (Token.Name.Decorator, "f"),
    (Token.Name.Builtin, "b"),
)


@dataclass(frozen=True)
class Node:
    """One design in the list; ``level`` counts from 1, ``position`` among ``siblings`` likewise."""

    design: str
    level: int
    position: int
    siblings: int
    parent: str | None


def render(report: Report) -> Markup | None:
    run = report.run
    if not run.labels:
        return None
    records = {record.sha: record for record in run.records}
    rows = {row.design: row for row in report.standing.rows}
    nodes = list(tree(run))
    lines = [_line(node, rows.get(node.design), records.get(node.design), run) for node in nodes]
    details = [
        piece(f"design{at}", _detail(node, rows.get(node.design), records.get(node.design), run))
        for at, node in enumerate(nodes)
    ]
    dropped = [
        {"step": p.get("step"), "parent": p.get("parent") or "scratch", "reason": p.get("reason")}
        for p in run.proposals
        if p.get("end") == "duplicate" or (p.get("end") == "design_error" and not p.get("child"))
    ]
    return fill("designs", lines=lines, details=details, dropped=dropped, evolved=bool(records))


def tree(run: LoadedRun) -> Iterator[Node]:
    """All designs, each behind its parent; one whose parent there is not stands at the top."""
    parents = {record.sha: record.parent for record in run.records}
    children: dict[str | None, list[str]] = {}
    for label in run.labels:
        parent = parents.get(label)
        children.setdefault(parent if parent in parents and parent != label else None, []).append(label)
    seen: set[str] = set()

    def below(parent: str | None, level: int) -> list[Node]:
        found = children.get(parent, [])
        return [Node(name, level, at, len(found), parent) for at, name in enumerate(found, 1)]

    waiting = below(None, 1)[::-1]
    while waiting:
        node = waiting.pop()
        if node.design not in seen:
            seen.add(node.design)
            yield node
            waiting += below(node.design, node.level + 1)[::-1]
    # Designs that are each other's parents, which only a damaged archive has.
    left = [label for label in run.labels if label not in seen]
    yield from (Node(label, 1, at, len(left), None) for at, label in enumerate(left, 1))


def _line(node: Node, row: Row | None, record: Record | None, run: LoadedRun) -> dict[str, Any]:
    reward, resolved, status, error = _outcome(row, record)
    base = next((r.reward for r in run.records if r.sha == run.control), None)
    return {
        "node": node,
        "step": record.step if record else None,
        "reward": None if reward is None else f"{reward:.3f}",
        "resolved": percent(resolved),
        "delta": "" if None in (base, reward) or node.design == run.control else points(reward - base),
        "failed": status == "design_error",
        "status": status,
        "reason": error.strip().splitlines()[-1][:160] if error and error.strip() else "no reason was left",
    }


def _outcome(row: Row | None, record: Record | None) -> tuple[float | None, float | None, str, str | None]:
    if record is not None:
        return record.reward, record.resolved, record.status, record.error
    if row is None or row.score is None:
        return None, None, row.status if row else "unknown", row.error if row else None
    return row.score.reward, row.score.resolved, row.status, row.error


def _detail(node: Node, row: Row | None, record: Record | None, run: LoadedRun) -> dict[str, Any]:
    """What is shown when the design is opened, as plain data; every text is safe to be put into the page as text."""
    source = run.sources.get(node.design)
    parent = run.sources.get(record.parent) if record and record.parent else None
    _, _, _, error = _outcome(row, record)
    return {
        "design": visible(node.design),
        "facts": [[name, visible(value)] for name, value in _facts(node, row, record)],
        "error": None if error is None else visible(error),
        "attempts": [
            [visible(a.content), None if a.error is None else visible(a.error)]
            for a in (record.attempts if record else [])
        ],
        "analysis": None
        if record is None or record.suggestion is None
        else visible(as_json(record.suggestion)),
        "parent": None if parent is None else visible(record.parent),
        "code": None if source is None else coloured(source),
        "diff": None if source is None or parent is None else difference(parent, source),
    }


def _facts(node: Node, row: Row | None, record: Record | None) -> Iterator[tuple[str, str]]:
    if record is not None:
        yield "made in step", str(record.step)
        yield "generation", str(record.generation)
        yield "parent", record.parent or "none"
        if record.second is not None:
            yield "second parent", record.second
        if record.parent is not None and record.way != "rewrite":
            yield (
                "asked for as",
                {"edit": "edits of its parent", "crossover": "a crossover"}.get(record.way, "?"),
            )
        yield "taken as a parent", f"{record.visits} times"
        if record.improve_score is not None:
            yield "reward against parent", f"{points(record.improve_score)} points"
        if record.parent is not None:
            yield "hypothesis", record.hypothesis or "none was stated"
        if record.compared is not None:
            yield "did it hold?", _held(record.compared)
    reward, resolved, status, _ = _outcome(row, record)
    yield "status", "failed" if status == "design_error" else status
    if reward is not None:
        yield "reward", f"{reward:.3f}"
        yield "resolved", percent(resolved)
    if row is not None:
        if row.score is not None:
            yield "stands on", f"{row.score.n_tasks} tasks, {row.score.n_episodes} runs"
        if row.episodes:
            yield "memory text", f"{row.memory_tokens:.0f} tokens a task"
        yield "tokens, all calls", short(row.tokens)
        yield "cost", "unknown" if row.usd is None else f"{row.usd:.4f} USD"


def _held(found: Compared) -> str:
    """Whether a hypothesis came true, in words that claim no more than was found."""
    verdict = {"better": "yes, better than its parent", "worse": "no, worse than its parent"}
    tasks = f"{found.tasks} task{'' if found.tasks == 1 else 's'}"
    said = verdict.get(found.verdict, "not decided")
    return f"{said}: {points(found.difference)} points on {tasks}, p {found.p:.3f}"


def coloured(source: str) -> list[str]:
    """Python source as [kind, text, kind, text, ...]; the kinds are CSS classes, empty for plain text."""
    source = visible(source)
    if len(source) > MOST_COLOURED:
        return ["", source]
    runs: list[str] = []
    for token, text in PythonLexer(stripnl=False, ensurenl=False).get_tokens(source):
        kind = next((name for kinds, name in _COLOURS if token in kinds), "")
        if runs and runs[-2] == kind:
            runs[-1] += text
        else:
            runs += [kind, text]
    return runs


def difference(before: str, after: str) -> list[str]:
    """The lines of a unified diff with three lines around each change, without its heading."""
    if len(before) + len(after) > MOST_COLOURED:
        return ["(too long to compare)"]
    sides: Sequence[list[str]] = [visible(text).split("\n") for text in (before, after)]
    return list(difflib.unified_diff(*sides, lineterm=""))[2:]
