"""The members, their fees and what they owe."""

from dataclasses import dataclass
from datetime import date

from clubledger.errors import LedgerError, UnknownMember
from clubledger.money import amount, cents, half_even, half_up
from clubledger.names import canonical
from clubledger.periods import Period, days, overlap

FAMILY_DISCOUNT = 15
"""Per cent off for everybody of a family of three or more."""


@dataclass
class Member:
    """One member. The monthly fee and what was paid are in cents; a member who stays has no last day."""

    name: str
    joined: date
    fee: int
    family: str | None = None
    left: date | None = None
    paid: int = 0


class Members:
    """Members by the canonical form of their name."""

    def __init__(self) -> None:
        self._members: dict[str, Member] = {}

    def join(self, name: str, day: date, monthly: float, family: str | None = None) -> Member:
        """Let somebody join. Raises LedgerError for a name that is taken."""
        key = canonical(name)
        if key in self._members:
            raise LedgerError(f"{name} is a member already")
        member = Member(name.strip(), day, cents(monthly), None if family is None else canonical(family))
        self._members[key] = member
        return member

    def get(self, name: str) -> Member:
        """Return a member, raising UnknownMember."""
        try:
            return self._members[canonical(name)]
        except KeyError:
            raise UnknownMember(f"nobody is called {name}") from None

    def leave(self, name: str, day: date) -> None:
        """Note somebody's last day. Raises LedgerError for a day before the first one."""
        member = self.get(name)
        if day < member.joined:
            raise LedgerError(f"{member.name} joined on {member.joined}")
        member.left = day

    def active(self, day: date) -> list[str]:
        """Return the names of those who are members on a day, in alphabetical order."""
        return sorted(
            member.name
            for member in self._members.values()
            if member.joined <= day and (member.left is None or day <= member.left)
        )

    def relatives(self, name: str) -> list[str]:
        """Return the names of a member's family, the member included; none without a family."""
        family = self.get(name).family
        if family is None:
            return []
        return sorted(member.name for member in self._members.values() if member.family == family)

    def fee(self, name: str, period: Period) -> float:
        """Return a member's fee for one month, in proportion to the days of membership in it."""
        return amount(self._fee(self.get(name), period))

    def pay(self, name: str, value: float) -> float:
        """Note a payment and return all that was paid so far."""
        member = self.get(name)
        member.paid += cents(value)
        return amount(member.paid)

    def owing(self, period: Period) -> dict[str, float]:
        """Return what each member still owes of the fee for one month; those who owe nothing are left out."""
        open_fees = {
            member.name: self._fee(member, period) - member.paid for member in self._members.values()
        }
        return {name: amount(value) for name, value in sorted(open_fees.items()) if value > 0}

    def _fee(self, member: Member, period: Period) -> int:
        stay = (member.joined, member.left or period[1])
        full = member.fee
        if member.family is not None and len(self.relatives(member.name)) >= 3:
            full = half_up(full * (100 - FAMILY_DISCOUNT) / 100)
        return half_even(full * overlap(stay, period) / days(period))
