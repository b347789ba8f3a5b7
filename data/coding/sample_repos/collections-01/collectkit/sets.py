"""A set that keeps the order of insertion, and disjoint sets."""

from collectkit.base import KitKeyError, resolve


class OrderedSet:
    """Different elements in the order in which they came."""

    def __init__(self, elements=()):
        self._elements = dict.fromkeys(elements)

    def __len__(self):
        return len(self._elements)

    def __iter__(self):
        return iter(self._elements)

    def __contains__(self, element):
        return element in self._elements

    def __eq__(self, other):
        return isinstance(other, OrderedSet) and list(self) == list(other)

    __hash__ = None

    def __getitem__(self, index):
        return list(self._elements)[resolve(index, len(self))]

    def add(self, element):
        """Add an element at the end; one that is there already keeps its place."""
        self._elements.setdefault(element)

    def remove(self, element):
        """Remove an element. Raises KitKeyError if it is not there."""
        if element not in self._elements:
            raise KitKeyError(element)
        del self._elements[element]

    def union(self, other):
        """All elements, the own ones first."""
        return OrderedSet([*self, *other])

    def intersection(self, other):
        """The elements in both, in the own order."""
        others = set(other)
        return OrderedSet(element for element in self if element in others)

    def is_subset(self, other):
        """True if all own elements are in the other set."""
        return all(element in other for element in self)


class DisjointSets:
    """Groups of elements that can be joined."""

    def __init__(self, elements=()):
        self._parents = {element: element for element in elements}

    def add(self, element):
        """Add an element as a group of its own, unless it is known."""
        self._parents.setdefault(element, element)

    def leader(self, element):
        """The element that stands for the group. Raises KitKeyError if the element is unknown."""
        if element not in self._parents:
            raise KitKeyError(element)
        while self._parents[element] != element:
            element = self._parents[element]
        return element

    def join(self, a, b):
        """Make one group of the groups of two elements."""
        self._parents[self.leader(b)] = self.leader(a)

    def together(self, a, b):
        """True if two elements are in the same group."""
        return self.leader(a) == self.leader(b)

    def groups(self):
        """The groups as lists, in order of insertion."""
        found = {}
        for element in self._parents:
            found.setdefault(self.leader(element), []).append(element)
        return list(found.values())
