import pytest
from textprocessor import layout
from textprocessor.errors import TextError


def test_width():
    assert layout.width("abc") == 3
    assert layout.width("日本") == 4
    assert layout.width("e\u0301") == 1


def test_widest():
    assert layout.widest(["a", "abc", "ab"]) == 3


def test_widest_with_wide_characters():
    assert layout.widest(["abc", "日本"]) == 4


def test_widest_with_combining_marks():
    assert layout.widest(["e\u0301te\u0301", "ab"]) == 3


def test_widest_of_nothing():
    assert layout.widest([]) == 0


def test_pad_left():
    assert layout.pad("ab", 4) == "ab  "


def test_pad_center():
    assert layout.pad("ab", 5, "center") == " ab  "


def test_pad_too_wide():
    assert layout.pad("abcdef", 3) == "abcdef"


def test_pad_wide_characters():
    assert layout.pad("日本", 6) == "日本  "


def test_pad_combining_marks():
    assert layout.pad("e\u0301te\u0301", 5, "right") == "  e\u0301te\u0301"


def test_pad_unknown_alignment():
    with pytest.raises(TextError):
        layout.pad("a", 3, "middle")


def test_cut():
    assert layout.cut("abcdef", 4) == "abc…"


def test_cut_fits():
    assert layout.cut("abcd", 4) == "abcd"


def test_cut_wide_characters():
    assert layout.cut("日本語", 5) == "日本…"


def test_wrap():
    assert layout.wrap("the quick brown fox", 10) == ["the quick", "brown fox"]


def test_wrap_long_word():
    assert layout.wrap("a extraordinary b", 5) == ["a", "extraordinary", "b"]


def test_wrap_nothing():
    assert layout.wrap("  ", 5) == []


def test_wrap_wide_words():
    assert layout.wrap("日本 東京 大阪", 9) == ["日本 東京", "大阪"]


def test_wrap_single_wide_words():
    assert layout.wrap("東京 大阪", 8) == ["東京", "大阪"]


def test_table():
    assert layout.table([["tea", 5], ["coffee", 12]]) == "tea      5\ncoffee  12"


def test_table_wide_cells():
    assert layout.table([["日本", "x"], ["abc", "y"]]) == "日本  x\nabc   y"


def test_indent_skips_blank_lines():
    assert layout.indent("a\n\nb", "> ") == "> a\n\n> b"


def test_dedent():
    assert layout.dedent("  a\n    b\n  c") == "a\n  b\nc"


def test_dedent_empty_line():
    assert layout.dedent("    a\n\n    b") == "a\n\nb"


def test_dedent_short_blank_line():
    assert layout.dedent("    a\n  \n    b") == "a\n\nb"


def test_dedent_last_line_blank():
    assert layout.dedent("  if x:\n    y\n ") == "if x:\n  y\n"


def test_framed():
    assert layout.framed("ab\nc") == "┌────┐\n│ ab │\n│ c  │\n└────┘"


def test_framed_with_title():
    assert layout.framed("some text", "Note") == "┌─ Note ────┐\n│ some text │\n└───────────┘"


def test_framed_cuts():
    assert layout.framed("a long line", columns=9) == "┌───────┐\n│ a lo… │\n└───────┘"


def test_framed_with_wide_title():
    assert layout.framed("some text", "日本") == "┌─ 日本 ────┐\n│ some text │\n└───────────┘"


def test_framed_with_combining_marks():
    top, _, bottom = layout.framed("x", "e\u0301te\u0301").split("\n")
    assert layout.width(top) == layout.width(bottom)


def test_framed_without_room():
    with pytest.raises(TextError):
        layout.framed("a", columns=4)
