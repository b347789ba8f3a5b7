"""``--report RUN``, and the report that every run leaves at its end."""

from __future__ import annotations

import fcntl
import sys
from collections.abc import Callable
from pathlib import Path

from core.options import UsageError
from core.report.figures import write_figures
from core.report.html.page import load_report, write_page

CHEAP = 64 << 20
"""Bytes of episodes of which a report is made while somebody waits for an interrupted run to end: a few seconds."""


def print_report(folder: Path) -> int:
    """Write report and figures of a run, whatever its state, and print where they are; returns the exit code.

    Raises:
        UsageError: they cannot be written.
    """
    report = load_report(folder, going=_at_work(folder))
    try:
        written = [write_page(report, folder), *write_figures(report, folder)]
    except OSError as error:
        raise UsageError(f"the report of {folder.name} cannot be written: {error}") from error
    for path in written:
        print(path)
    for note in report.run.notes:
        print(f"note: {note}", file=sys.stderr)
    return 0


def leave_report(folder: Path, say: Callable[[str], None], in_haste: bool = False) -> None:
    """Write the report of a run that has just ended. A run never fails for its report.

    Args:
        say: told where it is, or why there is none.
        in_haste: leave out one that takes long.
    """
    again = f"python run_main.py --report {folder.name}"
    if in_haste and sum(path.stat().st_size for path in folder.glob("evaluations/*/episodes.jsonl")) > CHEAP:
        say(f"report: {again}")
        return
    try:
        say(f"report: {write_page(load_report(folder), folder)}")
    except Exception as error:
        say(f"the report could not be written ({type(error).__name__}: {error}); try again with: {again}")


def _at_work(folder: Path) -> bool:
    """Whether a process works on the run now."""
    try:
        with open(folder / ".lock", "rb") as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        pass
    return False
