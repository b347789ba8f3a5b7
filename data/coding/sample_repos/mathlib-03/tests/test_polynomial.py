import pytest
from mathlib import polynomial
from mathlib.errors import DomainError


def test_evaluate():
    assert polynomial.evaluate([1, 2, 3], 2) == 17


def test_degree():
    assert polynomial.degree([5, 0, 1]) == 2
    assert polynomial.degree([]) == -1


def test_add():
    assert polynomial.add([1, 2], [3, 4, 5]) == [4, 6, 5]


def test_add_cancels_leading_term():
    assert polynomial.add([1, 2, 3], [1, 0, -3]) == [2, 2]


def test_subtract():
    assert polynomial.subtract([5, 5, 5], [1, 2, 3]) == [4, 3, 2]


def test_subtract_same_leading_term():
    assert polynomial.subtract([4, 1, 7], [1, 1, 7]) == [3]


def test_subtract_itself():
    assert polynomial.subtract([1, 2, 3], [1, 2, 3]) == []


def test_degree_of_difference():
    assert polynomial.degree(polynomial.subtract([0, 2, 0, 1], [1, 0, 0, 1])) == 1


def test_multiply():
    assert polynomial.multiply([1, 1], [1, -1]) == [1, 0, -1]


def test_multiply_by_zero():
    assert polynomial.multiply([1, 2], []) == []


def test_divide_with_remainder():
    quotient, rest = polynomial.divide([1, 0, 1], [1, 1])
    assert quotient == [-1, 1]
    assert rest == [2]


def test_divide_without_remainder():
    quotient, rest = polynomial.divide([-1, 0, 1], [1, 1])
    assert quotient == [-1, 1]
    assert rest == []


def test_divide_by_larger_degree():
    assert polynomial.divide([1, 2], [0, 0, 1]) == ([], [1, 2])


def test_divide_remainder_degree_drops():
    _, rest = polynomial.divide([3, 0, 0, 2], [0, 0, 2])
    assert polynomial.degree(rest) == 0


def test_divide_by_zero():
    with pytest.raises(DomainError):
        polynomial.divide([1], [])


def test_common_divisor():
    assert polynomial.common_divisor([-1, 0, 1], [1, 2, 1]) == pytest.approx([1, 1])
