"""How an evolution went: the reward of each design over its steps, and the best so far."""

from __future__ import annotations

from dataclasses import dataclass

from markupsafe import Markup

from core.design_file import NO_MEMORY
from core.report.html.report import Report
from core.report.html.templating import fill
from core.report.loaded_run import LoadedRun

ID, TITLE = "steps", "Reward over steps"

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 400, 240, 42, 10, 12, 34


@dataclass(frozen=True)
class Point:
    """One design of an evolution; ``reward`` is None for one that failed. ``shift`` tells those of a step apart."""

    design: str
    step: int
    reward: float | None
    shift: float


@dataclass(frozen=True)
class History:
    """Designs in the order of the archive, the best reward after each step (of designs with memory), and the reward
    without memory."""

    points: list[Point]
    best: list[tuple[int, float]]
    no_memory: float | None


def history(run: LoadedRun) -> History | None:
    """None for a run that is no evolution, or has nothing scored yet."""
    records = [r for r in run.records if r.sha != NO_MEMORY]
    if not any(r.reward is not None for r in run.records):
        return None
    points, best = [], []
    highest: float | None = None
    for step in sorted({r.step for r in records}):
        own = [r for r in records if r.step == step]
        for at, record in enumerate(own):
            reward = record.reward if record.status == "ok" else None
            points.append(Point(record.sha, step, reward, (at + 1) / (len(own) + 1) - 0.5))
            if reward is not None and (highest is None or reward > highest):
                highest = reward
        if highest is not None:
            best.append((step, highest))
    no_memory = next((r.reward for r in run.records if r.sha == NO_MEMORY), None)
    return History(points, best, no_memory)


def limits(found: History) -> tuple[float, float]:
    """Where the scale of rewards begins and ends."""
    rewards = [p.reward for p in found.points if p.reward is not None]
    rewards += [] if found.no_memory is None else [found.no_memory]
    low, high = min(rewards), max(rewards)
    room = max(0.005, (high - low) * 0.15)
    return low - room, high + room


def render(report: Report) -> Markup | None:
    found = history(report.run)
    return None if found is None else fill("steps", **_drawn(found))


def _drawn(found: History) -> dict[str, object]:
    low, high = limits(found)
    steps = [p.step for p in found.points] or [0]
    first, last = min(steps), max(steps)
    width = (WIDTH - LEFT - RIGHT) / (last - first + 1)

    def x(step: float) -> float:
        return LEFT + (step - first + 0.5) * width

    def y(reward: float) -> float:
        return TOP + (high - reward) / (high - low) * (HEIGHT - TOP - BOTTOM)

    points = [
        (p, x(p.step + 0.8 * p.shift), HEIGHT - BOTTOM - 4 if p.reward is None else y(p.reward))
        for p in found.points
    ]
    line = ""
    for at, (step, reward) in enumerate(found.best):
        end = found.best[at + 1][0] if at + 1 < len(found.best) else last + 1
        line += (
            f"{'M' if not at else 'L'}{x(step - 0.5):.1f} {y(reward):.1f}L{x(end - 0.5):.1f} {y(reward):.1f}"
        )
    every = max(1, (last - first + 1) // 8)
    return {
        "points": points,
        "line": line,
        "no_memory": None if found.no_memory is None else (found.no_memory, y(found.no_memory)),
        "rows": [(f"{value:.3f}", y(value)) for value in (low, (low + high) / 2, high)],
        "columns": [(step, x(step)) for step in range(first, last + 1, every)],
        "best": max((reward for _, reward in found.best), default=None),
        "failed": sum(p.reward is None for p in found.points),
    }
