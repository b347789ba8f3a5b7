"""What an H2 experiment saw: one line per order, position and arm, in ``stream.csv``, and the curves drawn from it."""

from __future__ import annotations

import csv
import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from core.experiments.trend import band, moving_mean

WIDTH = 5
"""Positions that a point of a curve is the mean of."""
REVISIT = "revisit"
"""Beginning of the mode, and so of the folders' names, of evaluations that ask an order's first tasks once more. It
sorts behind that of the stream itself: ``--export`` takes the first mode by name."""

Part = Literal["stream", "again"]
Value = Literal["resolved", "reward"]


@dataclass(frozen=True)
class Step:
    """One run of one task.

    Attributes:
        part: ``stream``, or ``again`` for an early task asked once more with the memory of the whole stream but itself.
        position: place in the order, from 1; of a task asked again the place it had.
        relatives: tasks of the same family that the stream had met before.
        contradicted: tasks met before whose lesson is wrong here, or for which this one's would be.
    """

    arm: str
    order: int
    repeat: int
    part: Part
    position: int
    task: str
    family: str
    relatives: int
    contradicted: int
    reward: float
    resolved: bool
    memory_tokens: int
    steps: int
    tokens: int


@dataclass(frozen=True)
class Curve:
    """One arm over the positions of a stream: means over orders with the 95 % t interval over orders.

    ``mean`` is a moving mean over ``WIDTH`` positions of the outcome. ``gain`` is the sum of the differences to the
    control up to a position, in tasks (resolved) or in rewards; empty for the control itself.
    """

    arm: str
    value: Value
    positions: list[int]
    mean: list[float]
    low: list[float]
    high: list[float]
    gain: list[float]
    gain_low: list[float]
    gain_high: list[float]


def write_stream(path: Path, steps: Sequence[Step]) -> None:
    """Write ``stream.csv``."""
    with open(path, "w", newline="", encoding="utf-8") as handle:
        writer = csv.writer(handle)
        writer.writerow([field.name for field in dataclasses.fields(Step)])
        writer.writerows(
            [int(v) if isinstance(v, bool) else v for v in dataclasses.astuple(step)] for step in steps
        )


def read_stream(path: Path) -> list[Step]:
    """Read ``stream.csv``.

    Raises:
        OSError, ValueError, KeyError: it is not there, or something else.
    """
    kinds = {"reward": float, "resolved": lambda text: text == "1"}
    texts = ("arm", "part", "task", "family")
    with open(path, newline="", encoding="utf-8") as handle:
        return [
            Step(
                **{
                    name: value if name in texts else kinds.get(name, int)(value)
                    for name, value in row.items()
                }
            )
            for row in csv.DictReader(handle)
        ]


def arms_of(steps: Sequence[Step]) -> list[str]:
    """Labels of the arms, control first."""
    return list(dict.fromkeys(step.arm for step in steps))


def by_position(steps: Sequence[Step], arm: str, value: Value) -> np.ndarray:
    """Outcomes of an arm's streams, repeats of an order averaged: shape (orders, positions)."""
    return _grid([s for s in steps if s.arm == arm and s.part == "stream"], value, lambda s: s.position).mean(
        axis=1
    )


def by_task(steps: Sequence[Step], arm: str, value: Value) -> np.ndarray:
    """Outcomes of an arm's streams: shape (tasks in the order of their ids, orders, repeats)."""
    grid = _grid([s for s in steps if s.arm == arm and s.part == "stream"], value, lambda s: s.task)
    return grid.transpose(2, 0, 1)


def _grid(steps: Sequence[Step], value: Value, column) -> np.ndarray:
    """Shape (orders, repeats, columns)."""
    axes = [sorted({key(s) for s in steps}) for key in (lambda s: s.order, lambda s: s.repeat, column)]
    grid = np.full([len(axis) for axis in axes], np.nan)
    for s in steps:
        cell = tuple(axis.index(k) for axis, k in zip(axes, (s.order, s.repeat, column(s)), strict=True))
        grid[cell] = float(getattr(s, value))
    return grid


def curves(steps: Sequence[Step], value: Value) -> list[Curve]:
    """The curves of all arms, control first: all numbers that a plot of the experiment shows."""
    control, *_ = arms = arms_of(steps)
    base = by_position(steps, control, value)
    found = []
    for arm in arms:
        own = by_position(steps, arm, value)
        mean = band(moving_mean(own, WIDTH))
        gain = band(np.cumsum(own - base, axis=1)) if arm != control else (np.array([]),) * 3
        positions = list(range(1, own.shape[1] + 1))
        found.append(Curve(arm, value, positions, *(x.tolist() for x in (*mean, *gain))))
    return found
