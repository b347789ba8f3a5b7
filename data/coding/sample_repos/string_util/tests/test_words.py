from string_util import count_vowels, is_palindrome, shorten


def test_palindrome_word():
    assert is_palindrome("level")


def test_palindrome_mixed_case():
    assert is_palindrome("Anna")


def test_no_palindrome():
    assert not is_palindrome("python")


def test_vowels():
    assert count_vowels("Education") == 5


def test_shorten_short_text():
    assert shorten("abc", 5) == "abc"


def test_shorten_long_text():
    assert shorten("abcdefgh", 6) == "abc..."
