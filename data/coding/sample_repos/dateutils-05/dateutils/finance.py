"""Interest, with every month counted as 30 days and every year as 360."""

from datetime import date

from dateutils.coerce import Day, as_date, require_count
from dateutils.months import add_months
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


def installments(amount: float, percent: float, start: Day, count: int) -> list[tuple[date, float, float, float]]:
    """Return the plan of a loan that is paid back in equal monthly parts.

    One line per month: the day it is due, the part that is paid back, the interest of the month on what
    was left before, and what is left then. Everything is in cents; the last part takes the rest. Raises
    DateError for less than one part.
    """
    require_count(count)
    first = as_date(start)
    part = half_up(amount / count, 2)
    left, before = amount, first
    plan = []
    for number in range(1, count + 1):
        due = add_months(first, number)
        cost = interest(left, percent, before, due)
        paid = left if number == count else part
        left = half_up(left - paid, 2)
        plan.append((due, paid, cost, left))
        before = due
    return plan
