"""Figures of readings."""

from statistics import median as middle

from probelog.clock import minutes, seconds
from probelog.errors import EmptySeries
from probelog.gaps import present
from probelog.readings import Reading


def values(readings: list[Reading]) -> list[float | None]:
    """Return the values of readings, gaps included."""
    return [reading.value for reading in readings]


def mean(readings: list[Reading]) -> float:
    """Return the mean value. Raises EmptySeries."""
    known = _some(readings)
    return sum(known) / len(known)


def median(readings: list[Reading]) -> float:
    """Return the median value. Raises EmptySeries."""
    return middle(_some(readings))


def spread(readings: list[Reading]) -> float:
    """Return the difference of the largest and the smallest value. Raises EmptySeries."""
    known = _some(readings)
    return max(known) - min(known)


def last_values(readings: list[Reading], count: int) -> list[float]:
    """Return the last values, at most so many."""
    known = present(values(readings))
    return known[max(0, len(known) - count) :]


def moving_mean(readings: list[Reading], width: float) -> list[float]:
    """Return for each reading the mean of those that are less than a width of minutes older, itself included.

    A reading without any value in that time has no mean and is left out.
    """
    result = []
    for reading in readings:
        oldest = reading.at - seconds(width)
        known = present(other.value for other in readings if oldest < other.at <= reading.at)
        if known:
            result.append(sum(known) / len(known))
    return result


def rate(readings: list[Reading]) -> float:
    """Return the change per minute from the first to the last value. Raises EmptySeries below two."""
    known = [reading for reading in readings if reading.value is not None]
    if len(known) < 2:
        raise EmptySeries("a rate takes two values")
    first, last = known[0], known[-1]
    return (last.value - first.value) / minutes(last.at - first.at)


def time_above(readings: list[Reading], limit: float) -> float:
    """Return the minutes that values above a limit lasted; each lasts until the next reading, the last one not."""
    total = 0
    for reading, following in zip(readings, readings[1:], strict=False):
        if reading.value is not None and reading.value > limit:
            total += following.at - reading.at
    return minutes(total)


def _some(readings: list[Reading]) -> list[float]:
    known = present(values(readings))
    if not known:
        raise EmptySeries("there is no value")
    return known
