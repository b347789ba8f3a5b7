"""Months, quarters and years."""

from datetime import date, timedelta

from dateutils.coerce import DateError, Day, as_date, make_date


def is_leap(year: int) -> bool:
    """Whether a year has 366 days."""
    return year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)


def days_in_month(year: int, month: int) -> int:
    """Return the length of a month in days. Raises DateError unless month is 1 to 12."""
    if not 1 <= month <= 12:
        raise DateError(f"there is no month {month}")
    if month == 2:
        return 29 if is_leap(year) else 28
    return 30 if month in (4, 6, 9, 11) else 31


def month_end(day: Day) -> date:
    """Return the last day of the month a day is in."""
    day = as_date(day)
    return day.replace(day=days_in_month(day.year, day.month))


def add_months(day: Day, count: int) -> date:
    """Return the same day some months later, or the last day of a month that is too short."""
    day = as_date(day)
    year, month = divmod(day.year * 12 + day.month - 1 + count, 12)
    return make_date(year, month + 1, min(day.day, days_in_month(year, month + 1)))


def full_months(start: Day, end: Day) -> int:
    """Return how many full months lie between two days; negative if end is before start."""
    first, last = as_date(start), as_date(end)
    if last < first:
        return -full_months(last, first)
    count = (last.year - first.year) * 12 + last.month - first.month
    return count if add_months(first, count) <= last else count - 1


def age(born: Day, today: Day) -> int:
    """Return somebody's age in full years."""
    return full_months(born, today) // 12


def quarter(day: Day) -> int:
    """Return the number of the quarter a day is in, 1 to 4."""
    return (as_date(day).month - 1) // 3 + 1


def quarter_end(day: Day) -> date:
    """Return the last day of the quarter a day is in."""
    day = as_date(day)
    following = add_months(date(day.year, 1, 1), 3 * quarter(day))
    return following - timedelta(days=1)
