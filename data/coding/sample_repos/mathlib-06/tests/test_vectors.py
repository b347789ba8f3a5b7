import pytest
from mathlib import vectors
from mathlib.errors import DomainError


def test_add_and_scale():
    assert vectors.scale(vectors.add((1, 2), (3, 4)), 2) == (8, 12)


def test_cross_of_axes():
    assert vectors.cross((1, 0), (0, 1)) == 1


def test_unit_of_zero():
    with pytest.raises(DomainError):
        vectors.unit((0, 0))


def test_from_polar_up():
    assert vectors.from_polar(2, 90) == pytest.approx((0, 2))


def test_rotate_quarter_turn():
    assert vectors.rotate((1, 0), 90) == pytest.approx((0, 1))


def test_rotate_by_zero():
    assert vectors.rotate((3, 4), 0) == pytest.approx((3, 4))


def test_rotate_half_turn():
    assert vectors.rotate((2, 1), 180) == pytest.approx((-2, -1))


def test_rotate_clockwise():
    assert vectors.rotate((1, 1), -45) == pytest.approx((2**0.5, 0))


def test_right_angle_between():
    assert vectors.angle_between((2, 0), (0, 5)) == pytest.approx(90)


def test_angle_between_opposites():
    assert vectors.angle_between((1, 1), (-3, -3)) == pytest.approx(180)


def test_project():
    assert vectors.project((3, 4), (10, 0)) == pytest.approx((3, 0))
