import pytest
from textprocessor import counting
from textprocessor.errors import TextError


def test_counts_fold_words():
    assert counting.word_counts("Zoë met zoe.") == {"zoe": 2, "met": 1}


def test_counts_without_ignored():
    assert counting.word_counts("the cat and the dog", ignore=["the", "and"]) == {"cat": 1, "dog": 1}


def test_ignored_words_in_capitals():
    assert counting.word_counts("The cat. THE DOG.", ignore=["The"]) == {"cat": 1, "dog": 1}


def test_ignored_words_with_accents():
    assert counting.word_counts("À la carte", ignore=["à", "là"]) == {"carte": 1}


def test_top_words_with_ties():
    assert counting.top_words("b a c a b d", 3) == ["a", "b", "c"]


def test_top_words_ignoring_a_name():
    assert counting.top_words("Anna saw Bo. Anna ran. Bo sat, bo!", 1, ignore=["Bo"]) == ["anna"]


def test_ngrams():
    assert counting.ngrams("To be or not", 2) == [("to", "be"), ("be", "or"), ("or", "not")]


def test_ngrams_of_short_text():
    assert counting.ngrams("one", 2) == []


def test_ngrams_size():
    with pytest.raises(TextError):
        counting.ngrams("one two", 0)


def test_richness():
    assert counting.vocabulary_richness("a A b c") == 0.75


def test_edit_distance():
    assert counting.edit_distance("kitten", "sitting") == 3
    assert counting.edit_distance("", "abc") == 3


def test_similarity_of_same_word():
    assert counting.similarity("École", "ecole") == 1


def test_similarity_of_nothing_in_common():
    assert counting.similarity("abc", "xyz") == 0


def test_similarity_of_extended_word():
    assert counting.similarity("cat", "cats") == pytest.approx(0.75)


def test_similarity_is_never_negative():
    assert counting.similarity("a", "xyz") == 0


def test_similarity_of_empty_words():
    assert counting.similarity("", "") == 1
