"""Names of channels as people type them, and what they are stored by."""

from probelog.errors import ProbeError


def slug(name: str) -> str:
    """Return what a channel is stored by: "Air  Temp" is "air-temp". Raises ProbeError for an empty name."""
    words = name.replace("-", " ").casefold().split()
    if not words:
        raise ProbeError("a channel needs a name")
    return "-".join(words)
