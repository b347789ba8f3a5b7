"""Requests and responses."""

from dataclasses import dataclass, field

from httpkit.headers import Headers


@dataclass
class Request:
    """A request to an absolute URL."""

    method: str
    url: str
    headers: Headers = field(default_factory=Headers)
    body: bytes = b""


@dataclass
class Response:
    """A response; `received` is the time it arrived in milliseconds."""

    status: int
    headers: Headers = field(default_factory=Headers)
    body: bytes = b""
    received: int = 0
