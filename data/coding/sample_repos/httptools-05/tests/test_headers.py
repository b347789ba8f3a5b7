import pytest

from httpkit import BadHeader, Headers
from httpkit.headers import parse_headers
from httpkit.names import fold


@pytest.mark.parametrize("name", ["content-type", "Content-Type"])
def test_fold(name):
    assert fold(name) == "content-type"


@pytest.mark.parametrize("name", ["", "two words", "colon:"])
def test_fold_refuses(name):
    with pytest.raises(BadHeader):
        fold(name)


def test_get_in_any_case():
    headers = Headers([("Content-Type", "text/html")])
    assert headers.get("content-type") == "text/html"
    assert "CONTENT-TYPE" in headers


def test_several_values():
    headers = Headers([("Accept", "a"), ("Host", "h"), ("accept", "b")])
    assert headers.get_all("Accept") == ["a", "b"]
    assert headers.get("Accept") == "a, b"


def test_spelling_is_kept():
    assert list(Headers([("X-API-Key", " 7 ")])) == [("X-API-Key", "7")]


def test_equal_in_any_case():
    assert Headers([("Age", "1")]) == Headers([("AGE", "1")])
    assert Headers([("Age", "1")]) != Headers([("Age", "2")])


def test_no_line_breaks():
    with pytest.raises(BadHeader):
        Headers([("X-Name", "a\r\nSet-Cookie: b=c")])


def test_discard():
    headers = Headers([("Age", "1"), ("Host", "h"), ("age", "2")])
    headers.discard("Age")
    assert list(headers) == [("Host", "h")]


def test_discard_several_names():
    headers = Headers([("Via", "p"), ("ETag", "x"), ("Date", "d")])
    headers.discard("ETAG", "via")
    assert list(headers) == [("Date", "d")]


def test_set_replaces():
    headers = Headers([("Host", "old"), ("Age", "1")])
    headers.set("Host", "new")
    assert headers.get_all("host") == ["new"]


def test_parse_headers():
    headers = parse_headers("Host: h\r\nX-Long: one\r\n  two\r\n\r\n")
    assert list(headers) == [("Host", "h"), ("X-Long", "one two")]
