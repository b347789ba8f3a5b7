"""An index of documents for searching by words."""

from textprocessor.errors import TextError
from textprocessor.folding import fold
from textprocessor.tokens import words


class Index:
    """Documents by name, and which words occur in which of them."""

    def __init__(self):
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

    def remove(self, name):
        """Remove a document. Raises TextError if there is none of that name."""
        if name not in self._documents:
            raise TextError(f"no document {name!r}")
        for word in words(self._documents.pop(name)):
            names = self._places.get(fold(word), set())
            names.discard(name)
            if not names:
                self._places.pop(fold(word), None)

    def vocabulary(self):
        """All words that occur in a document, folded and sorted."""
        return sorted(self._places)

    def find(self, query):
        """Names of the documents that hold every word of the query, sorted; none for a query without words."""
        hits = [self._places.get(fold(word), set()) for word in words(query)]
        return sorted(set.intersection(*hits)) if hits else []

    def complete(self, beginning, limit=10):
        """Words of the vocabulary that begin like this, at most ``limit``."""
        prefix = fold(beginning)
        return [word for word in self.vocabulary() if word.startswith(prefix)][:limit]
