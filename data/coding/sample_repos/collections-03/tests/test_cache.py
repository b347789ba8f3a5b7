import pytest
from collectkit.base import KitKeyError, KitValueError
from collectkit.cache import Cache


def filled(capacity, **entries):
    cache = Cache(capacity)
    for key, value in entries.items():
        cache.put(key, value)
    return cache


def test_get():
    assert filled(2, a=1).get("a") == 1


def test_get_absent():
    with pytest.raises(KitKeyError):
        filled(2, a=1).get("b")


def test_get_default():
    assert filled(2, a=1).get("b", 7) == 7


def test_default_none():
    assert Cache(2).get("b", None) is None


def test_least_recently_used_goes():
    cache = filled(2, a=1, b=2)
    cache.get("a")
    cache.put("c", 3)
    assert "b" not in cache
    assert "a" in cache


def test_put_again_keeps_others():
    cache = filled(2, a=1, b=2)
    cache.put("a", 9)
    assert len(cache) == 2
    assert cache.get("a") == 9


def test_stored_none_is_a_hit():
    cache = filled(2, a=None)
    assert cache.get("a", 5) is None
    assert cache.hits == 1


def test_stored_none_stays():
    cache = filled(2, a=None)
    assert cache.get("a") is None
    assert cache.get("a") is None


def test_reading_none_counts_as_use():
    cache = filled(2, a=None, b=2)
    cache.get("a", 0)
    cache.put("c", 3)
    assert "a" in cache
    assert "b" not in cache


def test_counters():
    cache = filled(2, a=1)
    cache.get("a")
    cache.get("x", 0)
    assert (cache.hits, cache.misses) == (1, 1)


def test_compute_once():
    calls = []
    cache = Cache(2)
    for _ in range(2):
        assert cache.get_or_compute(4, lambda key: calls.append(key) or key * key) == 16
    assert calls == [4]
    assert (cache.hits, cache.misses) == (1, 1)


def test_compute_none_once():
    calls = []
    cache = Cache(2)
    for _ in range(3):
        assert cache.get_or_compute("x", calls.append) is None
    assert calls == ["x"]


def test_capacity():
    with pytest.raises(KitValueError):
        Cache(0)
