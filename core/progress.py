"""Progress on stderr: a live line on a terminal, else one plain line per finished episode. Results go to stdout."""

from __future__ import annotations

import sys
import time

from rich.console import Console
from rich.status import Status

from core.grading_desk import Graded


class Progress:
    """Prints what a run is doing. Use as a context manager around the run."""

    def __init__(self) -> None:
        self._console = Console(stderr=True, highlight=False)
        self._status: Status | None = None
        self._started = time.monotonic()
        self._episodes = 0

    def __enter__(self) -> Progress:
        if self._console.is_terminal:
            self._status = self._console.status("starting")
            self._status.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._status is not None:
            self._status.stop()

    def episode(self, graded: Graded) -> None:
        """One episode was graded."""
        self._episodes += 1
        verdict = graded.verdict
        text = (
            f"{graded.evaluation}: {graded.task} {graded.phase} {graded.repeat or ''}".rstrip()
            + f" reward {verdict.reward:.2f}{' resolved' if verdict.resolved else ''}"
            + (f" FLAGS {', '.join(verdict.flags)}" if verdict.flags else "")
        )
        if self._status is not None:
            self._status.update(
                f"{self._episodes} episodes, {time.monotonic() - self._started:.0f} s | {text}"
            )
        else:
            print(f"[{time.monotonic() - self._started:6.1f}s] {text}", file=sys.stderr, flush=True)

    def say(self, text: str) -> None:
        """A line that stays."""
        self._console.print(text, markup=False, soft_wrap=True)
