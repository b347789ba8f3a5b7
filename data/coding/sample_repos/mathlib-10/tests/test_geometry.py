import math

import pytest
from mathlib import geometry
from mathlib.errors import DomainError


def test_bearing_north():
    assert geometry.bearing((0, 0), (0, 5)) == pytest.approx(0)


def test_bearing_east():
    assert geometry.bearing((1, 1), (4, 1)) == pytest.approx(90)


def test_bearing_south_west():
    assert geometry.bearing((0, 0), (-2, -2)) == pytest.approx(225)


def test_bearing_to_itself():
    with pytest.raises(DomainError):
        geometry.bearing((1, 2), (1, 2))


def test_arc_of_full_circle():
    assert geometry.arc_length(2, 360) == pytest.approx(4 * math.pi)


def test_arc_of_quarter_circle():
    assert geometry.arc_length(10, 90) == pytest.approx(5 * math.pi)


def test_chord_of_sixth_is_radius():
    assert geometry.chord_length(3, 60) == pytest.approx(3)


def test_sector_half_disc():
    assert geometry.sector_area(2, 180) == pytest.approx(2 * math.pi)


def test_polygon_area_clockwise():
    assert geometry.polygon_area([(0, 0), (0, 2), (3, 2), (3, 0)]) == 6


def test_perimeter_of_square():
    assert geometry.perimeter([(0, 0), (1, 0), (1, 1), (0, 1)]) == 4


def test_regular_hexagon_has_equal_sides():
    corners = geometry.regular_polygon(6, 2)
    assert geometry.perimeter(corners) == pytest.approx(12)


def test_two_sides_are_no_polygon():
    with pytest.raises(DomainError):
        geometry.regular_polygon(2, 1)
