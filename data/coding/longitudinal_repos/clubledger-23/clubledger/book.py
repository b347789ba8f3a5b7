"""The entries, with an index by account."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import date

from clubledger.errors import LedgerError, UnknownEntry
from clubledger.money import amount, cents, text
from clubledger.names import canonical, is_below
from clubledger.periods import Period, contains


@dataclass(frozen=True)
class Entry:
    """One booking. The account is canonical, the value is in cents, income is positive."""

    number: int
    day: date
    text: str
    account: str
    value: int
    tags: frozenset[str] = frozenset()

    def __str__(self) -> str:
        return f"{self.number} {self.day} {self.text} {text(self.value)}"


class Book:
    """Entries by number; iterating gives them by day, those of one day by number."""

    def __init__(self) -> None:
        self._entries: dict[int, Entry] = {}
        self._by_account: dict[str, set[int]] = {}
        self._closed: date | None = None
        self._last = 0

    def __len__(self) -> int:
        return len(self._entries)

    def __iter__(self) -> Iterator[Entry]:
        return iter(sorted(self._entries.values(), key=lambda entry: (entry.day, entry.number)))

    def add(self, day: date, words: str, account: str, value: float, tags: Iterable[str] = ()) -> Entry:
        """Book an amount. Raises LedgerError for an empty text or a day that is closed."""
        if not words.strip():
            raise LedgerError("an entry needs a text")
        self._check_open(day)
        self._last += 1
        entry = Entry(
            self._last, day, words.strip(), canonical(account), cents(value), frozenset(tags)
        )
        return self._put(entry)

    def get(self, number: int) -> Entry:
        """Return an entry, raising UnknownEntry."""
        try:
            return self._entries[number]
        except KeyError:
            raise UnknownEntry(f"no entry {number}") from None

    def remove(self, number: int) -> Entry:
        """Take an entry out. Raises UnknownEntry, and LedgerError for a day that is closed."""
        entry = self.get(number)
        self._check_open(entry.day)
        self._unindex(entry)
        return self._entries.pop(number)

    def move(self, number: int, account: str) -> Entry:
        """Book an entry on another account; its number stays."""
        entry = self.get(number)
        self._check_open(entry.day)
        self._unindex(entry)
        return self._put(replace(entry, account=canonical(account)))

    def reverse(self, number: int, day: date) -> Entry:
        """Book the opposite of an entry on another day, with the same account and tags."""
        entry = self.get(number)
        self._check_open(day)
        self._last += 1
        return self._put(
            replace(entry, number=self._last, day=day, value=-entry.value, text=f"Reversal: {entry.text}")
        )

    def close(self, day: date) -> None:
        """Let nothing up to this day, the day included, be changed any more. It never moves back."""
        self._closed = day if self._closed is None else max(self._closed, day)

    def accounts(self) -> list[str]:
        """Return the accounts in use in alphabetical order."""
        return sorted(self._by_account)

    def on(self, account: str) -> list[Entry]:
        """Return the entries of one account alone, by day."""
        numbers = self._by_account.get(canonical(account), set())
        return [entry for entry in self if entry.number in numbers]

    def tagged(self, tag: str) -> list[Entry]:
        """Return the entries with a tag, by day."""
        return [entry for entry in self if tag in entry.tags]

    def within(self, period: Period) -> list[Entry]:
        """Return the entries of a period, by day."""
        return [entry for entry in self if contains(period, entry.day)]

    def balance(self, account: str, until: date | None = None) -> float:
        """Return the sum of an account and of all below it, up to a day, the day included."""
        total = sum(
            entry.value
            for entry in self
            if is_below(entry.account, account) and (until is None or entry.day <= until)
        )
        return amount(total)

    def rename(self, old: str, new: str) -> int:
        """Rename an account and all below it; returns the number of entries that moved."""
        root, target = canonical(old), canonical(new)
        moved = [entry for entry in self if is_below(entry.account, root)]
        for entry in moved:
            self._unindex(entry)
            self._put(replace(entry, account=target + entry.account[len(root) :]))
        return len(moved)

    def _check_open(self, day: date) -> None:
        if self._closed is not None and day <= self._closed:
            raise LedgerError(f"the books are closed up to {self._closed}")

    def _put(self, entry: Entry) -> Entry:
        self._entries[entry.number] = entry
        self._by_account.setdefault(entry.account, set()).add(entry.number)
        return entry

    def _unindex(self, entry: Entry) -> None:
        numbers = self._by_account[entry.account]
        numbers.discard(entry.number)
        if not numbers:
            del self._by_account[entry.account]
