"""A run's figures as files, for papers and slides: the same bytes for the same run.

matplotlib is imported when something is drawn: it takes longer than everything else that a command needs.
"""

from __future__ import annotations

import contextlib
import math
import os
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from core.report.html.deltas import Panel, panels
from core.report.html.report import Report
from core.report.html.safe import visible
from core.report.html.steps import History, history, limits

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

FORMATS = {"png": {"Software": None}, "svg": {"Date": None, "Creator": None}}
UP, DOWN, SAME, LINE = "#1b7a43", "#b3261e", "#5c6570", "#1f5fa8"


def write_figures(report: Report, folder: Path) -> list[Path]:
    """Write ``figures/<name>.png`` and ``.svg`` of what the run has; returns their paths.

    Raises:
        OSError: they cannot be written.
    """
    drawn = panels(report.run, report.standing)
    past = history(report.run)
    if not drawn and past is None:
        return []
    target = folder / "figures"
    target.mkdir(exist_ok=True)
    written = []
    with drawing():
        if drawn:
            written += save_figure(_paired_deltas(drawn, report.run.model), target / "paired_deltas")
        if past is not None:
            written += save_figure(_reward_over_steps(past, report.run.model), target / "reward_over_steps")
    return written


@contextlib.contextmanager
def drawing() -> Iterator[None]:
    """matplotlib with settings of its own: nothing of the user's changes the figures, and it leaves nothing behind."""
    with tempfile.TemporaryDirectory() as scratch, warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph", UserWarning)  # a sign that the font has not
        place = os.environ.setdefault("MPLCONFIGDIR", scratch)
        import matplotlib

        if place == scratch:
            del os.environ["MPLCONFIGDIR"]
        with matplotlib.rc_context():
            matplotlib.rcdefaults()
            matplotlib.rcParams["svg.hashsalt"] = "alma"
            # A design's name is text, whatever signs are in it.
            matplotlib.rcParams["text.parse_math"] = False
            yield


def save_figure(figure: Figure, stem: Path) -> list[Path]:
    """Write a figure in all ``FORMATS``, inside ``drawing``; returns the paths."""
    paths = []
    for kind, metadata in FORMATS.items():
        path = stem.with_suffix(f".{kind}")
        figure.savefig(path, dpi=150, metadata=metadata)
        paths.append(path)
    return paths


def _paired_deltas(drawn: list[Panel], model: str) -> Figure:
    from matplotlib.figure import Figure

    longest = max(len(panel.deltas) for panel in drawn)
    figure = Figure(figsize=(2.2 + 2.6 * len(drawn), 1.6 + 0.16 * longest), layout="constrained")
    axes = figure.subplots(1, len(drawn), squeeze=False)[0]
    for ax, panel in zip(axes, drawn, strict=True):
        _panel(ax, panel)
    figure.suptitle(visible(f"Reward by task, difference to {drawn[0].control} (model: {model})"), fontsize=9)
    return figure


def _panel(ax: Axes, panel: Panel) -> None:
    rows = range(len(panel.deltas), 0, -1)
    values = [100 * delta.reward for delta in panel.deltas]
    colours = [UP if value > 0 else DOWN if value < 0 else SAME for value in values]
    ax.hlines(rows, 0, values, colors=colours, linewidth=1.5)
    ax.scatter(values, rows, c=colours, s=9, zorder=2)
    low, high = panel.interval
    if not math.isnan(low):
        ax.hlines(0, 100 * low, 100 * high, colors="black", linewidth=1.5)
    ax.scatter([100 * panel.mean], [0], marker="D", c="black", s=16, zorder=2)
    labels = [visible(f"{delta.task}"[:40]) for delta in panel.deltas]
    ax.set_yticks([*rows, 0], [*labels, "mean, 95 %"], fontsize=5)
    ax.set_ylim(-1, len(panel.deltas) + 1)
    ax.axvline(0, color=SAME, linewidth=0.6, zorder=0)
    ax.set_xlim(-100 * panel.most * 1.05, 100 * panel.most * 1.05)
    ax.set_xlabel("points", fontsize=7)
    ax.tick_params(axis="x", labelsize=6)
    drawn = f"\n{len(panel.deltas)} of {panel.n} tasks drawn" if len(panel.deltas) < panel.n else ""
    ax.set_title(visible(panel.design[:40]) + drawn, fontsize=8)


def _reward_over_steps(past: History, model: str) -> Figure:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6, 3.6), layout="constrained")
    ax = figure.subplots()
    low, high = limits(past)
    if past.no_memory is not None:
        ax.axhline(past.no_memory, color=SAME, linestyle="--", linewidth=1, label="without memory")
    if past.best:
        last = max(point.step for point in past.points)
        steps, rewards = zip(*past.best, (last + 1, past.best[-1][1]), strict=True)
        ax.step([step - 0.5 for step in steps], rewards, where="post", color=LINE, label="highest so far")
    scored = [p for p in past.points if p.reward is not None]
    failed = [p for p in past.points if p.reward is None]
    ax.scatter(
        [p.step + 0.8 * p.shift for p in scored],
        [p.reward for p in scored],
        color=LINE,
        s=16,
        label="a design",
    )
    if failed:
        places = [p.step + 0.8 * p.shift for p in failed]
        ax.scatter(places, [low] * len(failed), color=DOWN, marker="x", s=16, label="failed")
    ax.set_ylim(low, high)
    ax.xaxis.get_major_locator().set_params(integer=True)
    ax.set_xlabel("step")
    ax.set_ylabel("reward on training tasks")
    ax.set_title(visible(f"Reward over steps (model: {model})"), fontsize=9)
    ax.legend(fontsize=7)
    return figure
