"""When to try a failed request again."""

from httpkit.clock import parse_seconds, seconds_to_ms
from httpkit.messages import Request, Response

SAFE_TO_REPEAT = frozenset({"GET", "HEAD", "OPTIONS", "PUT", "DELETE"})
TEMPORARY = frozenset({429, 502, 503, 504})
FIRST_DELAY = 200
LONGEST_DELAY = seconds_to_ms(30)


def should_retry(request: Request, response: Response, attempt: int, limit: int = 3) -> bool:
    """Whether to send the request again after attempt number `attempt` (the first one is 1).

    A request that changes something on each call is repeated only if the server refused it (429).
    """
    if attempt >= limit or response.status not in TEMPORARY:
        return False
    return response.status == 429 or request.method.upper() in SAFE_TO_REPEAT


def backoff(attempt: int) -> int:
    """Return the milliseconds to wait after an attempt: doubling, with an upper bound."""
    return min(LONGEST_DELAY, FIRST_DELAY * 2 ** (attempt - 1))


def delay(response: Response, attempt: int) -> int:
    """Return the milliseconds to wait before the next attempt; Retry-After counts if it is longer."""
    asked = response.headers.get("Retry-After")
    if asked is None:
        return backoff(attempt)
    return max(backoff(attempt), seconds_to_ms(parse_seconds(asked)))
