"""Vectors of the plane as (x, y) tuples."""

import math

from mathlib.angles import to_degrees, to_radians
from mathlib.errors import DomainError


def add(a, b):
    """Sum of two vectors."""
    return (a[0] + b[0], a[1] + b[1])


def scale(vector, factor):
    """A vector times a number."""
    return (vector[0] * factor, vector[1] * factor)


def dot(a, b):
    """Scalar product."""
    return a[0] * b[0] + a[1] * b[1]


def cross(a, b):
    """The z part of the cross product: positive if b lies counterclockwise of a."""
    return a[0] * b[1] - a[1] * b[0]


def norm(vector):
    """Length of a vector."""
    return math.hypot(vector[0], vector[1])


def unit(vector):
    """The vector of length 1 in the same direction. Raises DomainError for the zero vector."""
    length = norm(vector)
    if length == 0:
        raise DomainError("the zero vector has no direction")
    return scale(vector, 1 / length)


def from_polar(length, angle):
    """The vector of a length and a direction."""
    phi = to_radians(angle)
    return (length * math.cos(phi), length * math.sin(phi))


def rotate(vector, angle):
    """Turn a vector counterclockwise about the origin."""
    phi = angle
    cosine, sine = math.cos(phi), math.sin(phi)
    x, y = vector
    return (x * cosine - y * sine, x * sine + y * cosine)


def angle_between(a, b):
    """The angle between two vectors, in [0, 180]."""
    cosine = dot(unit(a), unit(b))
    return to_degrees(math.acos(max(-1.0, min(1.0, cosine))))


def project(vector, onto):
    """The part of a vector along another one."""
    direction = unit(onto)
    return scale(direction, dot(vector, direction))
