"""The winner's curse: what a search promised of the design it chose, beside what other tasks keep of it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from core.design_file import NO_MEMORY
from core.experiments.evaluate import Row
from core.inputs import Inputs
from core.options import Options
from core.records import Record, record_of

Promise = dict[str, Any]


def promised(records: Sequence[Record], chosen: Record | None) -> Promise:
    """What a search says of a design, with the gain over no memory on the search's own tasks.

    Args:
        records: the search's archive.
        chosen: one of them; None when the search found nothing.
    """
    base = next((r for r in records if r.sha == NO_MEMORY), None)
    return {
        "designs_scored": sum(map(is_evolved, records)),
        "best": chosen.sha if chosen else None,
        "search_reward": chosen.reward if chosen else None,
        "search_resolved": chosen.resolved if chosen else None,
        "search_gain": chosen.reward - base.reward if chosen and base and base.reward is not None else None,
        "search_control": base.reward if base else None,
    }


def beside(promise: Promise, rows: Sequence[Row]) -> Promise:
    """The same with what a test kept of it; rows of the design or of ``no_mem`` may be missing."""
    scores = {row.design: row.score for row in rows}
    kept, base = scores.get(promise["best"]), scores.get(NO_MEMORY)
    return promise | {
        "test_reward": kept.reward if kept else None,
        "test_resolved": kept.resolved if kept else None,
        "test_gain": kept.reward - base.reward if kept and base else None,
    }


def promises_in(
    runs: Path, designs: Sequence[str], options: Options, tasks_file: Path, tested: Sequence[str]
) -> list[Promise]:
    """What the searches in a folder of runs promised of designs, in the designs' order.

    Only what a test on these tasks can be held against: by searches on the same task file with the same model, on
    other tasks of it, that scored the design themselves. The latest of several; ``search`` is its name. An archive that
    cannot be read promises nothing.
    """
    found: dict[str, Promise] = {}
    archives = [*runs.glob("*/archive.json"), *runs.glob("*/searches/*/archive.json")] if designs else []
    for path in sorted(archives, key=_age, reverse=True):
        try:
            run = runs / path.relative_to(runs).parts[0]
            if not _like(run, options, tasks_file):
                continue
            archive = json.loads(path.read_text(encoding="utf-8"))
            records = [record_of(data) for data in archive["records"]]
            own = [
                r for r in records if is_evolved(r) and (not archive["origin"] or r.step > archive["origin"])
            ]
            name = path.parent.relative_to(runs).as_posix()
            for record in own:
                met = record.runs.get("reward", {}).keys()
                if met and met.isdisjoint(tested) and record.sha in designs:
                    found.setdefault(record.sha, {"search": name, **promised(records, record)})
        except (OSError, ValueError, TypeError, KeyError, AttributeError):
            continue
    return [found[design] for design in designs if design in found]


def is_evolved(record: Record) -> bool:
    """Scored, and not made by hand."""
    return record.status == "ok" and record.reward is not None and record.sha == record.content


def _age(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0


def _like(run: Path, options: Options, tasks_file: Path) -> bool:
    """Whether a run has these tasks and this model.

    Raises:
        OSError, ValueError, KeyError, TypeError: it cannot be told.
    """
    asked = json.loads((run / "options.json").read_text(encoding="utf-8"))
    return Inputs(run).has_tasks_of(tasks_file) and asked["execution_model"] == options.execution_model
