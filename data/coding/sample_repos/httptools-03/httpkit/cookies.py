"""Cookies: the Set-Cookie header and a jar."""

from dataclasses import dataclass

from httpkit.clock import parse_seconds, seconds_to_ms
from httpkit.errors import BadHeader
from httpkit.urls import parse_url


@dataclass(frozen=True)
class Cookie:
    """A stored cookie; `expires` is a time in milliseconds, None means it never does."""

    name: str
    value: str
    domain: str
    path: str = "/"
    expires: int | None = None
    secure: bool = False
    host_only: bool = True

    def matches(self, url: str) -> bool:
        """Whether the cookie is sent to a URL."""
        target = parse_url(url)
        if self.secure and target.scheme != "https":
            return False
        inside = not self.host_only and target.host.endswith("." + self.domain)
        if target.host != self.domain and not inside:
            return False
        folder = self.path if self.path.endswith("/") else self.path + "/"
        return target.path == self.path or target.path.startswith(folder)


def parse_set_cookie(value: str, url: str, now: int) -> Cookie:
    """Read a Set-Cookie value that came from a URL at a time. Raises BadHeader without a name."""
    pair, *attributes = value.split(";")
    name, equals, content = pair.partition("=")
    if not equals or not name.strip():
        raise BadHeader(f"a cookie without a name: {value!r}")
    options = {}
    for attribute in attributes:
        label, _, text = attribute.partition("=")
        options[label.strip().lower()] = text.strip()
    expires = None
    if "max-age" in options:
        expires = now + seconds_to_ms(parse_seconds(options["max-age"]))
    return Cookie(
        name.strip(),
        content.strip().strip('"'),
        options.get("domain", "").lstrip(".").lower() or parse_url(url).host,
        options.get("path", "/"),
        expires,
        "secure" in options,
        not options.get("domain"),
    )


class Jar:
    """Cookies of all hosts."""

    def __init__(self) -> None:
        self._cookies: dict[tuple[str, str, str], Cookie] = {}

    def store(self, value: str, url: str, now: int) -> None:
        """Keep the cookie of a Set-Cookie value; one of the same name, domain and path is replaced."""
        cookie = parse_set_cookie(value, url, now)
        self._cookies[cookie.domain, cookie.path, cookie.name] = cookie

    def header(self, url: str, now: int) -> str:
        """Return the Cookie value for a request, longer paths first; "" if there is nothing to send."""
        valid = [
            cookie
            for cookie in self._cookies.values()
            if cookie.matches(url) and (cookie.expires is None or now < cookie.expires)
        ]
        valid.sort(key=lambda cookie: -len(cookie.path))
        return "; ".join(f"{cookie.name}={cookie.value}" for cookie in valid)
