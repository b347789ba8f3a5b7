"""Evenly spaced values."""

from collections.abc import Callable

from probelog.clock import minutes, seconds
from probelog.errors import ProbeError
from probelog.gaps import present
from probelog.log import Log
from probelog.naming import slug
from probelog.readings import Reading, latest, window


def buckets(
    readings: list[Reading], start: float, end: float, width: float, how: Callable = max
) -> list[float | None]:
    """Cut a window into buckets of so many minutes and make one value of each; None for one without values.

    The last bucket ends with the window. Raises ProbeError unless the width is positive.
    """
    if width <= 0:
        raise ProbeError("a bucket needs a width")
    result, left = [], seconds(start)
    while left < seconds(end):
        right = min(left + seconds(width), seconds(end))
        known = present(reading.value for reading in readings if left <= reading.at < right)
        result.append(how(known) if known else None)
        left = right
    return result


def counts(readings: list[Reading], edges: list[float]) -> list[int]:
    """Return how many readings with a value each window between two neighbouring edges has."""
    return [
        len(present(reading.value for reading in window(readings, start, end)))
        for start, end in zip(edges, edges[1:], strict=False)
    ]


def hold(readings: list[Reading], times: list[float]) -> list[float | None]:
    """Return for each minute the last value known then; None before the first one."""
    found = [latest(readings, minute) for minute in times]
    return [None if reading is None else reading.value for reading in found]


def side_by_side(log: Log, names: list[str]) -> list[tuple]:
    """Return a row for every time at which any of the channels has a reading: the minute, then a value for each."""
    columns = {slug(name): {r.at: r.value for r in log.readings(name)} for name in names}
    times = sorted({at for column in columns.values() for at in column})
    return [(minutes(at), *(columns[slug(name)].get(at) for name in names)) for at in times]


def difference(log: Log, one: str, other: str) -> dict[float, float]:
    """Return one channel minus another, by minute, where both have a value."""
    rows = side_by_side(log, [one, other])
    return {minute: a - b for minute, a, b in rows if a is not None and b is not None}
