import pytest

from httpkit import BadUrl, Headers, Request, Response, TooManyRedirects, follow
from httpkit.urls import join, parse_url

BASE = "http://shop.example/a/b?x=1"


def redirect(status, location="/next"):
    return Response(status, Headers([("Location", location)]))


def upload(method="POST"):
    headers = Headers(
        [
            ("Content-Type", "text/plain"),
            ("Content-Length", "5"),
            ("Authorization", "Basic eA=="),
            ("Accept", "*/*"),
        ]
    )
    return Request(method, "https://shop.example/order", headers, b"hello")


def test_parse_url():
    url = parse_url("HTTPS://Shop.Example:8443/List?q=A#top")
    assert (url.scheme, url.host, url.port) == ("https", "shop.example", 8443)
    assert (url.path, url.query) == ("/List", "q=A")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("http://shop.example:80/a", "http://shop.example/a"),
        ("https://shop.example:80?q", "https://shop.example:80/?q"),
        ("http://shop.example/a/./b/../c", "http://shop.example/a/c"),
    ],
)
def test_url_text(text, expected):
    assert str(parse_url(text)) == expected


@pytest.mark.parametrize("text", ["shop.example", "ftp://shop.example", "http://"])
def test_bad_urls(text):
    with pytest.raises(BadUrl):
        parse_url(text)


@pytest.mark.parametrize(
    ("reference", "expected"),
    [
        ("c", "http://shop.example/a/c"),
        ("/c?y=2", "http://shop.example/c?y=2"),
        ("../../c", "http://shop.example/c"),
        ("..", "http://shop.example/"),
        ("//cdn.example/x", "http://cdn.example/x"),
        ("https://other.example", "https://other.example/"),
    ],
)
def test_join(reference, expected):
    assert join(BASE, reference) == expected


def test_no_redirect():
    assert follow(upload(), redirect(200)) is None
    assert follow(upload(), Response(302)) is None


@pytest.mark.parametrize("status", [307, 308])
def test_redirect_that_keeps_the_method(status):
    request = follow(upload(), redirect(status))
    assert (request.method, request.body) == ("POST", b"hello")
    assert request.url == "https://shop.example/next"
    assert request.headers == upload().headers


@pytest.mark.parametrize("status", [301, 302, 303])
def test_post_becomes_get(status):
    assert follow(upload(), redirect(status)).method == "GET"


def test_see_other_sends_no_body():
    assert follow(upload(), redirect(303)).body == b""


def test_found_sends_no_body():
    assert follow(upload(), redirect(302)).body == b""


def test_new_get_has_no_content_headers():
    headers = follow(upload(), redirect(303)).headers
    assert [name for name, _ in headers] == ["Authorization", "Accept"]


def test_put_is_repeated_when_moved():
    request = follow(upload("PUT"), redirect(301))
    assert (request.method, request.body) == ("PUT", b"hello")


def test_put_is_not_repeated_after_see_other():
    request = follow(upload("PUT"), redirect(303))
    assert (request.method, request.body) == ("GET", b"")
    assert "content-length" not in request.headers


@pytest.mark.parametrize("location", ["https://evil.example/", "http://shop.example/", "//shop.example:99/"])
def test_credentials_stay_home(location):
    assert "Authorization" not in follow(upload(), redirect(307, location)).headers


def test_credentials_within_the_origin():
    request = follow(upload(), redirect(307, "https://SHOP.example:443/x"))
    assert request.headers.get("Authorization") == "Basic eA=="


def test_too_many_redirects():
    assert follow(upload(), redirect(307), count=9)
    with pytest.raises(TooManyRedirects):
        follow(upload(), redirect(307), count=10)
