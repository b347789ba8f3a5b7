"""What a private cache may do with a response."""

from httpkit.clock import ms_to_seconds, parse_seconds, seconds_to_ms
from httpkit.headers import Headers
from httpkit.messages import Response
from httpkit.names import fold, split_list

HOP_BY_HOP = frozenset(
    {"connection", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade"}
)


def directives(headers: Headers) -> dict[str, str]:
    """Return the Cache-Control directives by lower-case name; those without a value have ""."""
    found = {}
    for part in split_list(headers.get("Cache-Control", "")):
        name, _, value = part.partition("=")
        found[name.strip().lower()] = value.strip().strip('"')
    return found


def end_to_end(headers: Headers) -> Headers:
    """Return the headers without those that only concern the one connection they came over."""
    unwanted = HOP_BY_HOP | {fold(name) for name in split_list(headers.get("Connection", ""))}
    return Headers((name, value) for name, value in headers if fold(name) not in unwanted)


def may_store(response: Response) -> bool:
    """Whether the response may be kept at all."""
    return response.status in (200, 203, 301, 404, 410) and "no-store" not in directives(response.headers)


def age_ms(response: Response, now: int) -> int:
    """Return how old the response is at a time, the Age it arrived with included."""
    arrived_with = parse_seconds(response.headers.get("Age", "0"))
    return arrived_with + now - response.received


def age_header(response: Response, now: int) -> str:
    """Return the Age value for handing the stored response on."""
    return str(ms_to_seconds(age_ms(response, now)))


def is_fresh(response: Response, now: int) -> bool:
    """Whether the response may be used without asking the server; never without a max-age."""
    known = directives(response.headers)
    if "no-cache" in known or "max-age" not in known:
        return False
    return age_ms(response, now) < seconds_to_ms(parse_seconds(known["max-age"]))


def cache_key(url: str, request: Headers, response: Headers) -> tuple:
    """Return what identifies a stored response: the URL and the request headers that Vary names."""
    varying = sorted({fold(name) for name in split_list(response.get("Vary", ""))})
    return (url, *((name, request.get(name, "")) for name in varying))
