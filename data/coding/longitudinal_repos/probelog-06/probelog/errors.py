"""Exceptions of the package; all of them derive from ProbeError."""


class ProbeError(Exception):
    """Base class of everything this package raises on purpose."""


class UnknownChannel(ProbeError):
    """Nothing was ever recorded for this channel."""


class UnknownUnit(ProbeError):
    """There is no unit of this name, or no way from one to the other."""


class EmptySeries(ProbeError):
    """A figure was asked of no values at all."""


class BadFile(ProbeError):
    """A line of a file cannot be read."""
