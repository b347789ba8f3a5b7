import pytest
from collectkit.base import KitIndexError
from collectkit.linked import LinkedList


def test_append_and_iterate():
    assert list(LinkedList("abc")) == ["a", "b", "c"]


def test_reversed():
    assert list(reversed(LinkedList("abc"))) == ["c", "b", "a"]


def test_get_and_set():
    values = LinkedList("abc")
    values[-1] = "z"
    assert (values[0], values[2]) == ("a", "z")


def test_insert_in_front():
    values = LinkedList("bc")
    values.insert(0, "a")
    assert list(values) == ["a", "b", "c"]


def test_insert_at_end():
    values = LinkedList("ab")
    values.insert(2, "c")
    assert list(values) == ["a", "b", "c"]


def test_insert_too_far():
    with pytest.raises(KitIndexError):
        LinkedList("ab").insert(3, "x")


def test_pop_first():
    values = LinkedList("abc")
    assert values.pop(0) == "a"
    assert list(values) == ["b", "c"]


def test_pop_middle():
    values = LinkedList("abc")
    assert values.pop(1) == "b"
    assert list(reversed(values)) == ["c", "a"]


def test_pop_last_by_default():
    values = LinkedList("abc")
    assert values.pop() == "c"
    assert list(values) == ["a", "b"]


def test_pop_from_empty():
    with pytest.raises(KitIndexError):
        LinkedList().pop()


def test_reverse():
    values = LinkedList("abc")
    values.reverse()
    values.append("x")
    assert list(values) == ["c", "b", "a", "x"]


def test_move():
    values = LinkedList("abcd")
    values.move(0, 2)
    assert list(values) == ["b", "c", "a", "d"]
    assert list(reversed(values)) == ["d", "a", "c", "b"]


def test_move_to_the_front():
    values = LinkedList("abcd")
    values.move(-1, 0)
    assert list(values) == ["d", "a", "b", "c"]


def test_move_to_the_end():
    values = LinkedList("abcd")
    values.move(1, -1)
    assert list(values) == ["a", "c", "d", "b"]


def test_move_before_the_end():
    values = LinkedList("abcd")
    values.move(0, -2)
    assert list(values) == ["b", "c", "a", "d"]


def test_move_beyond_the_end():
    with pytest.raises(KitIndexError):
        LinkedList("ab").move(0, 2)
