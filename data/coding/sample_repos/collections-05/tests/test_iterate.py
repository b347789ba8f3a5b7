import pytest
from collectkit import iterate
from collectkit.base import KitValueError


def test_first():
    assert iterate.first("abc") == "a"


def test_first_default():
    assert iterate.first([], default=0) == 0


def test_first_default_none():
    assert iterate.first([], default=None) is None


def test_first_of_nothing():
    with pytest.raises(KitValueError):
        iterate.first([])


def test_chunks():
    assert list(iterate.chunks(range(5), 2)) == [[0, 1], [2, 3], [4]]


def test_chunks_size():
    with pytest.raises(KitValueError):
        list(iterate.chunks("abc", 0))


def test_windows():
    assert iterate.windows("abcd", 3) == [("a", "b", "c"), ("b", "c", "d")]


def test_windows_of_short_input():
    assert iterate.windows("ab", 3) == []


def test_runs():
    assert iterate.runs("aabccc") == [("a", 2), ("b", 1), ("c", 3)]


def test_runs_of_none():
    assert iterate.runs([None, None, 1]) == [(None, 2), (1, 1)]


def test_group():
    assert iterate.group([1, 4, 3], key=lambda n: n % 2) == {1: [1, 3], 0: [4]}


def test_partition():
    assert iterate.partition(range(5), lambda n: n > 2) == ([3, 4], [0, 1, 2])
