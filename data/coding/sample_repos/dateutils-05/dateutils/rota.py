"""Who is on duty on which day."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, timedelta

from dateutils.coerce import DateError, Day, as_date
from dateutils.workdays import WorkCalendar


def rota(
    people: Sequence[str],
    start: Day,
    end: Day,
    *,
    calendar: WorkCalendar | None = None,
    absences: Mapping[str, Iterable[tuple[Day, Day]]] | None = None,
    swaps: Mapping[Day, str] | None = None,
) -> dict[date, str]:
    """Return who is on duty on each work day from start up to, and without, end.

    The people take turns in the given order. Whoever is absent (pairs of a first and a last day) is
    passed over and comes next as soon as possible. A swap names who does a day out of turn. Raises
    DateError if nobody is there on a day.
    """
    calendar = calendar or WorkCalendar()
    away = {
        person: [(as_date(first), as_date(last)) for first, last in spans]
        for person, spans in (absences or {}).items()
    }
    swapped = {as_date(day): person for day, person in (swaps or {}).items()}
    queue = list(people)
    duty = {}
    day, stop = as_date(start), as_date(end)
    while day < stop:
        if calendar.is_workday(day):
            there = [
                person
                for person in queue
                if not any(first <= day <= last for first, last in away.get(person, []))
            ]
            if day in swapped:
                duty[day] = swapped[day]
            elif there:
                duty[day] = there[0]
                queue.remove(there[0])
                queue.append(there[0])
            else:
                raise DateError(f"nobody is there on {day}")
        day += timedelta(days=1)
    return duty
