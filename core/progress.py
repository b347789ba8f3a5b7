"""Progress on stderr: bars on a terminal, else one plain line per finished episode. Results go to stdout."""

from __future__ import annotations

import sys
import time
from collections.abc import Collection
from typing import Any

from rich.console import Console
from rich.live import Live

from core.grading_desk import Graded
from core.live_view import Bar, LiveView, Meter
from evals.contract import EvalResult, EvalSpec


class Progress:
    """Prints what a run is doing. Use as a context manager around the run.

    Whatever ends the block, Ctrl-C included, leaves the terminal as it was.
    """

    def __init__(self) -> None:
        self._console = Console(stderr=True, highlight=False)
        self._started = time.monotonic()
        self._view = LiveView()
        self._live: Live | None = None

    def __enter__(self) -> Progress:
        # Not what FORCE_COLOR says: bars in a file would be thousands of lines.
        if sys.stderr.isatty() and self._console.is_terminal and not self._console.is_dumb_terminal:
            self._live = Live(
                get_renderable=lambda: self._view.render(self._console),
                console=self._console,
                refresh_per_second=4,
                transient=True,
                # Results that go to the same terminal appear above the bars; those that go to a file go there.
                redirect_stdout=sys.stdout.isatty(),
            )
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._live is not None:
            self._live.stop()

    def watch(self, meter: Meter) -> None:
        """Show from now on what is spent."""
        self._view.meter = meter

    def plan(self, episodes: int | None) -> None:
        """The run will have so many episodes."""
        self._view.episodes = episodes

    def step(self, number: int, of: int) -> None:
        """The evolution begins this step; step 0 is the start, which comes before the ``of`` steps."""
        if self._view.steps is None:
            self._view.steps = Bar(of + 1, number, number)
        self._view.steps.done = number

    def began(self, evaluation: str, spec: EvalSpec, graded: Collection[tuple[str, str, int]]) -> None:
        """An evaluation starts; ``graded`` are the episodes that an earlier try or session has done."""
        self._view.began(evaluation, spec, graded)

    def ended(self, evaluation: str, design: str, result: EvalResult | None) -> None:
        """An evaluation has ended; without a result it was broken off."""
        self._view.ended(evaluation)
        if result is not None and result.status == "design_error":
            self._view.failed_designs.add(design)

    def call(self, scope: dict[str, Any], purpose: str) -> None:
        """A model call came in. What it says of itself is only shown."""
        evaluation = self._view.evaluation(str(scope.get("evaluation")))
        if evaluation is not None:
            evaluation.call(purpose, str(scope.get("phase")), str(scope.get("task")))

    def episode(self, graded: Graded) -> None:
        """One episode was graded."""
        verdict = graded.verdict
        text = (
            f"{graded.evaluation}: {graded.task} {graded.phase} {graded.repeat or ''}".rstrip()
            + f" reward {verdict.reward:.2f}{' resolved' if verdict.resolved else ''}"
            + (f" FLAGS {', '.join(verdict.flags)}" if verdict.flags else "")
        )
        evaluation = self._view.evaluation(graded.evaluation)
        if evaluation is not None:
            evaluation.episode(graded.phase)
        self._view.flagged += bool(verdict.flags)
        self._view.last = text
        if self._live is None:
            print(f"[{time.monotonic() - self._started:6.1f}s] {text}", file=sys.stderr, flush=True)

    def say(self, text: str) -> None:
        """A line that stays, above the bars."""
        if self._live is not None:
            self._live.refresh()  # a print repeats the bars as they were drawn last
        self._console.print(text, markup=False, soft_wrap=True)
