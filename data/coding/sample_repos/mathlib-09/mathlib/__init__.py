"""Everyday mathematics in plain Python."""

__version__ = "1.0"
