"""Derivatives, integrals and interpolation of polynomials."""

from mathlib.errors import DomainError, require_same_length, require_values
from mathlib.polynomial import divide, evaluate, multiply, trim


def derivative(polynomial):
    """The first derivative."""
    return [power * coefficient for power, coefficient in enumerate(polynomial)][1:]


def antiderivative(polynomial, constant=0):
    """The antiderivative with the given constant term."""
    return trim([constant] + [c / (power + 1) for power, c in enumerate(polynomial)])


def integrate(polynomial, low, high):
    """The definite integral from low to high."""
    primitive = antiderivative(polynomial)
    return evaluate(primitive, high) - evaluate(primitive, low)


def divided_differences(xs, ys):
    """Coefficients of Newton's form of the interpolating polynomial."""
    table = list(ys)
    for order in range(1, len(xs)):
        for index in reversed(range(order, len(xs))):
            table[index] = (table[index] - table[index - 1]) / (xs[index] - xs[index - order])
    return table


def interpolate(xs, ys):
    """The polynomial of lowest degree through the points (xs[i], ys[i]); the xs must differ."""
    xs, ys = require_values(xs), require_values(ys)
    require_same_length(xs, ys)
    if len(set(xs)) != len(xs):
        raise DomainError("two points with the same x")
    result = [0] * len(xs)
    basis = [1]
    for x, weight in zip(xs, divided_differences(xs, ys)):
        for power, coefficient in enumerate(basis):
            result[power] += weight * coefficient
        basis = multiply(basis, [-x, 1])
    return trim(result)


def count_roots(coefficients, low, high):
    """How many different zeros a polynomial has above low and up to high (Sturm's theorem).

    Takes any list of coefficients. Raises DomainError for the zero polynomial and an empty range.
    """
    if low >= high:
        raise DomainError(f"no numbers above {low} and up to {high}")
    polynomial = trim(coefficients)
    if not polynomial:
        raise DomainError("every number is a zero of the zero polynomial")
    chain = [polynomial]
    following = derivative(polynomial)
    while following and len(chain) < len(polynomial):
        chain.append(following)
        following = [-coefficient for coefficient in divide(chain[-2], chain[-1])[1]]
    changes = []
    for x in (low, high):
        values = [value for value in (evaluate(member, x) for member in chain) if value]
        changes.append(sum(1 for left, right in zip(values, values[1:]) if left * right < 0))
    return changes[0] - changes[1]


def area_under(xs, ys, low=None, high=None):
    """Area between the x axis and the straight lines through the points (xs[i], ys[i]), from low to high.

    The xs ascend; low and high are the first and the last of them unless given, and lie between those. Raises
    DomainError for less than two points, different lengths, and limits outside.
    """
    require_same_length(xs, ys)
    points = require_values(zip(xs, ys), least=2)
    low = points[0][0] if low is None else low
    high = points[-1][0] if high is None else high
    if not points[0][0] <= low <= high <= points[-1][0]:
        raise DomainError(f"no points from {low} to {high}")
    total = 0.0
    for (x1, y1), (x2, y2) in zip(points, points[1:]):
        start, end = max(x1, low), min(x2, high)
        if start < end:
            slope = (y2 - y1) / (x2 - x1)
            middle = y1 + slope * ((start + end) / 2 - x1)
            total += middle * (end - start)
    return total
