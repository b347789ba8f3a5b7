"""Helpers for iterables."""

from collectkit.base import MISSING, KitValueError


def first(iterable, default=MISSING):
    """The first element; of an empty iterable the default, or KitValueError if none is given."""
    for element in iterable:
        return element
    if default is MISSING:
        raise KitValueError("the iterable is empty")
    return default


def chunks(iterable, size):
    """Lists of ``size`` elements; the last one may be shorter."""
    if size < 1:
        raise KitValueError("the size is at least 1")
    chunk = []
    for element in iterable:
        chunk.append(element)
        if len(chunk) == size:
            yield chunk
            chunk = []
    if chunk:
        yield chunk


def windows(iterable, size):
    """Tuples of ``size`` neighbouring elements."""
    elements = list(iterable)
    return [tuple(elements[start : start + size]) for start in range(len(elements) - size + 1)]


def runs(iterable):
    """(element, how many times in a row) of neighbouring equal elements."""
    found = []
    previous = MISSING
    for element in iterable:
        if previous is not MISSING and element == previous:
            found[-1] = (element, found[-1][1] + 1)
        else:
            found.append((element, 1))
        previous = element
    return found


def group(iterable, key):
    """Dictionary of key -> elements, both in order of occurrence."""
    groups = {}
    for element in iterable:
        groups.setdefault(key(element), []).append(element)
    return groups


def partition(iterable, condition):
    """Two lists: the elements that meet the condition, and the others."""
    met, others = [], []
    for element in iterable:
        (met if condition(element) else others).append(element)
    return met, others
