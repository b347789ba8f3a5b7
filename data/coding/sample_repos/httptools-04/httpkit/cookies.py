"""Cookies: the Set-Cookie header and a jar."""

from dataclasses import dataclass

from httpkit.clock import ms_to_seconds, parse_seconds, seconds_to_ms
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
        self._drop_expired(now)
        valid = [cookie for cookie in self._cookies.values() if cookie.matches(url)]
        valid.sort(key=lambda cookie: -len(cookie.path))
        return "; ".join(f"{cookie.name}={cookie.value}" for cookie in valid)

    def count(self, now: int) -> int:
        """Return how many cookies there are."""
        self._drop_expired(now)
        return len(self._cookies)

    def forget(self, domain: str, now: int) -> int:
        """Take out all cookies of a domain and of what is below it; returns their number."""
        self._drop_expired(now)
        domain = domain.lstrip(".").lower()
        keys = [key for key in self._cookies if key[0] == domain or key[0].endswith("." + domain)]
        for key in keys:
            del self._cookies[key]
        return len(keys)

    def lines(self, now: int) -> list[str]:
        """Return the cookies as lines of a text file, by domain, path and name.

        Each line has the domain (with a dot in front if it holds for all below), the path, "secure" or "any", the
        seconds that are left or "-" if it never expires, the name and the value, with tabs between.
        """
        self._drop_expired(now)
        found = []
        for key in sorted(self._cookies):
            cookie = self._cookies[key]
            domain = cookie.domain if cookie.host_only else "." + cookie.domain
            left = "-" if cookie.expires is None else str(ms_to_seconds(cookie.expires - now))
            secure = "secure" if cookie.secure else "any"
            found.append("\t".join([domain, cookie.path, secure, left, cookie.name, cookie.value]))
        return found

    def _drop_expired(self, now: int) -> None:
        for key, cookie in list(self._cookies.items()):
            if cookie.expires is not None and cookie.expires <= now:
                del self._cookies[key]
