"""What came out of a repository, what did not and why: as a table for people and as JSON beside the tasks."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from rich.console import Console
from rich.table import Table

from envs_archive.coding.dataset import DIFFICULTIES

MOST_NAMES = 3
PLAIN_WIDTH = 110


@dataclass(frozen=True)
class Report:
    """Attributes:
    what: planted bugs, or bug fixes of the history.
    tried: edits or commits.
    rejected: reason -> how many.
    left_out: why tests are not relied on -> which.
    records: how each task was made, by its id.
    seconds: of each part of the work.
    notes: what else there is to know.
    """

    repository: str
    what: str
    wanted: int
    tried: int
    rejected: Mapping[str, int]
    left_out: Mapping[str, Sequence[str]]
    tests: int
    records: Mapping[str, Mapping[str, Any]]
    seconds: Mapping[str, float]
    notes: Sequence[str] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        return asdict(self)

    def print(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """The table, to stdout."""
        table = Table(title=f"{self.repository}: {len(rows)} tasks from {self.what}", title_justify="left")
        table.add_column("")
        table.add_column("n", justify="right")
        table.add_column("")
        levels = Counter(row["difficulty"] for row in rows)
        table.add_row(
            "tasks", str(len(rows)), ", ".join(f"{levels[level]} {level}" for level in DIFFICULTIES)
        )
        hidden = sum(bool(record["hidden"]) for record in self.records.values())
        table.add_row("  with hidden tests", str(hidden), "")
        for name, values in self._spread().items():
            table.add_row(f"  {name}", str(len(values)), _most(values))
        share = f"{100 * len(rows) / self.tried:.0f} % became tasks" if self.tried else ""
        table.add_row("tried", str(self.tried), share)
        for reason, count in sorted(self.rejected.items(), key=lambda item: (-item[1], item[0])):
            table.add_row(f"  {reason}", str(count), "")
        table.add_row("tests relied on", str(self.tests), "")
        for reason, tests in self.left_out.items():
            shown = ", ".join(tests[:MOST_NAMES]) + (", ..." if len(tests) > MOST_NAMES else "")
            table.add_row(f"  {reason}", str(len(tests)), shown)
        parts = ", ".join(f"{part} {seconds:.0f}" for part, seconds in self.seconds.items())
        table.add_row("seconds", f"{sum(self.seconds.values()):.0f}", parts)
        console = Console(highlight=False, width=None if sys.stdout.isatty() else PLAIN_WIDTH)
        console.print(table)
        for note in self.notes:
            console.print(note, markup=False, soft_wrap=True)

    def _spread(self) -> dict[str, Counter[str]]:
        records = self.records.values()
        found = {
            "kinds": Counter(kind for record in records for kind in record.get("kinds", ())),
            "modules": Counter(
                place.partition(":")[0] for record in records for place in record.get("places", ())
            ),
            "functions": Counter(place for record in records for place in record.get("places", ())),
        }
        return {name: values for name, values in found.items() if values}


def _most(values: Counter[str]) -> str:
    most = ", ".join(f"{name} {count}" for name, count in values.most_common(MOST_NAMES))
    return f"{most}, ..." if len(values) > MOST_NAMES else most
