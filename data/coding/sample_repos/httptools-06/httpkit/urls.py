"""Splitting, joining and comparing http URLs."""

from dataclasses import dataclass, replace

from httpkit.errors import BadUrl

DEFAULT_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True)
class Url:
    """The parts of an absolute URL; the port is always filled in, the query has no question mark."""

    scheme: str
    host: str
    port: int
    path: str = "/"
    query: str = ""

    def __str__(self) -> str:
        port = "" if self.port == DEFAULT_PORTS[self.scheme] else f":{self.port}"
        query = f"?{self.query}" if self.query else ""
        return f"{self.scheme}://{self.host}{port}{self.path}{query}"

    @property
    def origin(self) -> tuple[str, str, int]:
        """Scheme, host and port: what makes two URLs belong together."""
        return (self.scheme, self.host, self.port)


def parse_url(text: str) -> Url:
    """Split an absolute http or https URL; a fragment is dropped. Raises BadUrl."""
    text = text.strip().partition("#")[0]
    scheme, mark, rest = text.partition("://")
    scheme = scheme.lower()
    if not mark or scheme not in DEFAULT_PORTS:
        raise BadUrl(f"not an http URL: {text!r}")
    end = min((rest.find(sign) for sign in "/?" if sign in rest), default=len(rest))
    host, colon, port = rest[:end].lower().partition(":")
    if not host or (port and not port.isdigit()):
        raise BadUrl(f"no usable host in {text!r}")
    path, _, query = rest[end:].partition("?")
    number = int(port) if port else DEFAULT_PORTS[scheme]
    return Url(scheme, host, number, remove_dots(path) or "/", query)


def join(base: str, reference: str) -> str:
    """Return the absolute URL that a link on the page `base` means."""
    reference = reference.strip().partition("#")[0]
    if "://" in reference:
        return str(parse_url(reference))
    url = parse_url(base)
    if reference.startswith("//"):
        return str(parse_url(f"{url.scheme}:{reference}"))
    if not reference:
        return str(url)
    path, mark, query = reference.partition("?")
    if not path:
        return str(replace(url, query=query))
    if not path.startswith("/"):
        path = url.path[: url.path.rfind("/") + 1] + path
    return str(replace(url, path=remove_dots(path), query=query))


def remove_dots(path: str) -> str:
    """Resolve "." and ".." in an absolute path; ".." never leaves the root."""
    kept: list[str] = []
    parts = path.split("/")
    for part in parts:
        if part == "..":
            if len(kept) > 1:
                kept.pop()
        elif part != ".":
            kept.append(part)
    if parts[-1] in (".", ".."):
        kept.append("")
    return "/".join(kept)
