"""Interest, with every month counted as 30 days and every year as 360."""

from dateutils.coerce import Day, as_date
from dateutils.rounding import half_up


def days_360(start: Day, end: Day) -> int:
    """Return the days between two dates; the 31st counts as the 30th."""
    first, last = as_date(start), as_date(end)
    months = (last.year - first.year) * 12 + last.month - first.month
    return months * 30 + min(last.day, 30) - min(first.day, 30)


def year_fraction(start: Day, end: Day, digits: int = 4) -> float:
    """Return the time between two dates in years, rounded to a number of decimal places."""
    return half_up(days_360(start, end) / 360, digits)


def interest(amount: float, percent: float, start: Day, end: Day) -> float:
    """Return the simple interest on an amount at a yearly rate, rounded to cents."""
    return half_up(amount * percent * days_360(start, end) / 36000, 2)
