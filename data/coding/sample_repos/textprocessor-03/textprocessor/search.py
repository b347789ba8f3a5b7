"""An index of documents for searching by words."""

from textprocessor.errors import TextError
from textprocessor.folding import fold
from textprocessor.kept import Kept
from textprocessor.tokens import words


class Index(Kept):
    """Documents by name, and which words occur in which of them."""

    def __init__(self):
        super().__init__()
        self._documents = {}  # name -> text
        self._places = {}  # folded word -> names of the documents

    def __len__(self):
        return len(self._documents)

    def add(self, name, text):
        """Add a document; one that has the same name is replaced."""
        if name in self._documents:
            self.remove(name)
        self._documents[name] = text
        for word in words(text):
            self._places.setdefault(fold(word), set()).add(name)
        self._changed()

    def remove(self, name):
        """Remove a document. Raises TextError if there is none of that name."""
        if name not in self._documents:
            raise TextError(f"no document {name!r}")
        for word in words(self._documents.pop(name)):
            names = self._places.get(fold(word), set())
            names.discard(name)
            if not names:
                self._places.pop(fold(word), None)

    def rename(self, old, new):
        """Give a document another name. Raises TextError if there is none of the old, or one of the new name."""
        if old not in self._documents:
            raise TextError(f"no document {old!r}")
        if new in self._documents:
            raise TextError(f"there is a document {new!r}")
        self._documents[new] = self._documents.pop(old)
        for names in self._places.values():
            if old in names:
                names.discard(old)
                names.add(new)
        self._changed()

    def merge(self, other, prefix=""):
        """Take in the documents of another index under their names with a prefix; returns how many those are.

        Raises TextError, and takes none, if a name is taken.
        """
        names = {name: prefix + name for name in other._documents}
        taken = [new for new in names.values() if new in self._documents]
        if taken:
            raise TextError(f"there is a document {min(taken)!r}")
        for old, new in names.items():
            self._documents[new] = other._documents[old]
        for word, places in other._places.items():
            self._places.setdefault(word, set()).update(names[old] for old in places)
        self._changed()
        return len(names)

    def names(self):
        """The names of all documents, sorted."""
        return self._keep("names", lambda: sorted(self._documents))

    def vocabulary(self):
        """All words that occur in a document, folded and sorted."""
        return self._keep("vocabulary", lambda: sorted(self._places))

    def find(self, query):
        """Names of the documents that hold every word of the query, sorted; none for a query without words."""
        hits = [self._places.get(fold(word), set()) for word in words(query)]
        return sorted(set.intersection(*hits)) if hits else []

    def complete(self, beginning, limit=10):
        """Words of the vocabulary that begin like this, at most ``limit``."""
        prefix = fold(beginning)
        return [word for word in self.vocabulary() if word.startswith(prefix)][:limit]

    def ranked(self, query, limit=10, boost=None, without=()):
        """Names of the documents that hold words of the query, the best first, at most ``limit``.

        A word counts the more the fewer documents hold it, times its ``boost`` (word -> factor). Documents that hold
        one of the words in ``without`` are left out; of equals the alphabet decides.
        """
        if limit < 1:
            raise TextError("the limit is at least 1")
        factors = {fold(word): factor for word, factor in (boost or {}).items()}
        unwanted = set()
        for word in without:
            unwanted |= self._places.get(fold(word), set())
        scores = {}
        for key in {fold(word) for word in words(query)}:
            names = self._places.get(key, set())
            for name in names - unwanted:
                share = len(names) / len(self._documents)
                scores[name] = scores.get(name, 0.0) + factors.get(key, 1.0) * (1.0 - share / 2)
        best = sorted(scores, key=lambda name: (-scores[name], name))
        return best[:limit]
