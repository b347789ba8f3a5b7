import pytest
from collectkit.base import KitError
from collectkit.ring import RingBuffer


def test_order():
    assert list(RingBuffer(3, "abc")) == ["a", "b", "c"]


def test_oldest_is_dropped():
    assert list(RingBuffer(3, range(5))) == [2, 3, 4]


def test_index_after_wrapping():
    ring = RingBuffer(3, range(5))
    assert (ring[0], ring[2]) == (2, 4)


def test_newest_by_negative_index():
    assert RingBuffer(4, "ab")[-1] == "b"


def test_all_negative_indices():
    ring = RingBuffer(5, range(3))
    assert [ring[index] for index in (-3, -2, -1)] == [0, 1, 2]


def test_index_beyond_the_count():
    with pytest.raises(IndexError):
        RingBuffer(5, "ab")[2]


def test_popleft():
    ring = RingBuffer(2, "abc")
    assert ring.popleft() == "b"
    assert list(ring) == ["c"]


def test_popleft_empty():
    with pytest.raises(IndexError):
        RingBuffer(2).popleft()


def test_resize_grow():
    ring = RingBuffer(2, "ab")
    ring.resize(3)
    ring.append("c")
    assert list(ring) == ["a", "b", "c"]


def test_resize_shrink():
    ring = RingBuffer(4, "abcd")
    ring.resize(2)
    assert list(ring) == ["c", "d"]


def test_resize_after_wrapping():
    ring = RingBuffer(3, range(5))
    ring.resize(5)
    ring.append(5)
    assert list(ring) == [2, 3, 4, 5]


def test_resize_after_popleft():
    ring = RingBuffer(3, "abc")
    ring.popleft()
    ring.resize(2)
    assert list(ring) == ["b", "c"]


def test_resize_down_after_wrapping():
    ring = RingBuffer(4, range(6))
    ring.resize(3)
    assert list(ring) == [3, 4, 5]


def test_capacity_zero():
    with pytest.raises(KitError):
        RingBuffer(0)
