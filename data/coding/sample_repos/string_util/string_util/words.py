"""Questions about words, and ways to cut them."""


def is_palindrome(text):
    """True if the letters read the same both ways; case and everything but letters are ignored."""
    letters = [character for character in text if character.isalpha()]
    return letters == letters[::-1]


def count_vowels(text):
    """How many of a, e, i, o, u occur, in either case."""
    return sum(1 for character in text.lower() if character in "aeiou")


def shorten(text, width):
    """At most ``width`` characters; a text that is cut ends with three dots, which count."""
    if len(text) <= width:
        return text
    return text[: width - 3] + "..."
