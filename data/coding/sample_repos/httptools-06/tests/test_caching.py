import pytest

from httpkit import Headers, Response
from httpkit.caching import age_header, age_ms, cache_key, end_to_end, is_fresh, may_store

URL = "http://shop.example/"


def stored(*fields, received=0):
    return Response(200, Headers(fields), received=received)


def test_may_store():
    assert may_store(stored())
    assert not may_store(stored(("Cache-Control", "no-store")))
    assert not may_store(Response(500))


def test_fresh_until_max_age():
    response = stored(("Cache-Control", "max-age=60"), received=5_000)
    assert is_fresh(response, 64_999)
    assert not is_fresh(response, 65_000)


@pytest.mark.parametrize("value", ["", "public", "max-age=60, no-cache"])
def test_never_fresh(value):
    assert not is_fresh(stored(("Cache-Control", value)), 0)


def test_age_grows():
    assert age_ms(stored(received=5_000), 7_500) == 2_500


def test_age_header():
    assert age_header(stored(received=100), 3_050) == "2"


def test_old_on_arrival():
    response = stored(("Cache-Control", "max-age=60"), ("Age", "50"), received=0)
    assert is_fresh(response, 9_000)
    assert not is_fresh(response, 11_000)


def test_cache_key_has_the_values():
    key = cache_key(URL, Headers([("Accept-Language", "de")]), Headers([("Vary", "accept-language")]))
    assert key == (URL, ("accept-language", "de"))


def test_cache_key_of_either_spelling():
    request = Headers([("Accept-Language", "de")])
    first = cache_key(URL, request, Headers([("Vary", "Accept-Language")]))
    assert first == cache_key(URL, request, Headers([("Vary", "accept-language")]))


def test_cache_key_names_each_header_once():
    request = Headers([("Accept", "a"), ("Accept-Encoding", "gzip")])
    vary = Headers([("Vary", "accept-encoding, Accept"), ("Vary", "Accept-Encoding")])
    assert cache_key(URL, request, vary) == (URL, ("accept", "a"), ("accept-encoding", "gzip"))


def test_end_to_end():
    headers = Headers([("Connection", "close, X-Trace"), ("X-Trace", "1"), ("TE", "trailers"), ("ETag", "x")])
    assert list(end_to_end(headers)) == [("ETag", "x")]
