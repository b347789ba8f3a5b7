"""What the model calls of a run cost and what they were for: ``--costs``."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from rich.table import Table

from core.gateway.ledger import Totals, totals
from core.options import UsageError
from core.report.tables import console

GROUPS = (("purpose",), ("design",), ("model",))
HEADINGS = ("calls", "failed", "retries", "prompt", "of it cached", "completion", "of it reasoning", "USD")


def print_costs(folder: Path) -> int:
    """Print the tables; returns the exit code. The run may be going on meanwhile.

    Raises:
        UsageError: the run has no readable ledger.
    """
    path = folder / "ledger.sqlite"
    try:
        if not path.exists():
            raise sqlite3.DatabaseError("there is none")
        groups = {by: totals(path, *by) for by in GROUPS}
        [everything] = totals(path)
    except sqlite3.Error as error:
        raise UsageError(f"the ledger {path} cannot be read: {error}") from error
    out = console()
    for by, rows in groups.items():
        out.print(_table(by[0], rows, everything))
    out.print(f"{folder.name}: {everything.cost_note()}", markup=False, soft_wrap=True)
    return 0


def _table(by: str, rows: list[Totals], everything: Totals) -> Table:
    table = Table(title=f"by {by}", title_justify="left")
    table.add_column(by)
    for name in HEADINGS:
        table.add_column(name, justify="right")
    for row in sorted(rows, key=lambda row: -row.usd):
        table.add_row(row.group[0] or "(none)", *cells(row))
    table.add_section()
    table.add_row("all", *cells(everything))
    return table


def cells(row: Totals) -> list[str]:
    """The figures of a group, under ``HEADINGS``."""
    counts = (row.calls, row.failed, row.retries, row.prompt_tokens, row.cached_tokens, row.completion_tokens)
    usd = f"{row.usd:.4f}" + (" + unknown" if row.unpriced else "")
    return [*(f"{count:,}" for count in (*counts, row.reasoning_tokens)), usd]
