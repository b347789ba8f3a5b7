"""Durations in the notation of ISO 8601, without times of day."""

import re
from dataclasses import dataclass
from datetime import date, timedelta

from dateutils.coerce import DateError, Day, as_date
from dateutils.months import add_months, full_months

_DURATION = re.compile(r"(-?)P(?:(\d+)Y)?(?:(\d+)M)?(?:(\d+)W)?(?:(\d+)D)?")


@dataclass(frozen=True)
class Duration:
    """Months and days; their lengths differ, so neither can be turned into the other."""

    months: int = 0
    days: int = 0

    def __str__(self) -> str:
        sign = "-" if self.months < 0 or self.days < 0 else ""
        years, months = divmod(abs(self.months), 12)
        parts = [(years, "Y"), (months, "M"), (abs(self.days), "D")]
        text = "".join(f"{number}{letter}" for number, letter in parts if number)
        return f"{sign}P{text or '0D'}"

    def after(self, day: Day) -> date:
        """Return the day this much later: the months first, then the days."""
        return add_months(day, self.months) + timedelta(days=self.days)


def parse_duration(text: str) -> Duration:
    """Read a text like "P1Y6M" or "-P2W". Raises DateError."""
    match = _DURATION.fullmatch(text.strip())
    if not match or text.strip().endswith("P"):
        raise DateError(f"not a duration: {text!r}")
    years, months, weeks, days = (int(part or 0) for part in match.groups()[1:])
    sign = -1 if match[1] else 1
    return Duration(sign * (years * 12 + months), sign * (weeks * 7 + days))


def between(start: Day, end: Day) -> Duration:
    """Return full months and left-over days from one day to a later one. Raises DateError."""
    first, last = as_date(start), as_date(end)
    if last < first:
        raise DateError(f"{last} is before {first}")
    months = full_months(first, last)
    return Duration(months, (last - add_months(first, months)).days)
