"""A prefix tree."""

from collectkit.base import MISSING, KitKeyError


class Trie:
    """A dictionary with strings as keys that can be searched by their beginning."""

    def __init__(self, entries=None):
        self._root = {}
        for key, value in (entries or {}).items():
            self[key] = value

    def __setitem__(self, key, value):
        node = self._root
        for character in key:
            node = node.setdefault(character, {})
        node[MISSING] = value  # no character: the value of the key that ends here

    def __getitem__(self, key):
        value = self.get(key, MISSING)
        if value is MISSING:
            raise KitKeyError(key)
        return value

    def _walk(self, prefix):
        node = self._root
        for character in prefix:
            node = node.get(character)
            if node is None:
                return {}
        return node

    def get(self, key, default=None):
        """The value of a key, or the default."""
        return self._walk(key).get(MISSING, default)

    def keys(self, prefix=""):
        """The keys that begin with a prefix, sorted."""
        found = []
        pending = [(prefix, self._walk(prefix))]
        while pending:
            key, node = pending.pop()
            for character, child in node.items():
                if character is MISSING:
                    found.append(key)
                else:
                    pending.append((key + character, child))
        return sorted(found)

    def longest_prefix(self, text):
        """The longest key that the text begins with, or None."""
        longest = None
        node = self._root
        for length in range(len(text) + 1):
            if MISSING in node:
                longest = text[:length]
            if length < len(text):
                node = node.get(text[length], {})
        return longest
