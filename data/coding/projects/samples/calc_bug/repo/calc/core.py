"""The operations of the calculator."""


def add(a, b):
    """Sum of two numbers."""
    return a + b


def subtract(a, b):
    """The first number less the second."""
    return a - b


def multiply(a, b):
    """Product of two numbers."""
    return a * b


def divide(a, b):
    """Quotient of two numbers; raises ValueError for a zero divisor."""
    if b == 0:
        raise ValueError("division by zero")
    return a / b


def average(values):
    """Arithmetic mean of a non-empty list."""
    total = 0
    for value in values:
        total = add(total, value)
    return divide(total, len(values))
