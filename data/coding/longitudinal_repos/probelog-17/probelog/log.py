"""The log: readings by channel, each channel in the order of time."""

from bisect import insort

from probelog.clock import minutes, seconds
from probelog.errors import ProbeError, UnknownChannel
from probelog.naming import slug
from probelog.readings import Reading, window


class Log:
    """Readings by channel."""

    def __init__(self) -> None:
        self._channels: dict[str, list[Reading]] = {}
        self._units: dict[str, str] = {}

    def __len__(self) -> int:
        return sum(len(readings) for readings in self._channels.values())

    def record(self, channel: str, minute: float, value: float | None) -> Reading:
        """Add a reading at a minute, in place of one that is there. Raises ProbeError before the start."""
        if minute < 0:
            raise ProbeError("nothing happens before the start")
        reading = Reading(seconds(minute), value)
        readings = self._channels.setdefault(slug(channel), [])
        readings[:] = [other for other in readings if other.at != reading.at]
        insort(readings, reading, key=lambda other: other.at)
        return reading

    def channels(self) -> list[str]:
        """Return what the channels are stored by, in alphabetical order."""
        return sorted(self._channels)

    def readings(self, channel: str) -> list[Reading]:
        """Return all readings of a channel. Raises UnknownChannel."""
        try:
            return list(self._channels[slug(channel)])
        except KeyError:
            raise UnknownChannel(f"no channel {channel}") from None

    def between(self, channel: str, start: float, end: float) -> list[Reading]:
        """Return the readings of a channel in a window of minutes."""
        return window(self.readings(channel), start, end)

    def duration(self, channel: str) -> float:
        """Return the minutes from the first to the last reading of a channel."""
        readings = self.readings(channel)
        return minutes(readings[-1].at - readings[0].at)

    def drop(self, channel: str, start: float, end: float) -> int:
        """Delete the readings of a window; a channel without readings is forgotten. Returns their number."""
        gone = self.between(channel, start, end)
        name = slug(channel)
        self._channels[name] = [reading for reading in self._channels[name] if reading not in gone]
        if not self._channels[name]:
            del self._channels[name]
            self._units.pop(name, None)
        return len(gone)

    def rename(self, old: str, new: str) -> None:
        """Give a channel another name, with its unit. Raises ProbeError for a name that is taken."""
        readings = self.readings(old)
        source, target = slug(old), slug(new)
        if target in self._channels and target != source:
            raise ProbeError(f"there is a channel {new} already")
        del self._channels[source]
        self._channels[target] = readings
        if source in self._units:
            self._units[target] = self._units.pop(source)

    def merge(self, into: str, other: str) -> int:
        """Add the readings of another channel at times that this one has none; the other one is forgotten.

        Returns the number of readings that were added.
        """
        own, foreign = self.readings(into), self.readings(other)
        taken = {reading.at for reading in own}
        added = [reading for reading in foreign if reading.at not in taken]
        self._channels[slug(into)] = sorted(own + added, key=lambda reading: reading.at)
        del self._channels[slug(other)]
        return len(added)

    def set_unit(self, channel: str, unit: str) -> None:
        """Note the unit of a channel. Raises UnknownChannel."""
        self.readings(channel)
        self._units[slug(channel)] = unit

    def unit(self, channel: str) -> str:
        """Return the unit of a channel; "" when none was noted."""
        return self._units.get(slug(channel), "")
