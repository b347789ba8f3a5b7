from __future__ import annotations


def shelf(project: str) -> str:
    """Documents are kept per project."""
    return project
