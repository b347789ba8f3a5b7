"""Exceptions of the package; all of them derive from LedgerError."""


class LedgerError(Exception):
    """Base class of everything this package raises on purpose."""


class UnknownEntry(LedgerError):
    """There is no entry with this number."""


class UnknownAccount(LedgerError):
    """No budget or entry knows this account."""


class UnknownMember(LedgerError):
    """Nobody of this name has ever joined."""


class BadLine(LedgerError):
    """A line of a bank statement cannot be read."""
