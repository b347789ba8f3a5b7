"""Periods: pairs of days, both of which belong to them."""

from datetime import date, timedelta

Period = tuple[date, date]


def month(day: date) -> Period:
    """Return the calendar month of a day."""
    following = date(day.year + day.month // 12, day.month % 12 + 1, 1)
    return day.replace(day=1), following - timedelta(days=1)


def quarter(day: date) -> Period:
    """Return the calendar quarter of a day."""
    first = (day.month - 1) // 3 * 3 + 1
    return date(day.year, first, 1), month(date(day.year, first + 2, 1))[1]


def contains(period: Period, day: date) -> bool:
    """Whether a day belongs to a period."""
    return period[0] <= day <= period[1]


def days(period: Period) -> int:
    """Return the number of days of a period."""
    return (period[1] - period[0]).days + 1


def overlap(one: Period, other: Period) -> int:
    """Return the number of days that two periods have in common."""
    first, last = max(one[0], other[0]), min(one[1], other[1])
    return max(0, days((first, last)))


def months(period: Period) -> list[Period]:
    """Return the calendar months that a period touches, in order."""
    found = [month(period[0])]
    while found[-1][1] < period[1]:
        found.append(month(found[-1][1] + timedelta(days=1)))
    return found
