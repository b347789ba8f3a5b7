"""What may be spent on an account in a month."""

from clubledger.book import Book
from clubledger.errors import UnknownAccount
from clubledger.money import amount, cents
from clubledger.names import canonical, is_below, parents
from clubledger.periods import Period, months


class Budget:
    """Monthly limits by account; a limit holds for the account and all below it."""

    def __init__(self) -> None:
        self._limits: dict[str, int] = {}

    def set(self, account: str, monthly: float) -> None:
        """Allow an amount a month, in place of what was allowed before."""
        self._limits[canonical(account)] = cents(monthly)

    def limit(self, account: str, period: Period) -> float:
        """Return what may be spent in a period: the monthly limit for every month that it touches.

        An account without a limit of its own has that of the nearest account above it. Raises UnknownAccount.
        """
        return amount(self._monthly(account) * len(months(period)))

    def left(self, book: Book, account: str, period: Period) -> float:
        """Return what is left of a limit in a period; negative when it is exceeded."""
        allowed = self._monthly(account) * len(months(period))
        return amount(allowed - spent(book, account, period))

    def exceeded(self, book: Book, period: Period) -> list[str]:
        """Return the accounts that have spent more than their limit, in alphabetical order."""
        count = len(months(period))
        return [
            account
            for account in sorted(self._limits)
            if spent(book, account, period) > self._limits[account] * count
        ]

    def _monthly(self, account: str) -> int:
        for path in [canonical(account), *reversed(parents(account))]:
            if path in self._limits:
                return self._limits[path]
        raise UnknownAccount(f"no budget for {account}")


def spent(book: Book, account: str, period: Period) -> int:
    """Return the cents spent on an account and all below it; refunds reduce them."""
    return -sum(entry.value for entry in book.within(period) if is_below(entry.account, account))
