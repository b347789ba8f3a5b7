"""Figures about all tasks of a store."""

from datetime import date

from taskmanager.effort import describe, to_hours
from taskmanager.models import DROPPED
from taskmanager.store import TaskStore


def hours_by_person(store: TaskStore) -> dict[str, float]:
    """Return the open hours of each person; tasks of nobody are under "-"."""
    minutes: dict[str, int] = {}
    for task in store:
        if task.is_open:
            owner = task.assignee or "-"
            minutes[owner] = minutes.get(owner, 0) + task.remaining
    return {owner: to_hours(total) for owner, total in sorted(minutes.items())}


def spent_hours(store: TaskStore, first: date, last: date) -> float:
    """Return the hours booked from the first to the last day, both included."""
    total = sum(entry.minutes for task in store for entry in task.log if first <= entry.day <= last)
    return to_hours(total)


def progress(store: TaskStore) -> int:
    """Return the finished share of all estimates in whole percent; dropped tasks do not count."""
    counted = [task for task in store if task.status != DROPPED]
    planned = sum(task.estimate for task in counted)
    if not planned:
        return 100
    left = sum(task.remaining for task in counted)
    return int(100 * (planned - left) / planned)


def overview(store: TaskStore, today: date) -> str:
    """Return one line per open task: mark, id, title and what is left of it."""
    lines = []
    for task in store:
        if task.is_open:
            mark = "!" if task.is_overdue(today) else " "
            lines.append(f"{mark} {task.id} {task.title} ({describe(task.remaining)})")
    return "\n".join(lines)
