"""The archive of a run, for its report: what of it can be read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from core.records import Record, record_of
from core.report.html.safe import number
from core.report.reading import as_list, object_in, one_line


def archive_in(folder: Path, notes: list[str]) -> tuple[list[Record], list[dict[str, Any]]]:
    path = folder / "archive.json"
    if not path.exists():
        return [], []
    data = object_in(path, notes, "")
    records = []
    for row in as_list(data.get("records")):
        try:
            record = record_of(row)
            _check(record)
            records.append(record)
        except (TypeError, KeyError, ValueError, AttributeError) as error:
            notes.append(f"archive.json holds a design that cannot be read: {one_line(error)}")
    return records, [p for p in as_list(data.get("proposals")) if isinstance(p, dict)]


def _check(record: Record) -> None:
    """Raise ValueError for a record with values of the wrong type; numbers that are none become None."""
    texts = (record.sha, record.content, record.path, record.status, record.way)
    if not all(isinstance(text, str) for text in texts) or not all(
        text is None or isinstance(text, str)
        for text in (record.parent, record.second, record.error, record.hypothesis)
    ):
        raise ValueError("values of the wrong type")
    for name in ("reward", "reward_se", "resolved", "improve_score", "usd"):
        setattr(record, name, number(getattr(record, name)))
    for name in ("step", "generation", "tasks", "episodes", "tokens", "visits"):
        setattr(record, name, int(number(getattr(record, name)) or 0))
    if record.compared is not None:
        figures = (record.compared.difference, record.compared.tasks, record.compared.p)
        if not isinstance(record.compared.verdict, str) or None in map(number, figures):
            raise ValueError("a comparison with its parent with values of the wrong type")
    for name in ("runs", "confirmed"):
        kinds = getattr(record, name).values()
        if None in (number(v) for of_task in kinds for values in of_task.values() for v in values):
            setattr(record, name, {})
    for attempt in record.attempts:
        if not isinstance(attempt.content, str) or not isinstance(attempt.error, str | None):
            raise ValueError("an attempt with values of the wrong type")
