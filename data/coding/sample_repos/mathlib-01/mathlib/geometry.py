"""Points, circles and polygons of the plane."""

import math

from mathlib.angles import to_degrees, to_radians, wrap
from mathlib.errors import DomainError, require_values
from mathlib.vectors import from_polar


def distance(p, q):
    """Straight-line distance of two points."""
    return math.dist(p, q)


def bearing(start, end):
    """Compass bearing from one point to another, in [0, 360): north (up) is 0, east is 90."""
    if start == end:
        raise DomainError("no bearing between a point and itself")
    dx, dy = end[0] - start[0], end[1] - start[1]
    return wrap(90.0 - to_degrees(math.atan2(dy, dx)))


def arc_length(radius, angle):
    """Length of the arc of a circle that spans an angle."""
    return radius * angle


def chord_length(radius, angle):
    """Length of the straight line between the ends of an arc."""
    return 2 * radius * math.sin(to_radians(angle) / 2)


def sector_area(radius, angle):
    """Area of the slice of a disc that spans an angle."""
    return arc_length(radius, angle) * radius / 2


def polygon_area(corners):
    """Area of a simple polygon, whichever way round its corners are given."""
    corners = require_values(corners, least=3)
    twice = 0
    for (x1, y1), (x2, y2) in zip(corners, corners[1:] + corners[:1]):
        twice += x1 * y2 - x2 * y1
    return abs(twice) / 2


def perimeter(corners):
    """Length of the closed line through the corners."""
    corners = require_values(corners, least=3)
    return sum(distance(p, q) for p, q in zip(corners, corners[1:] + corners[:1]))


def regular_polygon(sides, radius):
    """Corners of a regular polygon about the origin, counterclockwise from the x axis."""
    if sides < 3:
        raise DomainError("a polygon has at least 3 sides")
    return [from_polar(radius, index * 360.0 / sides) for index in range(sides)]
