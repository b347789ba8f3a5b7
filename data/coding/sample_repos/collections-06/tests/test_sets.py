import pytest
from collectkit.base import KitIndexError, KitKeyError
from collectkit.sets import DisjointSets, OrderedSet


def test_keeps_order():
    assert list(OrderedSet("banana")) == ["b", "a", "n"]


def test_add_again_keeps_place():
    letters = OrderedSet("abc")
    letters.add("a")
    assert list(letters) == ["a", "b", "c"]


def test_last_element():
    assert OrderedSet("abc")[-1] == "c"


def test_position_out_of_range():
    with pytest.raises(KitIndexError):
        OrderedSet("abc")[-4]


def test_remove():
    letters = OrderedSet("abc")
    letters.remove("b")
    assert letters == OrderedSet("ac")


def test_remove_absent():
    with pytest.raises(KitKeyError):
        OrderedSet("abc").remove("x")


def test_union():
    assert list(OrderedSet("ca").union("abz")) == ["c", "a", "b", "z"]


def test_intersection():
    assert list(OrderedSet("dcab").intersection("abc")) == ["c", "a", "b"]


def test_subset():
    assert OrderedSet("ab").is_subset(OrderedSet("cab"))


def test_not_a_subset():
    assert not OrderedSet("xy").is_subset(OrderedSet("ab"))


def test_overlap_is_no_subset():
    assert not OrderedSet("ax").is_subset(OrderedSet("abc"))


def test_empty_set_is_a_subset():
    assert OrderedSet().is_subset(OrderedSet("a"))


def test_join_groups():
    sets = DisjointSets("abcd")
    sets.join("a", "b")
    sets.join("c", "b")
    assert sets.together("a", "c")
    assert not sets.together("a", "d")


def test_groups():
    sets = DisjointSets("abc")
    sets.join("c", "a")
    assert sets.groups() == [["a", "c"], ["b"]]


def test_unknown_element():
    with pytest.raises(KitKeyError):
        DisjointSets("ab").leader("z")
