import pytest

from httpkit import Headers, Request, Response
from httpkit.cookies import Jar, parse_set_cookie
from httpkit.retry import backoff, delay, should_retry

URL = "http://shop.example/cart/"


def busy(seconds):
    return Response(503, Headers([("Retry-After", seconds)]))


def test_session_cookie():
    cookie = parse_set_cookie('id="7"; Path=/cart', URL, 0)
    assert (cookie.name, cookie.value, cookie.path) == ("id", "7", "/cart")
    assert (cookie.domain, cookie.host_only, cookie.expires) == ("shop.example", True, None)


def test_jar_sends_back():
    jar = Jar()
    jar.store("id=7", URL, 0)
    jar.store("lang=de; Path=/cart", URL, 0)
    assert jar.header(URL, 0) == "lang=de; id=7"


def test_cookie_expires():
    jar = Jar()
    jar.store("id=7; Max-Age=60", URL, 1_000)
    assert jar.header(URL, 60_999) == "id=7"
    assert jar.header(URL, 61_000) == ""


@pytest.mark.parametrize(
    ("url", "sent"),
    [
        ("http://shop.example/cart/x", True),
        ("http://shop.example/cart", True),
        ("http://shop.example/cartoon", False),
        ("http://www.shop.example/cart", False),
    ],
)
def test_cookie_path_and_host(url, sent):
    assert parse_set_cookie("id=7; Path=/cart", URL, 0).matches(url) is sent


def test_cookie_of_a_domain():
    cookie = parse_set_cookie("id=7; Domain=.Shop.example", URL, 0)
    assert cookie.matches("http://www.shop.example/")
    assert not cookie.matches("http://workshop.example/")


def test_secure_cookie():
    cookie = parse_set_cookie("id=7; Secure", "https://shop.example/", 0)
    assert not cookie.matches("http://shop.example/")
    assert cookie.matches("https://shop.example/")


def test_backoff_doubles_up_to_a_limit():
    assert [backoff(attempt) for attempt in (1, 2, 3)] == [200, 400, 800]
    assert backoff(20) == 30_000


def test_delay_without_retry_after():
    assert delay(Response(503), 2) == 400


def test_delay_of_retry_after():
    assert delay(busy("5"), 1) == 5_000


def test_delay_of_long_retry_after():
    assert delay(busy("120"), 3) == 120_000


def test_should_retry():
    get, post = Request("GET", URL), Request("POST", URL)
    assert should_retry(get, Response(503), 1)
    assert not should_retry(get, Response(500), 1)
    assert not should_retry(post, Response(503), 1)
    assert should_retry(post, Response(429), 1)
    assert not should_retry(get, Response(503), 3)


@pytest.fixture
def jar():
    """A cookie that stays and one that ends after 60 seconds, in two domains."""
    jar = Jar()
    jar.store("id=7; Path=/", URL, 0)
    jar.store("ad=x; Path=/; Domain=shop.example; Max-Age=60; Secure", "https://ads.shop.example/", 0)
    return jar


def test_count(jar):
    assert jar.count(59_999) == 2


def test_count_without_expired(jar):
    assert jar.count(60_000) == 1


def test_count_without_expired_in_an_empty_jar():
    jar = Jar()
    jar.store("id=7; Max-Age=1", URL, 0)
    assert (jar.count(999), jar.count(1_000)) == (1, 0)


def test_forget(jar):
    jar.store("id=8", "http://other.example/", 0)
    assert jar.forget("Shop.example", 0) == 2
    assert jar.count(0) == 1


def test_forget_does_not_count_expired(jar):
    assert jar.forget("shop.example", 60_000) == 1


def test_lines(jar):
    assert jar.lines(15_000) == [
        ".shop.example\t/\tsecure\t45\tad\tx",
        "shop.example\t/\tany\t-\tid\t7",
    ]


def test_lines_without_expired(jar):
    assert jar.lines(61_000) == ["shop.example\t/\tany\t-\tid\t7"]


def test_no_line_at_the_end_of_a_cookie(jar):
    assert len(jar.lines(60_000)) == 1
