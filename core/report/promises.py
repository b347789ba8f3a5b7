"""The winner's curse: what searches promised of the designs they chose, beside what other tasks kept of it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.table import Table

from core.design_file import NO_MEMORY
from core.experiments.evaluate import Row
from core.records import Record, record_of
from core.report.tables import percent, points

CAUTION = "(the first figure chose the design and flatters it; the tasks differ)"


def promise(records: Sequence[Record], chosen: Record | None, rows: Sequence[Row]) -> dict[str, Any]:
    """What a search promised of a design and what the test kept: gains over no memory, each on its own tasks.

    Args:
        records: the search's archive.
        chosen: one of them; None when the search found nothing.
        rows: scores of the test; those of ``no_mem`` and of the design may be missing.
    """
    base = next((r for r in records if r.sha == NO_MEMORY), None)
    scores = {row.design: row.score for row in rows}
    kept, test_base = scores.get(chosen.sha) if chosen else None, scores.get(NO_MEMORY)
    return {
        "designs_scored": sum(map(_evolved, records)),
        "best": chosen.sha if chosen else None,
        "search_reward": chosen.reward if chosen else None,
        "search_resolved": chosen.resolved if chosen else None,
        "search_gain": chosen.reward - base.reward if chosen and base and base.reward is not None else None,
        "search_control": base.reward if base else None,
        "test_reward": kept.reward if kept else None,
        "test_resolved": kept.resolved if kept else None,
        "test_gain": kept.reward - test_base.reward if kept and test_base else None,
    }


def promises_of(rows: Sequence[Row], runs: Path) -> list[dict[str, Any]]:
    """What the runs in a folder promised of evolved designs, the latest run that scored each; in the order of the rows.

    An archive that cannot be read promises nothing.
    """
    found: dict[str, dict[str, Any]] = {}
    wanted = {row.design for row in rows if row.score}
    archives = [*runs.glob("*/archive.json"), *runs.glob("*/searches/*/archive.json")]
    for path in sorted(archives, key=lambda path: path.stat().st_mtime, reverse=True):
        try:
            records = [record_of(data) for data in json.loads(path.read_text(encoding="utf-8"))["records"]]
        except (OSError, ValueError, TypeError, KeyError, AttributeError):
            continue
        for record in records:
            if record.sha in wanted - found.keys() and _evolved(record):
                name = path.parent.relative_to(runs).as_posix()
                found[record.sha] = {"search": name, **promise(records, record, rows)}
    return [found[row.design] for row in rows if row.design in found]


def promises_table(promises: Sequence[dict[str, Any]], title: str) -> Table:
    seeded = any("seed" in p for p in promises)
    table = Table(title=title, title_justify="left")
    table.add_column("search")
    names = ("seed",) * seeded + ("designs scored", "design", "reward, search", "test", "resolved, search")
    for name in (*names, "test", "gain over no_mem, search", "test"):
        table.add_column(name, justify="right")
    for p in promises:
        cells = [str(p[name]) for name in ("search", "seed") if name in p]
        cells += [str(p["designs_scored"]), p["best"] or "none"]
        cells += [_three(p["search_reward"]), _three(p["test_reward"])]
        cells += [percent(p["search_resolved"]), percent(p["test_resolved"])]
        table.add_row(*cells, _signed(p["search_gain"]), _signed(p["test_gain"]))
    return table


def _evolved(record: Record) -> bool:
    """Scored, and not made by hand."""
    return record.status == "ok" and record.reward is not None and record.sha == record.content


def _three(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def _signed(value: float | None) -> str:
    return "-" if value is None else points(value)
