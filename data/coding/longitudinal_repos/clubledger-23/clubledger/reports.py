"""Figures about a book."""

from clubledger.book import Book
from clubledger.money import amount, half_up, text
from clubledger.names import canonical, is_below, parents
from clubledger.periods import Period, months


def totals(book: Book, period: Period) -> dict[str, float]:
    """Return the sum of every account in a period; an account has what is below it in its sum."""
    sums: dict[str, int] = {}
    for entry in book.within(period):
        for path in [*parents(entry.account), entry.account]:
            sums[path] = sums.get(path, 0) + entry.value
    return {path: amount(sums[path]) for path in sorted(sums)}


def statement(book: Book, account: str, period: Period) -> list[str]:
    """Return one line per entry of an account in a period: day, text, value and the balance after it.

    The balance begins with what the account held before the period.
    """
    lines, balance = [], 0
    for entry in book.on(account):
        balance += entry.value
        if period[0] <= entry.day <= period[1]:
            lines.append(f"{entry.day} {entry.text} {text(entry.value)} {text(balance)}")
    return lines


def by_month(book: Book, account: str, period: Period) -> list[float]:
    """Return the sum of an account and all below it for each month that a period touches.

    Only days of the period count, also in its first and last month.
    """
    entries = [entry for entry in book.within(period) if is_below(entry.account, account)]
    return [
        amount(sum(entry.value for entry in entries if first <= entry.day <= last))
        for first, last in months(period)
    ]


def percentages(book: Book, root: str, period: Period) -> dict[str, int]:
    """Return the share of each account directly below the root in what was booked there, in whole per cent."""
    level = len(canonical(root).split(":")) + 1
    sums: dict[str, int] = {}
    for entry in book.within(period):
        if is_below(entry.account, root) and entry.account != canonical(root):
            child = ":".join(entry.account.split(":")[:level])
            sums[child] = sums.get(child, 0) + entry.value
    whole = sum(sums.values())
    return {child: half_up(100 * value / whole) for child, value in sorted(sums.items()) if whole}


def largest(book: Book, period: Period, count: int = 3) -> list[str]:
    """Return the texts of the largest payments, the largest first; of equal ones the earlier."""
    payments = [entry for entry in book.within(period) if entry.value < 0]
    return [entry.text for entry in sorted(payments, key=lambda entry: entry.value)[:count]]


def tag_total(book: Book, tag: str, period: Period) -> float:
    """Return the sum of all entries with a tag in a period."""
    return amount(sum(entry.value for entry in book.within(period) if tag in entry.tags))


def untagged(book: Book, tags, period: Period) -> list[int]:
    """Return the numbers of the entries of a period that have none of the tags."""
    wanted = {canonical(tag) for tag in tags}
    return [entry.number for entry in book.within(period) if not wanted & entry.tags]
