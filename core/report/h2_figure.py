"""The plot of an H2 experiment: outcome along the stream, and what the memory has gained by then."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from core.experiments.stream import WIDTH, Curve
from core.report.figures import drawing, save_figure
from core.report.html.safe import visible

COLOURS = ("#555555", "#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")
"""Told apart by readers who see no red or green (Okabe & Ito); the control is grey."""


def draw(resolved: Sequence[Curve], reward: Sequence[Curve], title: str, folder: Path) -> list[Path]:
    """Draw the curves into ``h2_stream.png`` and ``.svg``; the same curves give the same bytes.

    Args:
        resolved, reward: curves of all arms, control first (``core.experiments.stream.curves``).
        title: one line over the figure.
    """
    with drawing():
        from matplotlib.figure import Figure  # imported late: only a finished experiment draws

        figure = Figure(figsize=(10, 6.4), layout="constrained")
        axes = figure.subplots(2, 2, sharex=True)
        for column, (group, name) in enumerate(((resolved, "resolved tasks"), (reward, "reward"))):
            _outcome(axes[0][column], group, f"{name}, mean over {WIDTH} positions")
            _gain(axes[1][column], group, f"gain so far in {name}")
        axes[0][0].legend(loc="best", frameon=False)
        figure.suptitle(visible(title))
        figure.supxlabel("position in the stream; bands: 95 % t intervals over orders")
        folder.mkdir(parents=True, exist_ok=True)
        return save_figure(figure, folder / "h2_stream")


def _outcome(axis, curves: Sequence[Curve], label: str) -> None:
    for curve, colour in zip(curves, _colours(curves), strict=True):
        axis.plot(curve.positions, curve.mean, color=colour, label=visible(curve.arm))
        axis.fill_between(curve.positions, curve.low, curve.high, color=colour, alpha=0.15, linewidth=0)
    axis.set_ylim(-0.02, 1.02)
    axis.set_title(label, fontsize=9)
    axis.grid(alpha=0.25)


def _gain(axis, curves: Sequence[Curve], label: str) -> None:
    axis.axhline(0, color=COLOURS[0], linewidth=0.8)
    for curve, colour in list(zip(curves, _colours(curves), strict=True))[1:]:
        axis.plot(curve.positions, curve.gain, color=colour)
        axis.fill_between(
            curve.positions, curve.gain_low, curve.gain_high, color=colour, alpha=0.15, linewidth=0
        )
    axis.set_title(label, fontsize=9)
    axis.grid(alpha=0.25)


def _colours(curves: Sequence[Curve]) -> list[str]:
    return [COLOURS[i] if i == 0 else COLOURS[1 + (i - 1) % (len(COLOURS) - 1)] for i in range(len(curves))]
