"""Gaps: values of a probe that failed are None."""

from collections.abc import Iterable


def present(values: Iterable[float | None]) -> list[float]:
    """Return the values that are there, in order."""
    return [value for value in values if value is not None]


def filled(values: Iterable[float | None]) -> list[float]:
    """Return the values with each gap holding the last value before it; gaps at the beginning are left out."""
    held: list[float] = []
    for value in values:
        if value is not None:
            held.append(value)
        elif held:
            held.append(held[-1])
    return held


def share(values: list[float | None]) -> float:
    """Return the share of gaps among the values; 0 for no values."""
    return (len(values) - len(present(values))) / len(values) if values else 0.0
