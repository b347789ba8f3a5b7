"""Splitting, counting, searching and laying out plain text."""

__version__ = "1.0"
