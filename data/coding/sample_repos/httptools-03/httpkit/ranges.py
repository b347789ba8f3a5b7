"""Byte ranges: the Range and Content-Range headers."""

import re

from httpkit.errors import BadHeader, RangeNotSatisfiable
from httpkit.names import split_list

_RANGE = re.compile(r"(\d*)-(\d*)")


def parse_range(value: str, size: int) -> list[tuple[int, int]]:
    """Return the (start, stop) pairs that a Range header asks for of a body of `size` bytes.

    The three forms of the header are "first-last", "first-" and "-length". Parts beyond the end are
    cut off, ranges that lie completely behind it are left out. Raises BadHeader for anything that is
    no byte range, RangeNotSatisfiable if nothing is left.
    """
    unit, equals, specs = value.partition("=")
    if unit.strip().lower() != "bytes" or not equals:
        raise BadHeader(f"not a byte range: {value!r}")
    found = [_resolve(spec, size) for spec in split_list(specs)]
    if not found:
        raise BadHeader(f"an empty byte range: {value!r}")
    ranges = [(start, stop) for start, stop in found if start < stop]
    if not ranges:
        raise RangeNotSatisfiable(f"{value!r} of {size} bytes")
    return ranges


def _resolve(spec: str, size: int) -> tuple[int, int]:
    match = _RANGE.fullmatch(spec)
    if not match or spec == "-":
        raise BadHeader(f"not a byte range: {spec!r}")
    first, last = match.groups()
    if not first:
        return max(0, size - int(last)), size
    start = int(first)
    stop = int(last) + 1 if last else size
    if last and stop <= start:
        raise BadHeader(f"a range that ends before it starts: {spec!r}")
    return start, min(stop, size)


def content_range(start: int, stop: int, size: int) -> str:
    """Return the Content-Range value for the part `body[start:stop]` of a body of `size` bytes."""
    return f"bytes {start}-{stop - 1}/{size}"
