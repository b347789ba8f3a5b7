"""How often words occur."""

from textprocessor.errors import TextError
from textprocessor.folding import fold
from textprocessor.tokens import words


def word_counts(text, ignore=()):
    """Folded word -> number of times, in order of first occurrence, without the words to ignore."""
    ignored = {fold(word) for word in ignore}
    counts = {}
    for word in words(text):
        key = fold(word)
        if key not in ignored:
            counts[key] = counts.get(key, 0) + 1
    return counts


def top_words(text, number, ignore=()):
    """The most frequent folded words, at most ``number``; ties in alphabetical order."""
    counts = word_counts(text, ignore)
    return sorted(counts, key=lambda word: (-counts[word], word))[:number]


def ngrams(text, size):
    """All runs of ``size`` neighbouring words, folded, as tuples."""
    if size < 1:
        raise TextError("the size of an n-gram is at least 1")
    keys = [fold(word) for word in words(text)]
    return [tuple(keys[start : start + size]) for start in range(len(keys) - size + 1)]


def vocabulary_richness(text):
    """Share of different words among all words; 0 for a text without words."""
    keys = [fold(word) for word in words(text)]
    return len(set(keys)) / len(keys) if keys else 0.0


def edit_distance(a, b):
    """Fewest insertions, deletions and replacements of a character that turn a into b."""
    row = list(range(len(b) + 1))
    for i, left in enumerate(a, 1):
        previous, row[0] = row[0], i
        for j, right in enumerate(b, 1):
            replaced = previous + (left != right)
            previous = row[j]
            row[j] = min(replaced, row[j] + 1, row[j - 1] + 1)
    return row[-1]


def similarity(a, b):
    """1 for words that are the same, 0 for words with nothing in common."""
    a, b = fold(a), fold(b)
    longest = max(len(a), len(b))
    return 1 - edit_distance(a, b) / longest if longest else 1.0
