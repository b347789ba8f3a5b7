"""The people and how much they can do in a day."""

from collections.abc import Iterable
from math import ceil

from taskmanager.changes import Counted
from taskmanager.effort import to_hours, to_minutes
from taskmanager.errors import TaskError
from taskmanager.naming import key
from taskmanager.store import TaskStore


class Team(Counted):
    """Daily capacity by person."""

    def __init__(self) -> None:
        super().__init__()
        self._capacity: dict[str, int] = {}

    def add(self, person: str, hours_per_day: float = 8) -> None:
        """Add a person, or change the hours of one. Raises TaskError unless the hours are positive."""
        if hours_per_day <= 0:
            raise TaskError(f"{person} needs more than {hours_per_day} hours a day")
        self._capacity[key(person)] = to_minutes(hours_per_day)
        self.touch()

    def scale(self, share: float, people: Iterable[str] | None = None) -> None:
        """Change the hours of some people, or of all, to a share of what they are (half-time is 0.5).

        Raises TaskError for a share that is not positive and for somebody unknown; then nothing changes.
        """
        if share <= 0:
            raise TaskError(f"nobody can work {share} times as much")
        names = self.members() if people is None else [key(person) for person in people]
        for name in names:
            if name not in self._capacity:
                raise TaskError(f"{name} is not in the team")
        for name in names:
            self._capacity[name] = round(self._capacity[name] * share)
        self.touch()

    def members(self) -> list[str]:
        """Return the keys of all persons in alphabetical order."""
        return sorted(self._capacity)

    def capacity(self, person: str) -> int:
        """Return the minutes a person works in a day; 0 for somebody unknown."""
        return self._capacity.get(key(person), 0)

    def free_hours(self, store: TaskStore, person: str, days: int) -> float:
        """Return the hours a person has left in so many days after all open work; may be negative."""
        work = sum(task.remaining for task in assigned_to(store, person))
        return to_hours(self.capacity(person) * days - work)

    def fits(self, store: TaskStore, person: str, hours: float, days: int) -> bool:
        """Whether a person can take on more work of so many hours within the days."""
        work = sum(task.remaining for task in assigned_to(store, person))
        return work + to_minutes(hours) <= self.capacity(person) * days

    def days_needed(self, store: TaskStore, person: str) -> int:
        """Return the full days a person's open work takes. Raises TaskError for somebody unknown."""
        if not self.capacity(person):
            raise TaskError(f"{person} is not in the team")
        work = sum(task.remaining for task in assigned_to(store, person))
        return ceil(work / self.capacity(person))

    def suggest(
        self, store: TaskStore, task_id: int, days: int, *, avoid: Iterable[str] = (), label: str | None = None
    ) -> list[str]:
        """Return the keys of those who could do a task within the days, the most experienced first.

        Experience is the time spent on finished tasks, on those with a label if one is given; of equals
        the one with more free time comes first. Whoever has the task already is not suggested.
        """
        task = store.get(task_id)
        barred = {key(person) for person in avoid}
        ranked = []
        for person in self.members():
            if person in barred or person == task.assignee:
                continue
            mine = assigned_to(store, person)
            free = self.capacity(person) * days - sum(other.remaining for other in mine)
            if free < task.remaining:
                continue
            finished = [other for other in mine if not other.is_open]
            if label is not None:
                finished = [other for other in finished if key(label) in other.labels]
            ranked.append((-sum(other.spent for other in finished), -free, person))
        return [person for *_, person in sorted(ranked)]


def assigned_to(store: TaskStore, person: str) -> list:
    """Return the tasks of a person, finished ones included."""
    name = key(person)
    return [task for task in store if task.assignee == name]


def hand_over(store: TaskStore, giver: str, taker: str) -> int:
    """Give all open tasks of one person to another; returns their number."""
    tasks = [task for task in assigned_to(store, giver) if task.is_open]
    for task in tasks:
        task.assignee = key(taker)
    return len(tasks)
