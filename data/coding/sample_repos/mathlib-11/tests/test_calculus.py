import pytest
from mathlib import calculus
from mathlib.errors import DomainError


def test_derivative():
    assert calculus.derivative([7, 3, 2]) == [3, 4]


def test_derivative_of_constant():
    assert calculus.derivative([7]) == []


def test_antiderivative():
    assert calculus.antiderivative([2, 6], constant=1) == [1, 2, 3]


def test_antiderivative_of_zero():
    assert calculus.antiderivative([]) == []


def test_integrate():
    assert calculus.integrate([0, 0, 3], 1, 2) == pytest.approx(7)


def test_interpolate_parabola():
    assert calculus.interpolate([0, 1, 2], [1, 2, 5]) == pytest.approx([1, 0, 1])


def test_interpolate_one_point():
    assert calculus.interpolate([4], [9]) == [9]


def test_interpolate_points_on_a_line():
    assert calculus.interpolate([1, 2, 3, 4], [3, 5, 7, 9]) == pytest.approx([1, 2])


def test_interpolate_equal_heights():
    assert calculus.interpolate([-1, 0, 3], [4, 4, 4]) == pytest.approx([4])


def test_interpolate_same_x_twice():
    with pytest.raises(DomainError):
        calculus.interpolate([1, 1], [2, 3])


def test_count_roots():
    assert calculus.count_roots([-2, 0, 1], 0, 2) == 1
    assert calculus.count_roots([-2, 0, 1], -2, 2) == 2
    assert calculus.count_roots([1, 0, 1], -9, 9) == 0


def test_count_roots_at_the_ends():
    assert calculus.count_roots([0, -1, 1], 0, 1) == 1


def test_count_roots_that_occur_twice():
    assert calculus.count_roots([1, -2, 1], 0, 2) == 1


def test_count_roots_without_leading_coefficient():
    assert calculus.count_roots([-1, 1, 0], 0, 2) == 1


def test_count_roots_of_constant_with_zeros():
    assert calculus.count_roots([5, 0, 0], -1, 1) == 0


def test_count_roots_of_zero():
    with pytest.raises(DomainError):
        calculus.count_roots([0, 0], -1, 1)


def test_area_under():
    assert calculus.area_under([0, 1, 3], [0, 2, 2]) == 5
    assert calculus.area_under([0, 1, 3], [0, 2, 2], low=0.5, high=2) == pytest.approx(2.75)


def test_area_under_outside():
    with pytest.raises(DomainError):
        calculus.area_under([0, 1], [1, 1], high=2)


def test_area_under_one_point():
    with pytest.raises(DomainError):
        calculus.area_under([0], [1])


def test_area_under_with_a_missing_value():
    with pytest.raises(DomainError):
        calculus.area_under([0, 1, 2], [1, 1])


def test_area_under_with_a_missing_place():
    with pytest.raises(DomainError):
        calculus.area_under([0, 1], [1, 1, 5])
