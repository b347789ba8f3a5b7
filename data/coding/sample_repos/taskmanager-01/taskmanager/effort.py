"""Effort: whole minutes inside the package, hours outside."""

from taskmanager.errors import TaskError

MINUTES_PER_HOUR = 60


def to_minutes(hours: float) -> int:
    """Convert hours to whole minutes, raising TaskError for a negative number."""
    if hours < 0:
        raise TaskError(f"an effort cannot be negative: {hours}")
    return round(hours * MINUTES_PER_HOUR)


def to_hours(minutes: int) -> float:
    """Convert minutes to hours."""
    return minutes / MINUTES_PER_HOUR


def describe(minutes: int) -> str:
    """Return an effort as text: "45m", "2h", "1h 30m"."""
    hours, rest = divmod(minutes, MINUTES_PER_HOUR)
    if not hours:
        return f"{rest}m"
    if not rest:
        return f"{hours}h"
    return f"{hours}h {rest}m"
