"""Readings and what can be asked of a list of them."""

from dataclasses import dataclass

from probelog.clock import seconds


@dataclass(frozen=True, order=True)
class Reading:
    """One value of a probe, at so many seconds; None for a gap."""

    at: int
    value: float | None


def window(readings: list[Reading], start: float, end: float) -> list[Reading]:
    """Return the readings from one minute to another; the start belongs to the window, the end does not."""
    first, last = seconds(start), seconds(end)
    return [reading for reading in readings if first <= reading.at < last]


def latest(readings: list[Reading], minute: float) -> Reading | None:
    """Return the last reading at a minute or before it that is no gap."""
    limit = seconds(minute)
    fits = [reading for reading in readings if reading.at <= limit and reading.value is not None]
    return max(fits, key=lambda reading: reading.at, default=None)


def jumps(readings: list[Reading], step: float) -> list[Reading]:
    """Return the readings that differ from the last one before them by more than a step; gaps are passed over."""
    found, before = [], None
    for reading in readings:
        if reading.value is None:
            continue
        if before is not None and abs(reading.value - before) > step:
            found.append(reading)
        before = reading.value
    return found
