import pytest
from textprocessor import tokens
from textprocessor.errors import TextError
from textprocessor.tokens import Span


def test_tokenize_spans():
    text = "Don't stop, well-known band"
    assert [token.span.of(text) for token in tokens.tokenize(text)] == ["Don't", "stop", "well-known", "band"]


def test_words_without_punctuation():
    assert tokens.words("One, two - three_four") == ["One", "two", "three", "four"]


def test_touching_spans_do_not_overlap():
    assert not Span(0, 3).overlaps(Span(3, 5))


def test_spans_overlap():
    assert Span(0, 3).overlaps(Span(2, 5))
    assert Span(2, 5).overlaps(Span(0, 3))


def test_span_outside():
    with pytest.raises(TextError):
        Span(2, 9).of("short")


def test_sentences():
    assert tokens.sentences("It works. Does it? Yes!") == ["It works.", "Does it?", "Yes!"]


def test_sentences_with_abbreviation():
    assert tokens.sentences("Dr. Who came. He left") == ["Dr. Who came.", "He left"]


def test_no_sentence():
    assert tokens.sentences("  ") == []


def test_merge_spans():
    assert tokens.merge_spans([Span(5, 8), Span(0, 2), Span(2, 4), Span(6, 7)]) == [Span(0, 4), Span(5, 8)]


def test_redact():
    assert tokens.redact("call 555 now", [Span(5, 8)]) == "call *** now"
