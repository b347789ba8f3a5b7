import pytest
from textprocessor import folding


@pytest.mark.parametrize(("text", "key"), [("Café", "cafe"), ("STRASSE", "strasse"), ("Straße", "strasse"), ("ﬁn", "fin")])
def test_fold(text, key):
    assert folding.fold(text) == key


def test_same_word():
    assert folding.same_word("Élan", "elan")
    assert not folding.same_word("elan", "plan")


def test_slug():
    assert folding.slug("Crème brûlée, 2 ways!") == "creme-brulee-2-ways"


def test_snake_case():
    assert folding.snake_case("parseHTTPHeader") == "parse_http_header"


def test_camel_case():
    assert folding.camel_case("parse_http_header") == "parseHttpHeader"
