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
    return seconds_to_ms(arrived_with) + now - response.received


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


def decide(response: Response, now: int, asked: Headers | None = None) -> str:
    """Return what to do with a stored response: "use", "use and refresh" or "ask" the server.

    The client may ask for less (`max-age`, `min-fresh`, `no-cache`) or put up with more (`max-stale`, without a
    value: any age) than the server says. While a response is in its `stale-while-revalidate` it is used and
    refreshed. `must-revalidate` forbids all use of stale ones.
    """
    known = directives(response.headers)
    wishes = {} if asked is None else directives(asked)
    if "no-cache" in known or "no-cache" in wishes or "max-age" not in known:
        return "ask"
    lifetime = seconds_to_ms(parse_seconds(known["max-age"]))
    if "max-age" in wishes:
        lifetime = min(lifetime, seconds_to_ms(parse_seconds(wishes["max-age"])))
    late = age_ms(response, now) - lifetime
    if late < 0:
        return "use" if late + seconds_to_ms(parse_seconds(wishes.get("min-fresh", "0"))) < 0 else "ask"
    if "must-revalidate" in known:
        return "ask"
    if "max-stale" in wishes:
        bearable = wishes["max-stale"]
        if not bearable or late <= seconds_to_ms(parse_seconds(bearable)):
            return "use"
    grace = parse_seconds(known.get("stale-while-revalidate", "0"))
    return "use and refresh" if late < seconds_to_ms(grace) else "ask"
