"""Seconds of headers, milliseconds of this package."""

from httpkit.errors import BadHeader

MS_PER_SECOND = 1000


def seconds_to_ms(seconds: float) -> int:
    """Convert seconds to whole milliseconds."""
    return round(seconds * MS_PER_SECOND)


def ms_to_seconds(milliseconds: int) -> int:
    """Convert milliseconds to whole seconds, dropping what is left."""
    return milliseconds // MS_PER_SECOND


def parse_seconds(value: str) -> int:
    """Read a number of seconds from a header value. Raises BadHeader unless it is digits alone."""
    text = value.strip()
    if not (text.isascii() and text.isdigit()):
        raise BadHeader(f"not a number of seconds: {value!r}")
    return int(text)
