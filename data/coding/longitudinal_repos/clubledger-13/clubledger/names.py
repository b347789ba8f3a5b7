"""Accounts and tags as people type them, and what they are compared by."""


def canonical(path: str) -> str:
    """Return the canonical form of an account's path: "Costs : Rent" is "costs:rent"."""
    return ":".join(part.strip().casefold() for part in path.split(":"))


def canonicals(paths) -> set[str]:
    """Return the canonical forms of several names."""
    return {canonical(path) for path in paths}


def parents(path: str) -> list[str]:
    """Return the canonical paths above an account, the topmost first; none for a top account."""
    parts = canonical(path).split(":")
    return [":".join(parts[:length]) for length in range(1, len(parts))]


def is_below(path: str, root: str) -> bool:
    """Whether an account is the root or lies somewhere below it."""
    inner, outer = canonical(path), canonical(root)
    return inner == outer or inner.startswith(outer + ":")
