"""Weeks and weekdays; a week is numbered as in ISO 8601.

Weeks begin on Monday, and week 1 of a year is the one with the year's first Thursday.
"""

import re
from datetime import date, timedelta

from dateutils.coerce import DateError, Day, as_date, make_date
from dateutils.months import days_in_month, is_leap

MONDAY, TUESDAY, WEDNESDAY, THURSDAY, FRIDAY, SATURDAY, SUNDAY = range(7)

_WEEK = re.compile(r"(\d{4})-W(\d{2})")


def weeks_in_year(year: int) -> int:
    """Return the number of weeks of a year, 52 or 53."""
    first = date(year, 1, 1).weekday()
    return 53 if first == THURSDAY or (first == WEDNESDAY and is_leap(year)) else 52


def iso_week(day: Day) -> tuple[int, int]:
    """Return the year and the number of the week a day is in."""
    day = as_date(day)
    week = (day.timetuple().tm_yday - day.isoweekday() + 10) // 7
    if week < 1:
        return day.year - 1, weeks_in_year(day.year - 1)
    if week > weeks_in_year(day.year):
        return day.year + 1, 1
    return day.year, week


def week_label(day: Day) -> str:
    """Return the week of a day as text, like "2024-W07"."""
    year, week = iso_week(day)
    return f"{year}-W{week:02}"


def week_start(label: str) -> date:
    """Return the Monday of a week like "2024-W07". Raises DateError if there is no such week."""
    match = _WEEK.fullmatch(label)
    year, week = (int(part) for part in match.groups()) if match else (1, 0)
    if not 1 <= week <= weeks_in_year(year):
        raise DateError(f"not a week: {label!r}")
    fourth = date(year, 1, 4)
    return fourth + timedelta(days=7 * (week - 1) - fourth.weekday())


def nth_weekday(year: int, month: int, weekday: int, n: int) -> date:
    """Return the n-th weekday of a month; negative n counts from the end, -1 is the last.

    Raises DateError if the month has no such day.
    """
    length = days_in_month(year, month)
    if n > 0:
        offset = (weekday - date(year, month, 1).weekday()) % 7
        return make_date(year, month, 1 + offset + 7 * (n - 1))
    if n == 0:
        raise DateError("weekdays are counted from 1, or from -1 backwards")
    back = (date(year, month, length).weekday() - weekday) % 7
    return make_date(year, month, length - back + 7 * (n + 1))
