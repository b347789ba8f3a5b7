"""The parts of HTTP that need no socket."""

from httpkit.errors import BadHeader, BadUrl, HttpkitError, RangeNotSatisfiable, TooManyRedirects
from httpkit.headers import Headers
from httpkit.messages import Request, Response
from httpkit.redirects import follow

__all__ = [
    "BadHeader",
    "BadUrl",
    "Headers",
    "HttpkitError",
    "RangeNotSatisfiable",
    "Request",
    "Response",
    "TooManyRedirects",
    "follow",
]
