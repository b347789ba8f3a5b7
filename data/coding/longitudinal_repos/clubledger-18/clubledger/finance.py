"""Interest, instalments and tax."""

from datetime import date

from clubledger.errors import LedgerError
from clubledger.money import amount, cents, half_up, shares

YEAR = 360
"""Days that a bank counts in a year."""


def interest(principal: float, percent: float, days: int) -> float:
    """Return the simple interest of a loan for some days at a yearly rate."""
    return amount(half_up(cents(principal) * percent * days / (100 * YEAR)))


def late_fee(owed: float, due: date, paid: date, percent: float) -> float:
    """Return the fee for paying late: the rate for each full week after the due day, at most half of what was owed."""
    weeks = max(0, (paid - due).days) // 7
    owed_cents = cents(owed)
    return amount(min(half_up(owed_cents * percent * weeks / 100), owed_cents // 2))


def instalments(total: float, count: int) -> list[float]:
    """Split an amount into instalments that add up to it, the larger ones first. Raises LedgerError."""
    if count < 1:
        raise LedgerError("it takes one instalment at least")
    return [amount(part) for part in shares(cents(total), count)]


def net(gross: float, percent: float) -> float:
    """Return an amount without the tax it includes."""
    return amount(half_up(cents(gross) * 100 / (100 + percent)))


def tax(gross: float, percent: float) -> float:
    """Return the tax that an amount includes: what is left beside the net amount."""
    return amount(cents(gross) - cents(net(gross, percent)))
