"""How far away a day is, in words."""

from dateutils.coerce import Day, as_date
from dateutils.rounding import half_up

CLOSE = {-1: "yesterday", 0: "today", 1: "tomorrow"}


def relative(day: Day, today: Day) -> str:
    """Return a day as seen from another: "tomorrow", "in 3 weeks", "2 years ago".

    Up to 13 days are given in days, up to 59 in weeks, up to 364 in months of 30 days and more in
    years of 365, rounded.
    """
    days = (as_date(day) - as_date(today)).days
    if days in CLOSE:
        return CLOSE[days]
    text = amount(abs(days))
    return f"in {text}" if days > 0 else f"{text} ago"


def amount(days: int) -> str:
    """Return a number of days in a unit that suits it."""
    if days < 14:
        return plural(days, "day")
    if days < 60:
        return plural(half_up(days / 7), "week")
    if days < 365:
        return plural(half_up(days / 30), "month")
    return plural(half_up(days / 365), "year")


def plural(number: int, noun: str) -> str:
    """Return "1 day", "2 days"."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
