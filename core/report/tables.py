"""Results as text tables on stdout."""

from __future__ import annotations

import math
import shutil
import sys
from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from core.experiments.evaluate import Row
from core.memo_manager import Memo_Manager, Record

OFFLINE_NOTE = (
    "Model: offline, a search-based repair program and no language model. These numbers show that the machinery "
    "works, not what a language model would gain."
)


def console() -> Console:
    """Wide enough that no column is cut when the output goes to a file."""
    width = None if sys.stdout.isatty() else max(140, shutil.get_terminal_size().columns)
    return Console(width=width, highlight=False, soft_wrap=False)


def percent(value: float | None) -> str:
    return "-" if value is None or math.isnan(value) else f"{100 * value:.1f} %"


def points(value: float) -> str:
    return f"{100 * value:+.1f}"


def comparison(rows: Sequence[Row], title: str, notes: Sequence[str]) -> None:
    """Designs against the first one: reward with its standard error over tasks, and the paired difference."""
    table = Table(title=title, title_justify="left")
    for name in ("design", "AVG reward", "SE", "resolved"):
        table.add_column(name, justify="left" if name == "design" else "right")
    for name in (f"delta vs {rows[0].design}", "95 % interval", "p (paired t)", "p (sign flip)", "worse"):
        table.add_column(name, justify="right")
    for name in ("memory tokens", "tokens", "USD", "flags"):
        table.add_column(name, justify="right")
    for entry in rows:
        table.add_row(*_cells(entry))
    out = console()
    out.print(table)
    for entry in rows:
        if entry.error:
            out.print(f"{entry.design}: {entry.status}: {entry.error.splitlines()[-1]}", markup=False)
    for note in notes:
        out.print(note, markup=False, soft_wrap=True)


def _cells(entry: Row) -> list[str]:
    if entry.score is None:
        return [entry.design, entry.status] + [""] * 11
    versus = entry.versus
    pairs = ["", "", "", "", ""]
    if versus is not None:
        low, high = versus.interval
        pairs = [
            points(versus.delta),
            f"[{points(low)}, {points(high)}]",
            f"{versus.p:.3f}",
            f"{versus.p_permutation:.3f}",
            f"{versus.worse}/{versus.n}",
        ]
    return [
        entry.design,
        f"{entry.score.reward:.3f}",
        f"{entry.score.reward_se:.3f}",
        percent(entry.score.resolved),
        *pairs,
        f"{entry.memory_tokens:.0f}",
        f"{entry.tokens:,}",
        "unknown" if entry.usd is None else f"{entry.usd:.4f}",
        str(entry.flagged),
    ]


def archive(manager: Memo_Manager, title: str, notes: Sequence[str]) -> None:
    """All designs of an evolution in the order they were entered."""
    table = Table(title=title, title_justify="left")
    for name in ("design", "parent", "gen"):
        table.add_column(name)
    for name in ("AVG reward", "SE", "resolved", "vs no_mem", "vs parent", "tasks", "visits"):
        table.add_column(name, justify="right")
    table.add_column("status")
    best = manager.best()
    for record in manager.records:
        table.add_row(*_archive_cells(manager, record), style="bold" if record is best else None)
    out = console()
    out.print(table)
    for note in notes:
        out.print(note, markup=False, soft_wrap=True)


def _archive_cells(manager: Memo_Manager, record: Record) -> list[str]:
    status = (
        record.status if record.error is None else f"{record.status}: {record.error.splitlines()[-1][:60]}"
    )
    if record.reward is None:
        return [record.sha, record.parent or "", str(record.generation), *[""] * 7, status]
    return [
        record.sha,
        record.parent or "",
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
