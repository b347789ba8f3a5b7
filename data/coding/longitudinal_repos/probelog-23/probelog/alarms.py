"""Alarms: a channel that leaves its limits for too long."""

from dataclasses import dataclass

from probelog.clock import label, minutes, seconds
from probelog.log import Log
from probelog.naming import slug


@dataclass(frozen=True)
class Rule:
    """Limits of a channel, both of them allowed values, and the minutes it may be outside."""

    channel: str
    low: float
    high: float
    patience: float = 0


@dataclass(frozen=True)
class Breach:
    """A time outside the limits, in seconds: from the first bad reading to the first good one after it.

    ``end`` is None while it lasts.
    """

    channel: str
    start: int
    end: int | None

    def __str__(self) -> str:
        until = "now" if self.end is None else label(self.end)
        return f"{self.channel} {label(self.start)} - {until}"


def breaches(log: Log, rule: Rule) -> list[Breach]:
    """Return the breaches of a rule that lasted longer than its patience; gaps end nothing and begin nothing."""
    readings = [reading for reading in log.readings(rule.channel) if reading.value is not None]
    found, start = [], None
    for reading in readings:
        good = rule.low <= reading.value <= rule.high
        if not good and start is None:
            start = reading.at
        elif good and start is not None:
            found.append(Breach(slug(rule.channel), start, reading.at))
            start = None
    if start is not None:
        found.append(Breach(slug(rule.channel), start, None))
    end = readings[-1].at if readings else 0
    return [
        breach
        for breach in found
        if (end if breach.end is None else breach.end) - breach.start > seconds(rule.patience)
    ]


def longest(found: list[Breach]) -> float:
    """Return the minutes of the longest breach that has ended; 0 for none."""
    return minutes(max((breach.end - breach.start for breach in found if breach.end is not None), default=0))


class Silence:
    """Times when the alarms of a channel are switched off."""

    def __init__(self) -> None:
        self._times: dict[str, list[tuple[int, int]]] = {}

    def add(self, channel: str, start: float, end: float) -> None:
        """Switch a channel off for a window of minutes."""
        self._times.setdefault(slug(channel), []).append((seconds(start), seconds(end)))

    def covers(self, channel: str, minute: float) -> bool:
        """Whether the alarms of a channel are off at a minute; at the end of a window they still are."""
        at = seconds(minute)
        return any(start <= at < end for start, end in self._times.get(slug(channel), []))

    def loud(self, found: list[Breach]) -> list[Breach]:
        """Return the breaches that did not begin while their channel was off."""
        return [breach for breach in found if not self.covers(breach.channel, minutes(breach.start))]
