"""A doubly linked list."""

from collectkit.base import resolve


class _Node:
    __slots__ = ("after", "before", "value")

    def __init__(self, value):
        self.value = value
        self.before = self.after = self


class LinkedList:
    """A sequence with cheap insertion and removal at both ends."""

    def __init__(self, values=()):
        self._ring = _Node(None)  # stands before the first and after the last element
        self._size = 0
        for value in values:
            self.append(value)

    def __len__(self):
        return self._size

    def __iter__(self):
        node = self._ring.after
        while node is not self._ring:
            yield node.value
            node = node.after

    def __reversed__(self):
        node = self._ring.before
        while node is not self._ring:
            yield node.value
            node = node.before

    def __getitem__(self, index):
        return self._node(resolve(index, self._size)).value

    def __setitem__(self, index, value):
        self._node(resolve(index, self._size)).value = value

    def _node(self, position):
        node = self._ring.after
        for _ in range(position):
            node = node.after
        return node

    def _link(self, value, after):
        node = _Node(value)
        node.before, node.after = after.before, after
        after.before.after = after.before = node
        self._size += 1

    def append(self, value):
        """Add a value at the end."""
        self._link(value, after=self._ring)

    def insert(self, index, value):
        """Insert a value before a position; the size of the list means its end."""
        self._link(value, after=self._node(resolve(index, self._size + 1)))

    def pop(self, index=-1):
        """Remove and return the value at a position, the last one by default."""
        node = self._node(index)
        node.before.after, node.after.before = node.after, node.before
        self._size -= 1
        return node.value

    def move(self, index, target):
        """Move the value at a position so that it stands at another one; the others keep their order."""
        position = resolve(index, self._size)
        goal = resolve(target, self._size)
        if position == goal:
            return
        node = self._node(position)
        node.before.after, node.after.before = node.after, node.before
        after = self._ring.after
        for _ in range(goal):
            after = after.after
        node.before, node.after = after.before, after
        after.before.after = after.before = node

    def reverse(self):
        """Turn the order round, in place."""
        node = self._ring
        for _ in range(self._size + 1):
            node.before, node.after = node.after, node.before
            node = node.before
