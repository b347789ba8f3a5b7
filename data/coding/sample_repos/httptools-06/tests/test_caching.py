import pytest

from httpkit import Headers, Response
from httpkit.caching import age_header, age_ms, cache_key, decide, end_to_end, is_fresh, may_store

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


def test_age_on_arrival():
    assert age_ms(stored(("Age", "30")), 0) == 30_000


def test_age_header():
    assert age_header(stored(received=100), 3_050) == "2"


def test_age_header_adds_up():
    assert age_header(stored(("Age", "30"), received=1_000), 13_000) == "42"


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


def decision(control, now, *, wish=""):
    asked = Headers([("Cache-Control", wish)]) if wish else None
    return decide(stored(("Cache-Control", control)), now, asked)


def test_decide_by_max_age():
    assert decision("max-age=60", 59_999) == "use"
    assert decision("max-age=60", 60_000) == "ask"
    assert decision("public", 0) == "ask"


def test_decide_by_wishes():
    assert decision("max-age=60", 30_000, wish="max-age=30") == "ask"
    assert decision("max-age=60", 30_000, wish="no-cache") == "ask"
    assert decision("max-age=60", 90_000, wish="max-stale=30") == "use"
    assert decision("max-age=60", 90_001, wish="max-stale=30") == "ask"
    assert decision("max-age=60", 900_000, wish="max-stale") == "use"


def test_decide_for_fresh_answers_only():
    assert decision("max-age=60", 49_999, wish="min-fresh=10") == "use"
    assert decision("max-age=60", 50_000, wish="min-fresh=10") == "ask"


def test_decide_while_revalidating():
    assert decision("max-age=60, stale-while-revalidate=20", 75_000) == "use and refresh"
    assert decision("max-age=60, stale-while-revalidate=20", 80_000) == "ask"


def test_decide_at_the_end_of_revalidating():
    assert decision("max-age=60, stale-while-revalidate=20", 79_999) == "use and refresh"


def test_decide_must_revalidate():
    assert decision("max-age=60, must-revalidate, stale-while-revalidate=20", 61_000) == "ask"
