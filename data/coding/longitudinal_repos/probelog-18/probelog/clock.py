"""Time: whole seconds inside the package, minutes outside."""

PER_MINUTE = 60


def seconds(minutes: float) -> int:
    """Convert minutes to whole seconds."""
    return round(minutes * PER_MINUTE)


def minutes(seconds: int) -> float:
    """Convert seconds to minutes."""
    return seconds / PER_MINUTE


def label(seconds: int) -> str:
    """Return a time as text: 3661 seconds are "1:01:01", 59 are "0:00:59"."""
    hours, rest = divmod(seconds, 3600)
    return f"{hours}:{rest // 60:02}:{rest % 60:02}"
