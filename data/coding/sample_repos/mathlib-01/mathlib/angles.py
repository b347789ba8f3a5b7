"""Angles in degrees. The trigonometric functions of ``math`` take radians: convert with the helpers here."""

import math

from mathlib.errors import DomainError, require_values

DEGREE = math.pi / 180


def to_radians(angle):
    """Degrees to radians."""
    return angle * DEGREE


def to_degrees(angle):
    """Radians to degrees."""
    return angle / DEGREE


def wrap(angle):
    """The same direction as an angle in [0, 360)."""
    return angle % 360.0


def turn(start, end):
    """The smallest turn from one direction to another, in (-180, 180]; counterclockwise is positive."""
    angle = wrap(end - start)
    return angle - 360.0 if angle > 180.0 else angle


def circular_mean(directions):
    """The mean direction, in [0, 360). Raises DomainError if the directions cancel out."""
    directions = require_values(directions)
    x = sum(math.cos(to_radians(angle)) for angle in directions)
    y = sum(math.sin(to_radians(angle)) for angle in directions)
    if math.hypot(x, y) < 1e-9 * len(directions):
        raise DomainError("the directions cancel out")
    return wrap(to_degrees(math.atan2(y, x)))
