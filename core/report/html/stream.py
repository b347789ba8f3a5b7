"""How an H2 experiment went: what was resolved along the stream, and what the memory had gained by then."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from core.experiments.stream import WIDTH, Curve, curves
from core.report.html.report import Report
from core.report.html.templating import fill

ID, TITLE = "stream", "Along the stream"

DRAWN_WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 400, 220, 42, 10, 12, 34
COLOURS = 6
"""How many arms are told apart; further ones begin again."""


@dataclass(frozen=True)
class Line:
    """One arm: its line and its band as SVG paths, and the place of its colour (0 is the control)."""

    arm: str
    colour: int
    path: str
    band: str


def render(report: Report) -> Markup | None:
    steps = [step for step in report.run.stream if step.part == "stream"]
    if not steps:
        return None
    found = curves(report.run.stream, "resolved")
    outcome = _drawn([(c, c.mean, c.low, c.high) for c in found], found[0].positions, (0.0, 1.0))
    gains = [(c, c.gain, c.gain_low, c.gain_high) for c in found[1:]]
    values = [v for _, *series in gains for one in series for v in one if v == v] or [0.0]
    reach = float(math.ceil(max(1.0, *(abs(v) for v in values))))
    return fill(
        "stream",
        width=WIDTH,
        orders=len({step.order for step in steps}),
        outcome=outcome,
        gain=_drawn(gains, found[0].positions, (-reach, reach), first=1) if gains else None,
        arms=[(c.arm, number % COLOURS if number else 0) for number, c in enumerate(found)],
    )


def _drawn(
    lines: Sequence[tuple[Curve, Sequence[float], Sequence[float], Sequence[float]]],
    positions: Sequence[int],
    limits: tuple[float, float],
    first: int = 0,
) -> dict[str, object]:
    low, high = limits
    width = (DRAWN_WIDTH - LEFT - RIGHT) / max(len(positions), 1)

    def x(position: int) -> float:
        return LEFT + (position - 0.5) * width

    def y(value: float) -> float:
        return TOP + (high - min(max(value, low), high)) / (high - low) * (HEIGHT - TOP - BOTTOM)

    def path(points: Sequence[tuple[int, float]]) -> str:
        return "".join(f"{'L' if at else 'M'}{x(p):.1f} {y(v):.1f}" for at, (p, v) in enumerate(points))

    drawn = []
    for number, (curve, mean, below, above) in enumerate(lines, start=first):
        edge = [(p, v) for p, v in zip(positions, above, strict=True) if v == v]
        back = [(p, v) for p, v in zip(positions, below, strict=True) if v == v][::-1]
        around = path([*edge, *back]) + "Z" if edge else ""
        line = path([(p, v) for p, v in zip(positions, mean, strict=True) if v == v])
        drawn.append(Line(curve.arm, number % COLOURS, line, around))
    every = max(1, len(positions) // 8)
    return {
        "lines": drawn,
        "rows": [(f"{value:g}", y(value)) for value in (low, (low + high) / 2, high)],
        "columns": [(p, x(p)) for p in positions[::every]],
    }
