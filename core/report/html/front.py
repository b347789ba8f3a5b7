"""What the designs of an evolution give for what they take: reward against tokens of memory text, the front marked."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from markupsafe import Markup

from core.design_file import NO_MEMORY
from core.pareto import OUTCOME, Objective, design_points, front
from core.report.html.designs import tree
from core.report.html.report import Report
from core.report.html.templating import fill

ID, TITLE = "front", "Reward and price"

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 400, 250, 46, 14, 14, 36


def render(report: Report) -> Markup | None:
    objective = report.run.objective
    points = design_points(report.run.records, objective)
    if len(points) < 2:
        return None
    on_front = front(points)
    at = {node.design: number for number, node in enumerate(tree(report.run))}
    drawn = _Scales(points)
    order = sorted(points, key=lambda sha: (points[sha][1], -points[sha][0]))
    marks = [
        {
            "design": sha,
            "at": at.get(sha),
            "x": drawn.x(points[sha][1]),
            "y": drawn.y(points[sha][0]),
            "gain": f"{points[sha][0]:.3f}",
            "price": _price(points[sha][1], objective),
            "front": sha in on_front,
        }
        for sha in order
    ]
    return fill(
        "front",
        marks=marks,
        line=_stairs([mark for mark in marks if mark["front"]]),
        base=drawn.y(points[NO_MEMORY][0]) if NO_MEMORY in points else None,
        rows=[(f"{value:.3f}", drawn.y(value)) for value in (drawn.low, drawn.high)],
        columns=[(_price(value, objective), drawn.x(value)) for value in (0.0, drawn.most / 2, drawn.most)],
        gain="resolved" if OUTCOME[objective] == "resolved" else "reward",
        unit="USD of one run" if objective == "cost" else "memory tokens",
    )


class _Scales:
    """Where points lie. The scales hold all of them and the price 0."""

    def __init__(self, points: dict[str, tuple[float, float]]) -> None:
        gains, prices = zip(*points.values(), strict=True)
        self.low, self.high = min(gains), max(gains)
        self.most = max(*prices, 1e-9)

    def x(self, price: float) -> float:
        return LEFT + 8 + max(price, 0.0) / self.most * (WIDTH - LEFT - RIGHT - 16)

    def y(self, gain: float) -> float:
        span = self.high - self.low or 1.0
        return TOP + 8 + (self.high - gain) / span * (HEIGHT - TOP - BOTTOM - 16)


def _stairs(marks: Sequence[dict[str, Any]]) -> str:
    """What can be had for each price: the front as a line, to the right edge."""
    path = f"M{marks[0]['x']:.1f} {marks[0]['y']:.1f}"
    path += "".join(f"H{mark['x']:.1f}V{mark['y']:.1f}" for mark in marks[1:])
    return f"{path}H{WIDTH - RIGHT}"


def _price(value: float, objective: Objective) -> str:
    return f"{value:.4f}" if objective == "cost" else f"{value:.0f}"
