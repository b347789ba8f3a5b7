import pytest

from httpkit import BadHeader, RangeNotSatisfiable
from httpkit.negotiate import choose, quality_of
from httpkit.ranges import content_range, parse_range


def test_range():
    assert parse_range("bytes=0-499", 1000) == [(0, 500)]


def test_range_is_cut_at_the_end():
    assert parse_range("bytes=900-1999", 1000) == [(900, 1000)]


def test_last_bytes():
    assert parse_range("bytes=-300", 1000) == [(700, 1000)]


def test_last_byte():
    body = b"0123456789"
    [(start, stop)] = parse_range("bytes=-1", len(body))
    assert body[start:stop] == b"9"


def test_first_and_last_bytes():
    assert parse_range("bytes=0-9, -10", 100) == [(0, 10), (90, 100)]


def test_range_behind_the_end_is_left_out():
    assert parse_range("bytes=0-1,50-60", 10) == [(0, 2)]


@pytest.mark.parametrize("value", ["bytes=10-20", "bytes=10-"])
def test_range_not_satisfiable(value):
    with pytest.raises(RangeNotSatisfiable):
        parse_range(value, 10)


def test_no_last_bytes_are_not_satisfiable():
    with pytest.raises(RangeNotSatisfiable):
        parse_range("bytes=-0", 10)


@pytest.mark.parametrize("value", ["items=0-1", "bytes=-", "bytes=5-2", "bytes=a-b"])
def test_bad_range(value):
    with pytest.raises(BadHeader):
        parse_range(value, 10)


def test_content_range():
    assert content_range(0, 500, 1000) == "bytes 0-499/1000"


def test_specific_range_decides():
    accept = "*/*;q=0.1, text/*;q=0.5, text/html;q=0.2"
    assert quality_of("text/html", accept) == 0.2
    assert quality_of("text/plain", accept) == 0.5
    assert quality_of("image/png", accept) == 0.1


def test_choose():
    assert (
        choose(["text/html", "application/json"], "application/json, text/html;q=0.9") == "application/json"
    )


def test_choose_first_of_equals():
    assert choose(["text/html", "text/plain"], "text/*") == "text/html"


def test_choose_nothing():
    assert choose(["text/html"], "image/png") is None


def test_choose_nothing_excluded():
    assert choose(["text/html"], "text/html;q=0, image/png") is None


def test_choose_around_an_exclusion():
    assert choose(["image/webp", "image/png"], "image/*;q=0.3, image/webp;q=0") == "image/png"


def test_choose_when_all_is_excluded():
    assert choose(["image/webp", "image/png"], "*/*;q=0.0") is None
