"""Polynomials as lists of coefficients, lowest power first."""

from itertools import zip_longest

from mathlib.errors import DomainError

EPSILON = 1e-12


def trim(coefficients):
    """The canonical form: a list without zeros at its end (anything below EPSILON counts as zero)."""
    result = list(coefficients)
    while result and abs(result[-1]) < EPSILON:
        result.pop()
    return result


def degree(polynomial):
    """The highest power; -1 for the zero polynomial."""
    return len(polynomial) - 1


def evaluate(polynomial, x):
    """The value at x (Horner's rule)."""
    value = 0
    for coefficient in reversed(polynomial):
        value = value * x + coefficient
    return value


def add(p, q):
    """Sum of two polynomials."""
    return trim([a + b for a, b in zip_longest(p, q, fillvalue=0)])


def subtract(p, q):
    """The first polynomial less the second."""
    return trim([a - b for a, b in zip_longest(p, q, fillvalue=0)])


def multiply(p, q):
    """Product of two polynomials."""
    if not p or not q:
        return []
    product = [0] * (len(p) + len(q) - 1)
    for i, a in enumerate(p):
        for j, b in enumerate(q):
            product[i + j] += a * b
    return trim(product)


def divide(p, q):
    """Quotient and remainder as a pair. Raises DomainError for a zero divisor."""
    if not q:
        raise DomainError("division by the zero polynomial")
    rest = list(p)
    quotient = [0] * max(len(p) - len(q) + 1, 0)
    for shift in reversed(range(len(quotient))):
        factor = rest[shift + degree(q)] / q[-1]
        quotient[shift] = factor
        for index, coefficient in enumerate(q):
            rest[shift + index] -= factor * coefficient
    return trim(quotient), trim(rest)


def common_divisor(p, q):
    """The greatest common divisor with leading coefficient 1."""
    while q:
        p, q = q, divide(p, q)[1]
    return [coefficient / p[-1] for coefficient in p]
