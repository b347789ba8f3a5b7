"""Following redirects."""

from httpkit.errors import TooManyRedirects
from httpkit.messages import Request, Response
from httpkit.urls import join, parse_url

REDIRECTS = frozenset({301, 302, 303, 307, 308})
MAX_REDIRECTS = 10


def is_redirect(response: Response) -> bool:
    """Whether the response sends the client somewhere else."""
    return response.status in REDIRECTS and "Location" in response.headers


def follow(request: Request, response: Response, count: int = 0) -> Request | None:
    """Return the request that a redirect asks for, None if the response is none.

    After a 303 the new request is a GET (a HEAD stays one), and so it is for a POST after 301 or 302;
    otherwise method and body are kept. A request without the old body has no headers about it either.
    Credentials stay with the origin (scheme, host and port) they were meant for.
    Raises TooManyRedirects when `count` redirects were followed before and that is the limit.
    """
    if not is_redirect(response):
        return None
    if count >= MAX_REDIRECTS:
        raise TooManyRedirects(f"more than {MAX_REDIRECTS} redirects from {request.url}")
    url = join(request.url, response.headers.get("Location"))
    headers = request.headers.copy()
    method, body = request.method, request.body
    to_get = response.status == 303 and method != "HEAD"
    if to_get or (response.status in (301, 302) and method == "POST"):
        method, body = "GET", b""
        headers.discard("Content-Type", "Content-Length", "Content-Encoding")
    if parse_url(url).origin != parse_url(request.url).origin:
        headers.discard("Authorization", "Cookie")
    return Request(method, url, headers, body)
