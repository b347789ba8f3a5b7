"""What searches promised of their designs and what a test kept, as a table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rich.table import Table

from core.report.tables import percent, points

CAUTION = "(the first figure chose the design and flatters it; the tasks differ)"


def promises_table(promises: Sequence[dict[str, Any]], title: str) -> Table:
    """One row for each; ``seed`` is a column when they have one."""
    seeded = ("seed",) if any("seed" in p for p in promises) else ()
    table = Table(title=title, title_justify="left")
    table.add_column("search")
    names = (*seeded, "designs scored", "design", "reward, search", "test", "resolved, search", "test")
    for name in (*names, "gain over no_mem, search", "test"):
        table.add_column(name, justify="right")
    for p in promises:
        cells = [str(p[name]) for name in ("search", *seeded)]
        cells += [str(p["designs_scored"]), p["best"] or "none"]
        cells += [_three(p["search_reward"]), _three(p["test_reward"])]
        cells += [percent(p["search_resolved"]), percent(p["test_resolved"])]
        table.add_row(*cells, _signed(p["search_gain"]), _signed(p["test_gain"]))
    return table


def _three(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def _signed(value: float | None) -> str:
    return "-" if value is None else points(value)
