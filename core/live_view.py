"""What a terminal shows of a run at work: bars for the whole and for each phase of each evaluation, spend, errors."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import Protocol

from rich.console import Console, Group, RenderableType
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from evals.contract import EvalSpec

ROOM_FOR_BARS = 64
"""Columns below which a line has its figures alone."""
OTHER_LINES = 5


class Meter(Protocol):
    """Where the spend of a run is read; see ``core.gateway.answers.Answers``."""

    failed: int

    @property
    def spent(self) -> tuple[int, float]: ...


@dataclass
class Bar:
    """So much done of a total, ``before`` of it in an earlier session. ``started`` is a monotonic time."""

    total: int
    done: int = 0
    before: int = 0
    started: float = field(default_factory=time.monotonic)

    def left(self, now: float) -> str:
        """The time still needed if it goes on as so far, as h:mm:ss; empty before anything is done."""
        made = self.done - self.before
        if made <= 0 or self.done >= self.total:
            return ""
        seconds = round((now - self.started) / made * (self.total - self.done))
        hours, rest = divmod(seconds, 3600)
        return f"{hours}:{rest // 60:02}:{rest % 60:02}" if hours else f"{rest // 60}:{rest % 60:02}"


class Evaluation:
    """The phases of one evaluation: episodes to learn from, learning, scored episodes."""

    def __init__(self, spec: EvalSpec, graded: Collection[tuple[str, str, int]]) -> None:
        own = spec.collection is None
        learns = spec.design_path is not None and spec.load_memory is None
        self._tasks = {task["id"] for task in spec.update_tasks}
        self._learned: set[str] = set()
        self._scoring = False
        totals = {
            "update": len(self._tasks) if own else 0,
            "learn": len(self._tasks) if learns else 0,
            "retrieve": len(spec.retrieve_tasks) * spec.repeats if spec.design_path else 0,
        }
        self.bars = {phase: Bar(total) for phase, total in totals.items() if total}
        for phase, _, _ in graded:
            if phase in self.bars:
                self.bars[phase].done += 1
                self.bars[phase].before += 1

    @property
    def graded(self) -> int:
        return sum(bar.done for phase, bar in self.bars.items() if phase != "learn")

    @property
    def before(self) -> int:
        return sum(bar.before for phase, bar in self.bars.items() if phase != "learn")

    def episode(self, phase: str) -> None:
        """One more was graded."""
        if phase in self.bars:
            self.bars[phase].done += 1

    def call(self, purpose: str, phase: str, task: str) -> None:
        """A model was asked. A memory that asks about the next task is done with the one before."""
        if phase == "retrieve":
            self._scoring = True
        elif purpose == "memory" and "learn" in self.bars and task in self._tasks:
            self._learned.add(task)
            self.bars["learn"].done = len(self._learned) - 1

    def current(self) -> tuple[str, Bar] | None:
        """The phase it is in; once scoring has begun it is that, whatever was seen of the learning."""
        retrieve = self.bars.get("retrieve")
        if retrieve is not None and (self._scoring or retrieve.done):
            return "retrieve", retrieve
        open_bars = ((phase, bar) for phase, bar in self.bars.items() if bar.done < bar.total)
        return next(open_bars, None)


class LiveView:
    """The state of the display. Changed by the run, read by the terminal's own thread."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._started = clock()
        self._running: dict[str, Evaluation] = {}
        self._ended: dict[str, tuple[int, int]] = {}
        self.meter: Meter | None = None
        self.steps: Bar | None = None
        self.episodes: int | None = None
        self.failed_designs: set[str] = set()
        self.flagged = 0
        self.last = ""

    def began(self, name: str, spec: EvalSpec, graded: Collection[tuple[str, str, int]]) -> None:
        """An evaluation starts; ``graded`` is what an earlier try of it has behind it."""
        self._ended.pop(name, None)
        self._running[name] = Evaluation(spec, graded)

    def ended(self, name: str) -> None:
        """It has ended, however it did."""
        evaluation = self._running.pop(name, None)
        if evaluation is not None:
            self._ended[name] = evaluation.graded, evaluation.before

    def evaluation(self, name: str) -> Evaluation | None:
        return self._running.get(name)

    def render(self, console: Console) -> RenderableType:
        """The display as it is now, for a terminal of this size."""
        now, wide = self._clock(), console.width >= ROOM_FOR_BARS
        running = list(self._running.items())
        room = max(1, console.height - OTHER_LINES)
        table = Table.grid(padding=(0, 1))
        table.add_column(no_wrap=True, overflow="ellipsis", max_width=max(8, console.width // 3))
        table.add_column(no_wrap=True)
        if wide:
            table.add_column(width=max(10, console.width // 4))
        table.add_column(no_wrap=True, justify="right")
        table.add_column(no_wrap=True)
        overall = self._overall(running)
        if overall is not None:
            self._add(table, *overall, now, wide, "bold")
        for name, evaluation in running[:room]:
            current = evaluation.current()
            if current is not None:
                self._add(table, name, *current, now, wide, "")
        lines: list[RenderableType] = [table]
        if len(running) > room:
            lines.append(Text(f"and {len(running) - room} evaluations more", style="dim"))
        lines.append(Text(self._figures(running, now), no_wrap=True, overflow="ellipsis"))
        lines.append(Text(self.last, style="dim", no_wrap=True, overflow="ellipsis"))
        return Group(*lines)

    def _add(self, table: Table, name: str, what: str, bar: Bar, now: float, wide: bool, style: str) -> None:
        cells: list[RenderableType] = [Text(name, style=style), Text(what, style="dim")]
        if wide:
            cells.append(ProgressBar(total=bar.total, completed=min(bar.done, bar.total)))
        left = bar.left(now)
        table.add_row(
            *cells, Text(f"{bar.done}/{bar.total}"), Text(f"{left} left" if left else "", style="dim")
        )

    def _overall(self, running: list[tuple[str, Evaluation]]) -> tuple[str, str, Bar] | None:
        if self.steps is not None:
            return "evolution", "steps", self.steps
        if self.episodes is None:
            return None
        done, before = self._graded(running)
        return "all", "episodes", Bar(self.episodes, min(done, self.episodes), before, self._started)

    def _graded(self, running: list[tuple[str, Evaluation]]) -> tuple[int, int]:
        """Episodes that are graded, and how many of them were when this session began."""
        counts = [*list(self._ended.values()), *((e.graded, e.before) for _, e in running)]
        return sum(done for done, _ in counts), sum(before for _, before in counts)

    def _figures(self, running: list[tuple[str, Evaluation]], now: float) -> str:
        parts = [f"{self._graded(running)[0]} episodes, {now - self._started:.0f} s"]
        calls = 0
        if self.meter is not None:
            tokens, usd = self.meter.spent
            calls = self.meter.failed
            parts.append(f"{tokens:,} tokens" + (f", {usd:.4f} USD" if usd else ""))
        errors = [
            f"{count} {what}"
            for count, what in (
                (len(self.failed_designs), "designs with errors"),
                (calls, "model calls failed"),
                (self.flagged, "runs flagged"),
            )
            if count
        ]
        return " | ".join([*parts, ", ".join(errors) or "no errors"])
