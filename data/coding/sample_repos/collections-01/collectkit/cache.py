"""A cache that drops what has not been used for longest."""

from collectkit.base import MISSING, KitKeyError, KitValueError


class Cache:
    """At most ``capacity`` entries; reading an entry counts as use."""

    def __init__(self, capacity):
        if capacity < 1:
            raise KitValueError("the capacity is at least 1")
        self.capacity = capacity
        self.hits = 0
        self.misses = 0
        self._entries = {}  # least recently used first

    def __len__(self):
        return len(self._entries)

    def __contains__(self, key):
        return key in self._entries

    def _touch(self, key):
        value = self._entries.pop(key, MISSING)
        if value is not MISSING:
            self._entries[key] = value
        return value

    def put(self, key, value):
        """Store a value; the least recently used entry makes room if necessary."""
        self._entries.pop(key, None)
        self._entries[key] = value
        if len(self._entries) > self.capacity:
            del self._entries[next(iter(self._entries))]

    def get(self, key, default=MISSING):
        """The value of a key; without a default, KitKeyError if it is not there."""
        value = self._touch(key)
        if value is not MISSING:
            self.hits += 1
            return value
        self.misses += 1
        if default is MISSING:
            raise KitKeyError(key)
        return default

    def get_or_compute(self, key, compute):
        """The value of a key; if it is not there, ``compute(key)``, which is stored."""
        value = self._touch(key)
        if value is MISSING:
            self.misses += 1
            value = compute(key)
            self.put(key, value)
        else:
            self.hits += 1
        return value
