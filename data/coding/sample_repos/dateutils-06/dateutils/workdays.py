"""Work days: a weekend and holidays."""

from collections.abc import Iterable
from datetime import date, timedelta

from dateutils.coerce import DateError, Day, as_date, require_count
from dateutils.spans import Span
from dateutils.weeks import SATURDAY, SUNDAY

ONE_DAY = timedelta(days=1)


class WorkCalendar:
    """Which days are worked. Raises DateError if the weekend takes the whole week."""

    def __init__(self, holidays: Iterable[Day] = (), weekend: Iterable[int] = (SATURDAY, SUNDAY)) -> None:
        self._holidays = {as_date(day) for day in holidays}
        self._weekend = frozenset(weekend)
        if len(self._weekend) > 6:
            raise DateError("a week needs a work day")

    def is_holiday(self, day: Day) -> bool:
        """Whether a day is one of the holidays; a weekend alone is none."""
        return as_date(day) in self._holidays

    def is_workday(self, day: Day) -> bool:
        """Whether a day is worked."""
        return as_date(day).weekday() not in self._weekend and not self.is_holiday(day)

    def add_workdays(self, day: Day, count: int) -> date:
        """Return the day so many work days later, or earlier for a negative count.

        The day itself is never counted, whether it is worked or not.
        """
        current = as_date(day)
        step = ONE_DAY if count > 0 else -ONE_DAY
        left = abs(count)
        while left > 0:
            current += step
            if self.is_workday(current):
                left -= 1
        return current

    def count(self, start: Day, end: Day) -> int:
        """Return the number of work days from start up to, and without, end."""
        return sum(1 for day in Span(start, end) if self.is_workday(day))

    def roll(self, day: Day) -> date:
        """Return a day if it is worked, else the next work day, but never one of another month.

        Where that would leave the month, it is the work day before instead ("modified following").
        """
        day = as_date(day)
        if self.is_workday(day):
            return day
        later = self.add_workdays(day, 1)
        return later if later.month == day.month else self.add_workdays(day, -1)

    def milestones(self, start: Day, end: Day, count: int) -> list[date]:
        """Return so many work days from start up to, and without, end, as evenly spread as can be.

        The last one is the last work day of the time. Raises DateError for a count below 1, and if there are
        not so many work days.
        """
        require_count(count)
        days = [day for day in Span(start, end) if self.is_workday(day)]
        if len(days) < count:
            raise DateError(f"only {len(days)} work days for {count} milestones")
        found = []
        for number in range(count):
            position = (number + 1) * len(days) // count - 1
            found.append(days[position])
        return found
