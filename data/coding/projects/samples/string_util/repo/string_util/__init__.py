"""Small helpers for text."""

from string_util.words import count_vowels, is_palindrome, shorten

__all__ = ["count_vowels", "is_palindrome", "shorten"]
