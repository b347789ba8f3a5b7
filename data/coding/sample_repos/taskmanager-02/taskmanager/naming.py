"""Names as people type them, and the keys they are stored under."""

from taskmanager.errors import InvalidName


def key(name: str) -> str:
    """Return the canonical key of a label or a person's name.

    Case and the amount of white space do not matter: "Home  Office" and "home office" are both
    "home-office". A key is its own key. Raises InvalidName for an empty name.
    """
    words = name.casefold().split()
    if not words:
        raise InvalidName("a name needs at least one visible character")
    return "-".join(words)


def keys(names) -> set[str]:
    """Return the set of keys of several names."""
    return {key(name) for name in names}
