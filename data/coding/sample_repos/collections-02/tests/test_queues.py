import pytest
from collectkit.base import KitIndexError, KitKeyError, KitValueError
from collectkit.queues import PriorityQueue, SortedList


def drain(queue):
    return [queue.pop() for _ in range(len(queue))]


def test_lowest_first():
    assert drain(PriorityQueue({"a": 3, "b": 1, "c": 2})) == ["b", "c", "a"]


def test_pop_from_empty():
    with pytest.raises(KitIndexError):
        PriorityQueue().pop()


def test_push_twice():
    with pytest.raises(KitValueError):
        PriorityQueue({"a": 1}).push("a", 2)


def test_update_to_the_front():
    queue = PriorityQueue({"a": 1, "b": 2, "c": 3})
    queue.update("c", 0)
    assert drain(queue) == ["c", "a", "b"]


def test_update_to_the_back():
    queue = PriorityQueue({"a": 1, "b": 2, "c": 3, "d": 4})
    queue.update("a", 9)
    assert drain(queue) == ["b", "c", "d", "a"]


def test_update_to_the_middle():
    queue = PriorityQueue({name: place for place, name in enumerate("abcdefg")})
    queue.update("b", 4.5)
    assert drain(queue) == ["a", "c", "d", "e", "b", "f", "g"]


def test_update_unknown():
    with pytest.raises(KitKeyError):
        PriorityQueue({"a": 1}).update("b", 1)


def test_many_items():
    queue = PriorityQueue({number: (number * 37) % 101 for number in range(101)})
    assert [(number * 37) % 101 for number in drain(queue)] == list(range(101))


def test_remove_last():
    queue = PriorityQueue({"a": 1, "b": 2})
    queue.remove("b")
    assert "b" not in queue
    assert drain(queue) == ["a"]


def test_remove_inner_item():
    queue = PriorityQueue({number: number for number in [6, 3, 5, 4, 7, 1, 2]})
    queue.remove(6)
    assert drain(queue) == [1, 2, 3, 4, 5, 7]


def test_sorted():
    values = SortedList([3, 1, 2])
    values.add(1.5)
    assert list(values) == [1, 1.5, 2, 3]
    assert values[-1] == 3


def test_discard():
    values = SortedList([1, 2, 2, 3])
    assert values.discard(2)
    assert not values.discard(9)
    assert list(values) == [1, 2, 3]


def test_between_values():
    assert SortedList([1, 3, 5, 7]).between(2, 6) == [3, 5]


def test_between_nothing():
    assert SortedList([1, 9]).between(3, 5) == []


def test_between_includes_both_ends():
    assert SortedList([1, 3, 5, 7]).between(3, 7) == [3, 5, 7]


def test_between_with_equal_values():
    assert SortedList([2, 4, 4, 4, 6]).between(4, 4) == [4, 4, 4]


def test_rank():
    assert SortedList([1, 2, 2, 3]).rank(2) == 1
