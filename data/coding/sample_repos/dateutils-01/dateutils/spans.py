"""Spans of days."""

from collections.abc import Iterator
from datetime import date, timedelta

from dateutils.coerce import DateError, Day, as_date, require_count
from dateutils.months import add_months


class Span:
    """The days from `start` up to, and without, `end`. Raises DateError if end is before start."""

    def __init__(self, start: Day, end: Day) -> None:
        self.start = as_date(start)
        self.end = as_date(end)
        if self.end < self.start:
            raise DateError(f"a span cannot end at {self.end}, before {self.start}")

    @classmethod
    def month(cls, day: Day) -> "Span":
        """Return the whole month a day is in."""
        first = as_date(day).replace(day=1)
        return cls(first, add_months(first, 1))

    def __repr__(self) -> str:
        return f"Span({str(self.start)!r}, {str(self.end)!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Span) and (self.start, self.end) == (other.start, other.end)

    def __hash__(self) -> int:
        return hash((self.start, self.end))

    def __len__(self) -> int:
        return (self.end - self.start).days

    def __iter__(self) -> Iterator[date]:
        return (self.start + timedelta(days=offset) for offset in range(len(self)))

    def __contains__(self, day: Day) -> bool:
        return self.start <= as_date(day) < self.end

    def overlaps(self, other: "Span") -> bool:
        """Whether the two have a day in common."""
        return self.start < other.end and other.start < self.end

    def common(self, other: "Span") -> "Span | None":
        """Return the days that are in both, None if there are none."""
        if not self.overlaps(other):
            return None
        return Span(max(self.start, other.start), min(self.end, other.end))

    def cut(self, day: Day) -> tuple["Span", "Span"]:
        """Return the part before a day and the part from it on. Raises DateError for a day outside."""
        day = as_date(day)
        if day not in self:
            raise DateError(f"{day} is not in {self}")
        return Span(self.start, day), Span(day, self.end)

    def months(self) -> list["Span"]:
        """Return the span in parts, each of them within one month."""
        parts, start = [], self.start
        while start < self.end:
            stop = min(Span.month(start).end, self.end)
            parts.append(Span(start, stop))
            start = stop
        return parts

    def head(self, count: int) -> "Span":
        """Return the first days of the span, all of it if there are not so many. Raises DateError below 1."""
        require_count(count)
        return Span(self.start, min(self.start + timedelta(days=count), self.end))

    def split(self, count: int) -> list["Span"]:
        """Return the span in so many parts, one after the other, that differ by a day at most.

        Raises DateError for a count below 1.
        """
        require_count(count)
        cuts = [self.start + timedelta(days=len(self) * number // count) for number in range(count + 1)]
        return [Span(start, end) for start, end in zip(cuts, cuts[1:])]
