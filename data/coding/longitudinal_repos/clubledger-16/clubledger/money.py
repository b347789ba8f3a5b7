"""Money: whole cents inside the package, amounts outside."""

from decimal import ROUND_HALF_EVEN, ROUND_HALF_UP, Decimal

CENTS = 100


def half_up(value) -> int:
    """Round to a whole number, half of one away from zero."""
    return int(Decimal(str(value)).quantize(Decimal(1), rounding=ROUND_HALF_UP))


def half_even(value) -> int:
    """Round to a whole number, half of one to the even neighbour."""
    return int(Decimal(str(value)).quantize(Decimal(1), rounding=ROUND_HALF_EVEN))


def cents(amount) -> int:
    """Convert an amount to whole cents."""
    return half_up(Decimal(str(amount)) * CENTS)


def amount(value: int) -> float:
    """Convert cents to an amount."""
    return value / CENTS


def shares(total: int, parts: int) -> list[int]:
    """Split cents into so many parts that differ by at most one cent, the larger ones first."""
    base, rest = divmod(total, parts)
    return [base + 1] * rest + [base] * (parts - rest)


def text(value: int) -> str:
    """Return cents as people write them: 1250 is "12.50", -5 is "-0.05"."""
    sign = "-" if value < 0 else ""
    whole, rest = divmod(abs(value), CENTS)
    return f"{sign}{whole}.{rest:02}"
