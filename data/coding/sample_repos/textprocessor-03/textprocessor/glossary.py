"""Terms with explanations, and where they occur in a text."""

from textprocessor.errors import TextError
from textprocessor.folding import fold
from textprocessor.kept import Kept
from textprocessor.tokens import Span, tokenize


class Glossary(Kept):
    """Explanations of terms; a term is one word or several."""

    def __init__(self, terms=None):
        super().__init__()
        self._entries = {}  # words of the term, folded -> (spelling, explanation)
        for term, explanation in (terms or {}).items():
            self.define(term, explanation)

    def __len__(self):
        return len(self._entries)

    @staticmethod
    def _key(term):
        return tuple(fold(token.text) for token in tokenize(term))

    def define(self, term, explanation):
        """Add a term or replace its explanation. Raises TextError for a term without a word."""
        key = self._key(term)
        if not key:
            raise TextError(f"no word in the term {term!r}")
        self._entries[key] = (term, explanation)
        self._changed()

    def forget(self, term):
        """Take a term out; nothing happens if it is not there."""
        self._entries.pop(self._key(term), None)
        self._changed()

    def terms(self):
        """All terms as they were defined, in alphabetical order."""
        return self._keep("terms", lambda: sorted(spelling for spelling, _ in self._entries.values()))

    def explain(self, term):
        """The explanation of a term, or None."""
        return self._entries.get(self._key(term), (None, None))[1]

    def find(self, text):
        """(span, spelling in the glossary) of all terms in a text, from left to right.

        Where several terms begin at the same word the longest wins, and no word belongs to two terms.
        """
        tokens = tokenize(text)
        keys = [fold(token.text) for token in tokens]
        sizes = sorted({len(key) for key in self._entries}, reverse=True)
        found = []
        position = 0
        while position < len(tokens):
            for size in sizes:
                key = tuple(keys[position : position + size])
                if key in self._entries:
                    last = tokens[position + len(key) - 1]
                    found.append((Span(tokens[position].span.start, last.span.end), self._entries[key][0]))
                    position += len(key)
                    break
            else:
                position += 1
        return found
