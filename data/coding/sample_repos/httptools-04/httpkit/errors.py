"""Exceptions of the package."""


class HttpkitError(ValueError):
    """Base class of everything this package raises on purpose."""


class BadHeader(HttpkitError):
    """A header's name or value is malformed."""


class BadUrl(HttpkitError):
    """A URL has no scheme or host, or a port that is no number."""


class RangeNotSatisfiable(HttpkitError):
    """No part of the requested range exists (status 416)."""


class TooManyRedirects(HttpkitError):
    """A chain of redirects is too long."""
