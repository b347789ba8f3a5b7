"""Bank statements: lines such as "2024-03-01;Hall rent;-450,00"."""

from dataclasses import dataclass
from datetime import date, timedelta

from clubledger.book import Book, Entry
from clubledger.errors import BadLine
from clubledger.money import CENTS, amount
from clubledger.names import canonical


@dataclass(frozen=True)
class Line:
    """One movement on the bank account, in cents."""

    day: date
    text: str
    value: int


def parse(source: str) -> list[Line]:
    """Read a statement; empty lines and those that begin with # do not count. Raises BadLine."""
    lines = []
    for number, raw in enumerate(source.splitlines(), 1):
        if not raw.strip() or raw.lstrip().startswith("#"):
            continue
        try:
            day, words, value = (part.strip() for part in raw.split(";"))
            lines.append(Line(date.fromisoformat(day), words, _value(value)))
        except ValueError:
            raise BadLine(f"line {number}: {raw!r}") from None
    return lines


def _value(written: str) -> int:
    """Cents of a number with a decimal comma; thousands are set off by points: "-1.250,5" is -125050."""
    sign = -1 if written.startswith("-") else 1
    whole, _, rest = written.lstrip("+-").partition(",")
    return sign * (int(whole.replace(".", "")) * CENTS + int((rest + "00")[:2]))


class Rules:
    """Which account a movement belongs to, by a word in its text; the first rule that fits counts."""

    def __init__(self) -> None:
        self._rules: list[tuple[str, str]] = []

    def add(self, word: str, account: str) -> None:
        """Send movements with this word, in any spelling, to an account."""
        self._rules.append((word.casefold(), canonical(account)))

    def account(self, line: Line, default: str = "unsorted") -> str:
        """Return the account of a movement."""
        words = line.text.casefold()
        return next((account for word, account in self._rules if word in words), canonical(default))


def book_lines(book: Book, lines: list[Line], rules: Rules) -> list[Entry]:
    """Book movements that are not in the book yet; returns the new entries.

    A movement is in the book when an entry has its day, text and value. Two equal movements of one statement
    are two.
    """
    known = [(entry.day, entry.text, entry.value) for entry in book]
    added = []
    for line in lines:
        key = (line.day, line.text, line.value)
        if key in known:
            known.remove(key)
        else:
            added.append(book.add(line.day, line.text, rules.account(line), amount(line.value)))
    return added


def missing(book: Book, lines: list[Line], slack: int = 3) -> list[Line]:
    """Return the movements without an entry of the same value at most ``slack`` days away; an entry serves once."""
    free = list(book)
    lost = []
    for line in lines:
        fits = [
            entry
            for entry in free
            if entry.value == line.value and abs(entry.day - line.day) <= timedelta(days=slack)
        ]
        if fits:
            free.remove(fits[0])
        else:
            lost.append(line)
    return lost
