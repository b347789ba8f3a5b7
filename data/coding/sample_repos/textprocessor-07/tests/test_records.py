import pytest
from textprocessor import records
from textprocessor.errors import TextError


def test_split_plain():
    assert records.split_record("a,b,c") == ["a", "b", "c"]


def test_split_empty_fields():
    assert records.split_record("a,,") == ["a", "", ""]


def test_split_separator_in_quotes():
    assert records.split_record('"Doe, Jane",42') == ["Doe, Jane", "42"]


def test_split_quote_inside():
    assert records.split_record('"say ""hi""",1') == ['say "hi"', "1"]


def test_split_only_a_quote():
    assert records.split_record('"""",x') == ['"', "x"]


def test_split_not_closed():
    with pytest.raises(TextError):
        records.split_record('"abc,def')


def test_join_quotes_when_needed():
    assert records.join_record(["a,b", "c"]) == '"a,b",c'


def test_join_and_split():
    fields = ['5" nails', "a;b", ""]
    assert records.split_record(records.join_record(fields, ";"), ";") == fields


def test_header():
    headers = records.Headers("Subject: Hello: again\nTo:  me ")
    assert headers.get("Subject") == "Hello: again"
    assert headers.get("To") == "me"


def test_header_default():
    assert records.Headers("To: me").get("Cc", "nobody") == "nobody"


def test_header_name_in_other_case():
    assert records.Headers("Content-Type: text").get("content-type") == "text"


def test_header_last_value_counts():
    headers = records.Headers("X: 1\nx: 2")
    assert headers.get("X") == "2"
    assert headers.names() == ["x"]


def test_header_with_umlaut():
    assert records.Headers("Empfänger: Bo").get("EMPFANGER") == "Bo"


def test_header_without_colon():
    with pytest.raises(TextError):
        records.Headers("nonsense")
