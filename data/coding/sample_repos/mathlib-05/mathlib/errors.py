"""The exception of the library and the checks that raise it."""


class DomainError(ValueError):
    """An argument lies outside the domain of the function."""


def require_values(values, least=1):
    """Return ``values`` as a list; raise DomainError if there are fewer than ``least``."""
    values = list(values)
    if len(values) < least:
        raise DomainError(f"at least {least} values are needed, got {len(values)}")
    return values


def require_same_length(xs, ys):
    """Raise DomainError unless both sequences have the same length."""
    if len(xs) != len(ys):
        raise DomainError(f"lengths differ: {len(xs)} and {len(ys)}")
