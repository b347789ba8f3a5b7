"""Containers that the standard library lacks."""

__version__ = "1.0"
