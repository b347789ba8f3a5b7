"""The books of a small club."""

from clubledger.book import Book, Entry
from clubledger.budget import Budget
from clubledger.errors import LedgerError, UnknownAccount, UnknownEntry, UnknownMember
from clubledger.members import Members

__all__ = [
    "Book",
    "Budget",
    "Entry",
    "LedgerError",
    "Members",
    "UnknownAccount",
    "UnknownEntry",
    "UnknownMember",
]
