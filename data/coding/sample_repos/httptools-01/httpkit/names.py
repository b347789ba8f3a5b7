"""Header names."""

import re

from httpkit.errors import BadHeader

_TOKEN = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")


def fold(name: str) -> str:
    """Return the one form under which a header name is compared and stored.

    Raises BadHeader for text that is no header name.
    """
    name = name.strip()
    if not _TOKEN.fullmatch(name):
        raise BadHeader(f"not a header name: {name!r}")
    return name.lower()


def split_list(value: str) -> list[str]:
    """Return the non-empty elements of a comma-separated header value."""
    return [part.strip() for part in value.split(",") if part.strip()]
