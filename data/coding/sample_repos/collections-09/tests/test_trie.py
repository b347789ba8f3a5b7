import pytest
from collectkit.base import KitKeyError
from collectkit.trie import Trie


def test_get():
    trie = Trie({"car": 1, "cart": 2})
    assert (trie["car"], trie["cart"]) == (1, 2)


def test_part_of_a_key_is_no_key():
    with pytest.raises(KitKeyError):
        Trie({"cart": 2})["car"]


def test_stored_none():
    assert Trie({"a": None})["a"] is None


def test_get_default():
    assert Trie({"car": 1}).get("bus", 0) == 0


def test_keys_by_prefix():
    assert Trie({"car": 1, "cart": 2, "dog": 3}).keys("ca") == ["car", "cart"]


def test_longest_prefix():
    assert Trie({"/": 1, "/api": 2, "/api/v1/x": 3}).longest_prefix("/api/v1") == "/api"


def test_longest_prefix_none():
    assert Trie({"b": 1}).longest_prefix("abc") is None
