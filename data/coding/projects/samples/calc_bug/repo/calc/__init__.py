"""A tiny calculator."""

from calc.core import add, average, divide, multiply, subtract

__all__ = ["add", "average", "divide", "multiply", "subtract"]
