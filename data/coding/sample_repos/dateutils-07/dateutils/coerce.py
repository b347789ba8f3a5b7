"""What counts as a day."""

import re
from datetime import date, datetime

_ISO = re.compile(r"(\d{4})-(\d{2})-(\d{2})")

Day = date | str


class DateError(ValueError):
    """Something is not a day, or a result would not be one."""


def as_date(value: Day) -> date:
    """Return a plain date for a date, a datetime or an ISO text. Raises DateError for all else."""
    if isinstance(value, datetime):
        return value.date()
    if isinstance(value, date):
        return value
    match = _ISO.fullmatch(value.strip()) if isinstance(value, str) else None
    if not match:
        raise DateError(f"not a day: {value!r}")
    return make_date(*(int(part) for part in match.groups()))


def make_date(year: int, month: int, day: int) -> date:
    """Return the date, raising DateError if the calendar has no such day."""
    try:
        return date(year, month, day)
    except ValueError as error:
        raise DateError(f"{year}-{month}-{day}: {error}") from None


def require_count(count: int) -> None:
    """Raise DateError unless a number of parts, steps or dates is at least 1."""
    if count < 1:
        raise DateError(f"a count begins at 1, not {count}")
