"""A buffer of fixed capacity that forgets its oldest elements."""

from collectkit.base import KitIndexError, KitValueError, resolve


class RingBuffer:
    """Elements from the oldest to the newest; appending to a full buffer drops the oldest."""

    def __init__(self, capacity, elements=()):
        if capacity < 1:
            raise KitValueError("the capacity is at least 1")
        self._slots = [None] * capacity
        self._start = 0
        self._count = 0
        for element in elements:
            self.append(element)

    def __len__(self):
        return self._count

    def __iter__(self):
        for offset in range(self._count):
            yield self._slots[(self._start + offset) % self.capacity]

    def __getitem__(self, index):
        position = resolve(index, self._count)
        return self._slots[(self._start + position) % self.capacity]

    @property
    def capacity(self):
        """How many elements fit."""
        return len(self._slots)

    def append(self, element):
        """Add the newest element."""
        self._slots[(self._start + self._count) % self.capacity] = element
        if self._count == self.capacity:
            self._start = (self._start + 1) % self.capacity
        else:
            self._count += 1

    def popleft(self):
        """Remove and return the oldest element. Raises KitIndexError if there is none."""
        if not self._count:
            raise KitIndexError("the buffer is empty")
        element = self._slots[self._start]
        self._slots[self._start] = None
        self._start = (self._start + 1) % self.capacity
        self._count -= 1
        return element

    def resize(self, capacity):
        """Change the capacity; if not everything fits any more, the newest elements stay."""
        if capacity < 1:
            raise KitValueError("the capacity is at least 1")
        kept = list(self)[-capacity:]
        self._slots = kept + [None] * (capacity - len(kept))
        self._start = 0
        self._count = len(kept)
