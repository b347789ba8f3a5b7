"""A priority queue whose priorities can change, and a list that stays sorted."""

import bisect

from collectkit.base import KitIndexError, KitKeyError, KitValueError, resolve


class PriorityQueue:
    """Different items with priorities; the lowest comes first. A binary heap that knows where its items are."""

    def __init__(self, priorities=None):
        self._heap = []  # (priority, item)
        self._places = {}  # item -> index in the heap
        for item, priority in (priorities or {}).items():
            self.push(item, priority)

    def __len__(self):
        return len(self._heap)

    def __contains__(self, item):
        return item in self._places

    def push(self, item, priority):
        """Add an item. Raises KitValueError if it is there already."""
        if item in self._places:
            raise KitValueError(f"{item!r} is in the queue already")
        self._heap.append((priority, item))
        self._places[item] = len(self._heap) - 1
        self._up(len(self._heap) - 1)

    def pop(self):
        """Remove and return the item with the lowest priority. Raises KitIndexError if there is none."""
        if not self._heap:
            raise KitIndexError("the queue is empty")
        item = self._heap[0][1]
        self.remove(item)
        return item

    def remove(self, item):
        """Take an item out, wherever it stands. Raises KitKeyError if it is not there."""
        place = self._place(item)
        last = len(self._heap) - 1
        self._swap(place, last)
        self._heap.pop()
        del self._places[item]
        if place < last:
            self._settle(place)

    def update(self, item, priority):
        """Change the priority of an item. Raises KitKeyError if it is not there."""
        place = self._place(item)
        self._heap[place] = (priority, item)
        self._settle(place)

    def _place(self, item):
        if item not in self._places:
            raise KitKeyError(item)
        return self._places[item]

    def _swap(self, i, j):
        self._heap[i], self._heap[j] = self._heap[j], self._heap[i]
        self._places[self._heap[i][1]] = i
        self._places[self._heap[j][1]] = j

    def _settle(self, place):
        item = self._heap[place][1]
        self._up(place)
        self._down(self._places[item])

    def _up(self, place):
        while place and self._heap[place][0] < self._heap[(place - 1) // 2][0]:
            self._swap(place, (place - 1) // 2)
            place = (place - 1) // 2

    def _down(self, place):
        while 2 * place + 1 < len(self._heap):
            child = 2 * place + 1
            if child + 1 < len(self._heap) and self._heap[child + 1][0] < self._heap[child][0]:
                child += 1
            if self._heap[place][0] <= self._heap[child][0]:
                break
            self._swap(place, child)
            place = child


class SortedList:
    """Values in ascending order, equal ones included."""

    def __init__(self, values=()):
        self._values = sorted(values)

    def __len__(self):
        return len(self._values)

    def __iter__(self):
        return iter(self._values)

    def __getitem__(self, index):
        return self._values[resolve(index, len(self))]

    def add(self, value):
        """Add a value after the ones it is equal to."""
        bisect.insort_right(self._values, value)

    def discard(self, value):
        """Remove one value if it is there; returns whether it was."""
        place = bisect.bisect_left(self._values, value)
        if place < len(self) and self._values[place] == value:
            del self._values[place]
            return True
        return False

    def between(self, low, high):
        """The values from low to high, both included."""
        start = bisect.bisect_left(self._values, low)
        stop = bisect.bisect_right(self._values, high)
        return self._values[start:stop]

    def rank(self, value):
        """How many values are smaller."""
        return bisect.bisect_left(self._values, value)
