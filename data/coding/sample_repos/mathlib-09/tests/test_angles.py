import pytest
from mathlib import angles
from mathlib.errors import DomainError


def test_wrap_negative():
    assert angles.wrap(-90) == 270


def test_wrap_full_turn():
    assert angles.wrap(360) == 0


def test_conversion_there_and_back():
    assert angles.to_degrees(angles.to_radians(33.0)) == pytest.approx(33.0)


def test_turn_over_north():
    assert angles.turn(350, 10) == 20


def test_turn_back():
    assert angles.turn(10, 350) == -20


def test_half_turn_is_positive():
    assert angles.turn(0, 180) == 180


def test_circular_mean_over_zero():
    assert angles.circular_mean([340, 40]) == pytest.approx(10)


def test_circular_mean_of_opposites():
    with pytest.raises(DomainError):
        angles.circular_mean([0, 180])
