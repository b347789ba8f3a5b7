"""What memory changed, task by task: the difference of each task to its own run with the control."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from core.experiments.evaluate import Row
from core.experiments.statistics import task_means
from core.report.html.report import Report
from core.report.html.templating import fill
from core.report.loaded_run import LoadedRun
from core.report.standing import Standing

ID, TITLE = "deltas", "Differences by task"

MOST_PANELS = 6
MOST_TASKS = 150
ROW, TOP, LEFT, RIGHT = 13, 46, 118, 296


@dataclass(frozen=True)
class Delta:
    """Mean difference of one task to the control."""

    project: str
    task: str
    reward: float
    resolved: float


@dataclass(frozen=True)
class Panel:
    """The differences of one design, by project and task.

    Attributes:
        deltas: those that are drawn: the largest ones where there are too many.
        mean, interval, n, better, worse: of all tasks.
    """

    design: str
    control: str
    deltas: list[Delta]
    mean: float
    interval: tuple[float, float]
    n: int
    better: int
    worse: int

    @property
    def most(self) -> float:
        """Where the scale ends on both sides."""
        values = [abs(d.reward) for d in self.deltas]
        values += [abs(x) for x in (self.mean, *self.interval) if not math.isnan(x)]
        largest = max(values, default=0.0)
        return next(step for step in (0.05, 0.1, 0.25, 0.5, 1.0) if largest <= step or step == 1.0)


def panels(run: LoadedRun, standing: Standing) -> list[Panel]:
    """One panel per compared design: of an evolution those with the highest rewards."""
    compared = [row for row in standing.rows if row.versus is not None]
    if run.kind == "evolve":
        compared = sorted(compared, key=lambda row: -row.score.reward)
    return [_panel(row, standing.rows[0], run.projects) for row in compared[:MOST_PANELS]]


def _panel(row: Row, control: Row, projects: dict[str, str]) -> Panel:
    means = [
        {value: task_means(r.episodes, value) for value in ("reward", "resolved")} for r in (row, control)
    ]
    own, base = means
    deltas = [
        Delta(
            projects[task], task, *(round(own[v][task] - base[v][task], 12) for v in ("reward", "resolved"))
        )
        for task in own["reward"].keys() & base["reward"].keys()
    ]
    shown = deltas
    if len(deltas) > MOST_TASKS:
        shown = sorted(deltas, key=lambda d: (-abs(d.reward), -abs(d.resolved), d.task))[:MOST_TASKS]
    shown = sorted(shown, key=lambda d: (d.project, d.task))
    pair = row.versus
    return Panel(row.design, control.design, shown, pair.delta, pair.range, pair.n, pair.better, pair.worse)


def render(report: Report) -> Markup | None:
    found = panels(report.run, report.standing)
    if not found:
        return None
    compared = sum(row.versus is not None for row in report.standing.rows)
    return fill("deltas", panels=[_drawn(panel) for panel in found], more=compared - len(found))


def _drawn(panel: Panel) -> dict[str, object]:
    """The panel with its places in the drawing, in pixels."""
    middle, scale = (LEFT + RIGHT) / 2, (RIGHT - LEFT) / 2 / panel.most

    def x(value: float) -> float:
        return middle + max(-panel.most, min(panel.most, value)) * scale

    rows, projects, y, last = [], [], TOP, None
    for delta in panel.deltas:
        if delta.project != last:
            y += 16
            projects.append((delta.project, y - 4))
            last = delta.project
        rows.append((delta, y + ROW / 2, x(delta.reward), _sign(delta.reward), _sign(delta.resolved)))
        y += ROW
    low, high = panel.interval
    return {
        "panel": panel,
        "rows": rows,
        "projects": projects,
        "height": y + 8,
        "zero": middle,
        "mean": x(panel.mean),
        "interval": None if math.isnan(low) else (x(low), x(high)),
        "ticks": [(f"{100 * v:+g}" if v else "0", x(v)) for v in _ticks(panel.most)],
    }


def _ticks(most: float) -> Sequence[float]:
    return (-most, -most / 2, 0.0, most / 2, most)


def _sign(value: float) -> str:
    return "up" if value > 0 else "down" if value < 0 else "same"
