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
        for key in set(words(query)):
            names = self._places.get(key, set())
            for name in names - unwanted:
                share = len(names) / len(self._documents)
                scores[name] = scores.get(name, 0.0) + factors.get(key, 1.0) * (1.0 - share / 2)
        best = sorted(scores, key=lambda name: (-scores[name], name))
        return best[:limit]
