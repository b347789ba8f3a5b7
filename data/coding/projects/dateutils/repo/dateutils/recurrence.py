"""Dates that come again."""

from collections.abc import Iterable
from datetime import date, timedelta

from dateutils.coerce import DateError, Day, as_date
from dateutils.months import add_months

DAYS = {"days": 1, "weeks": 7}
MONTHS = {"months": 1, "years": 12}
MOST = 10_000


def shift(day: date, unit: str, count: int) -> date:
    """Return a day moved by a number of units. Raises DateError for an unknown unit."""
    if unit in DAYS:
        return day + timedelta(days=count * DAYS[unit])
    if unit in MONTHS:
        return add_months(day, count * MONTHS[unit])
    raise DateError(f"not a unit: {unit!r}")


def occurrences(
    start: Day,
    unit: str,
    every: int = 1,
    *,
    count: int | None = None,
    until: Day | None = None,
    exclude: Iterable[Day] = (),
) -> list[date]:
    """Return the dates of a recurrence: start, and then each `every` units.

    It ends after `count` dates or with the day `until`, whichever comes first; one of them must be
    given. Days to exclude are left out, but counted. In a month that is too short the last day stands
    in. Raises DateError for a step below 1.
    """
    if every < 1:
        raise DateError(f"a recurrence cannot go by {every} {unit}")
    if count is None and until is None:
        raise DateError("a recurrence needs an end")
    first = as_date(start)
    last = date.max if until is None else as_date(until)
    skipped = {as_date(day) for day in exclude}
    found = []
    for step in range(MOST if count is None else count):
        day = shift(first, unit, step * every)
        if day > last:
            break
        if day not in skipped:
            found.append(day)
    return found
