"""Units and calibrations."""

from probelog.errors import ProbeError, UnknownUnit
from probelog.naming import slug
from probelog.readings import Reading

# What a unit's value has to be multiplied with, and what added then, to be in the base unit.
_TO_BASE = {
    "c": ("k", 1.0, 273.15),
    "f": ("k", 5 / 9, 459.67 * 5 / 9),
    "k": ("k", 1.0, 0.0),
    "mbar": ("pa", 100.0, 0.0),
    "bar": ("pa", 100_000.0, 0.0),
    "pa": ("pa", 1.0, 0.0),
}


def convert(value: float, old: str, new: str) -> float:
    """Convert a value between units, rounded to six places. Raises UnknownUnit."""
    try:
        base, factor, offset = _TO_BASE[old.casefold()]
        target, divisor, shift = _TO_BASE[new.casefold()]
    except KeyError as error:
        raise UnknownUnit(f"no unit {error}") from None
    if base != target:
        raise UnknownUnit(f"no way from {old} to {new}")
    return round((value * factor + offset - shift) / divisor, 6)


class Calibration:
    """Corrections by channel: true value = gain x value + offset."""

    def __init__(self) -> None:
        self._lines: dict[str, tuple[float, float]] = {}

    def set(self, channel: str, gain: float, offset: float) -> None:
        """Note the correction of a channel."""
        self._lines[slug(channel)] = (gain, offset)

    def two_points(self, channel: str, low: tuple[float, float], high: tuple[float, float]) -> None:
        """Derive the correction from two pairs of shown and true value. Raises ProbeError for equal shown values."""
        (shown_low, true_low), (shown_high, true_high) = low, high
        if shown_low == shown_high:
            raise ProbeError("two different values are needed")
        gain = (true_high - true_low) / (shown_high - shown_low)
        self.set(channel, gain, true_low - gain * shown_low)

    def apply(self, channel: str, readings: list[Reading]) -> list[Reading]:
        """Return corrected readings; gaps stay gaps, and a channel without a correction stays as it is."""
        gain, offset = self._lines.get(slug(channel), (1.0, 0.0))
        return [
            Reading(r.at, None if r.value is None else round(gain * r.value + offset, 6)) for r in readings
        ]
