"""Rounding as on paper."""

from decimal import ROUND_HALF_UP, Decimal


def half_up(value: float, digits: int = 0) -> float:
    """Round to a number of decimal places, a half away from zero; a whole number for 0 places.

    2.5 becomes 3 and 0.125 becomes 0.13.
    """
    exact = Decimal(str(value)).quantize(Decimal(1).scaleb(-digits), rounding=ROUND_HALF_UP)
    return float(exact) if digits else int(exact)
