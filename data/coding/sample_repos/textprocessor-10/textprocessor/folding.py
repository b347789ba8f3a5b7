"""When two words count as the same, and other ways to rewrite a word."""

import re
import unicodedata


def fold(text):
    """The form in which words are compared: without case, accents and compatibility variants."""
    decomposed = unicodedata.normalize("NFKD", text.casefold())
    return "".join(character for character in decomposed if not unicodedata.combining(character))


def same_word(a, b):
    """True if two words differ in case or accents at most."""
    return fold(a) == fold(b)


def slug(title, separator="-"):
    """A title as part of a web address."""
    return separator.join(re.findall(r"[a-z0-9]+", fold(title)))


def snake_case(name):
    """CamelCase to snake_case; a run of capitals counts as one word."""
    name = re.sub(r"([A-Z]+)([A-Z][a-z])", r"\1_\2", name)
    return re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", name).lower()


def camel_case(name):
    """snake_case to camelCase."""
    first, *rest = name.split("_")
    return first.lower() + "".join(part.capitalize() for part in rest)
