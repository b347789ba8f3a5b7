"""What all containers share: exceptions, the marker for absent things, and the rule for indices."""


class KitError(Exception):
    """Base of the exceptions of this library."""


class KitKeyError(KitError, KeyError):
    """There is no such key or element."""


class KitIndexError(KitError, IndexError):
    """There is no such position."""


class KitValueError(KitError, ValueError):
    """An argument that makes no sense."""


class _Missing:
    def __repr__(self):
        return "MISSING"


MISSING = _Missing()


def resolve(index, size):
    """The position from 0 to size - 1 that an index means; negative ones count from the end.

    Raises KitIndexError if the index is out of range.
    """
    position = index + size if index < 0 else index
    if not 0 <= position < size:
        raise KitIndexError(f"index {index} is out of range for {size} elements")
    return position
