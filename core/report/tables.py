"""Results as text tables on stdout."""

from __future__ import annotations

import math
import shutil
import sys
from collections.abc import Callable, Sequence

from rich.console import Console
from rich.table import Table

from core.experiments.evaluate import Row
from core.experiments.power import ALPHA
from core.experiments.statistics import Paired
from core.memo_manager import Memo_Manager
from core.options import OFFLINE, Options
from core.pareto import OUTCOME, Objective, design_points, front
from core.records import Record

OFFLINE_NOTE = (
    "Model: offline, a search-based repair program and no language model. These numbers show that the machinery "
    "works, not what a language model would gain."
)


def model_note(options: Options) -> list[str]:
    """What a reader must know of the model, if anything."""
    return [OFFLINE_NOTE] if options.execution_model == OFFLINE else []


def console() -> Console:
    """Wide enough that no column is cut when the output goes to a file."""
    width = None if sys.stdout.isatty() else max(170, shutil.get_terminal_size().columns)
    return Console(width=width, highlight=False, soft_wrap=False)


def percent(value: float | None) -> str:
    return "-" if value is None or math.isnan(value) else f"{100 * value:.1f} %"


def points(value: float) -> str:
    return f"{100 * value:+.1f}"


def interval(ends: tuple[float, float]) -> str:
    low, high = ends
    return "-" if math.isnan(low) else f"{points(low)} to {points(high)}"


def interval_in_words(ends: tuple[float, float], p: float, adjusted: bool) -> str:
    """A 95 % interval of differences, in points, with the reason where it and the test seem to disagree.

    Args:
        p: what a claim has to pass.
        adjusted: whether p is, for the number of comparisons, as no interval is.
    """
    low, high = ends
    said = f"95 % {interval(ends)}"
    if p < ALPHA and low <= 0 <= high:
        return f"{said} by bounds that are too wide rather than too narrow, since few tasks differ"
    if p >= ALPHA and adjusted and not low <= 0 <= high:
        return f"{said}, not adjusted for the number of comparisons"
    return said


def p_value(p: float) -> str:
    return "-" if math.isnan(p) else f"{p:.3f}"


Column = tuple[str, Callable[[Row], str]]


def comparison(rows: Sequence[Row], title: str, notes: Sequence[str]) -> None:
    """Designs against the first one: reward with its standard error over tasks, and the paired difference."""
    columns = [*_SCORES]
    if any(row.versus for row in rows):
        columns += [(f"delta vs {rows[0].design}", _delta), *_PAIRED]
    if any(row.p_holm is not None for row in rows):
        columns.append(("p (Holm)", lambda row: "" if row.p_holm is None else p_value(row.p_holm)))
    columns += _COSTS
    if any(row.usd != 0 for row in rows):
        columns.append(("USD", lambda row: "unknown" if row.usd is None else f"{row.usd:.4f}"))
    if any(row.flagged for row in rows):
        columns.append(("flags", lambda row: str(row.flagged)))
    table = Table(title=title, title_justify="left")
    table.add_column("design")
    for name, _ in columns:
        table.add_column(name, justify="right")
    for row in rows:
        cells = [cell(row) for _, cell in columns] if row.score else ["failed"]
        table.add_row(row.design, *cells)
    out = console()
    out.print(table)
    for row in rows:
        if row.error:
            out.print(f"{row.design}: {row.status}: {row.error.splitlines()[-1]}", markup=False)
    for sentence in [in_words(row, rows[0]) for row in rows if row.versus_resolved] + list(notes):
        out.print(sentence, markup=False, soft_wrap=True)


def in_words(row: Row, control: Row) -> str:
    """The difference in resolved tasks, as a sentence that claims no more than the tests allow."""
    versus, adjusted = row.versus_resolved, row.p_holm_resolved is not None
    verdict = (
        "no difference is shown"
        if row.p_shown_resolved >= ALPHA
        else f"{'more' if versus.delta > 0 else 'fewer'} tasks resolved"
    )
    holm = f", for all designs compared {row.p_holm_resolved:.3f} (Holm)" if adjusted else ""
    return (
        f"{row.design} resolves {percent(row.score.resolved)} against {percent(control.score.resolved)} of "
        f"{control.design}: {points(versus.delta)} points, "
        f"{interval_in_words(versus.range, row.p_shown_resolved, adjusted)}, p {p_value(versus.p)} (sign flip "
        f"{versus.p_permutation:.3f}, by project {versus.p_cluster:.3f}{holm}), n = {versus.n} tasks: {verdict}."
    )


def _paired(show: Callable[[Paired], str]) -> Callable[[Row], str]:
    return lambda row: show(row.versus) if row.versus else ""


_SCORES: list[Column] = [
    ("AVG reward", lambda row: f"{row.score.reward:.3f}"),
    ("SE", lambda row: f"{row.score.reward_se:.3f}"),
    ("resolved", lambda row: percent(row.score.resolved)),
]
_delta = _paired(lambda versus: points(versus.delta))
_PAIRED: list[Column] = [
    ("95 % interval", _paired(lambda v: interval(v.range))),
    ("p (t)", _paired(lambda v: p_value(v.p))),
    ("p (sign flip)", _paired(lambda v: f"{v.p_permutation:.3f}")),
    ("worse", _paired(lambda v: f"{v.worse}/{v.n}")),
]
_COSTS: list[Column] = [
    ("mem tokens", lambda row: f"{row.memory_tokens:.0f}"),
    ("mem calls", lambda row: f"{row.memory_calls:.1f}"),
    ("mem s", lambda row: f"{row.memory_seconds:.2f}"),
    ("seconds", lambda row: f"{row.seconds:.1f}"),
    ("tokens", lambda row: short(row.tokens)),
]


def short(number: int) -> str:
    """A count for people: 13.5M."""
    for size, unit in ((1_000_000, "M"), (1_000, "k")):
        if number >= size:
            return f"{number / size:.1f}{unit}"
    return str(number)


def archive(manager: Memo_Manager, title: str, notes: Sequence[str], objective: Objective = "reward") -> None:
    """All designs of an evolution in the order they were entered; the best in bold, the Pareto front starred."""
    table = Table(title=title, title_justify="left")
    for name in ("design", "parent", "gen"):
        table.add_column(name)
    for name in ("AVG reward", "SE", "resolved", "vs no_mem", "vs parent", "tasks", "visits"):
        table.add_column(name, justify="right")
    table.add_column("believed" if OUTCOME[objective] == "reward" else "believed resolved", justify="right")
    table.add_column("USD a run" if objective == "cost" else "mem tokens", justify="right")
    table.add_column("status")
    best, seen = manager.best(objective), design_points(manager.records, objective)
    on_front = front(seen)
    for record in manager.records:
        believed, price = seen.get(record.sha, (None, None))
        more = ["" if believed is None else f"{believed:.3f}{'*' if record.sha in on_front else ' '}"]
        more.append("" if price is None else f"{price:.4f}" if objective == "cost" else f"{price:.0f}")
        *cells, status = _archive_cells(manager, record)
        table.add_row(*cells, *more, status, style="bold" if record is best else None)
    out = console()
    out.print(table)
    about = "believed: the score without what luck and tasks gave it, judged by its kin too. *: none gives more for as "
    about += "little." if objective == "cost" else "few tokens."
    if objective in ("tokens", "cost"):
        about += " Bold: the cheapest of these that cannot be told from the best."
    for note in [about, *notes]:
        out.print(note, markup=False, soft_wrap=True)


def _archive_cells(manager: Memo_Manager, record: Record) -> list[str]:
    status = (
        record.status if record.error is None else f"{record.status}: {record.error.splitlines()[-1][:60]}"
    )
    parents = " + ".join(record.parents)
    if record.reward is None:
        return [record.sha, parents, str(record.generation), *[""] * 7, status]
    return [
        record.sha,
        parents,
        str(record.generation),
        f"{record.reward:.3f}",
        "" if record.reward_se is None else f"{record.reward_se:.3f}",
        percent(record.resolved),
        points(record.reward - manager.no_memo_reward),
        "" if record.improve_score is None else points(record.improve_score),
        str(record.tasks),
        str(record.visits),
        status,
    ]
