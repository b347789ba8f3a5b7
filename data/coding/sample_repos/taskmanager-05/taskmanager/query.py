"""The search language: words and filters, all of which must hold.

    invoice label:home-office who:"Ann Lee" prio:1-2 is:open

A filter is one of label, who, prio (a number or a range with both ends), is (open, done, overdue).
Anything else must occur in the title. Quotes keep a value with spaces together; a leading minus
turns a filter or word round.
"""

import shlex
from datetime import date

from taskmanager.errors import QueryError
from taskmanager.models import DONE, Task
from taskmanager.naming import key
from taskmanager.planning import urgency
from taskmanager.store import TaskStore


def search(store: TaskStore, text: str, today: date | None = None) -> list[Task]:
    """Return the matching tasks, the most urgent first. Raises QueryError."""
    try:
        terms = shlex.split(text)
    except ValueError as error:
        raise QueryError(str(error)) from None
    found = [task for task in store if all(_holds(task, term, today) for term in terms)]
    return sorted(found, key=urgency)


def _holds(task: Task, term: str, today: date | None) -> bool:
    if term.startswith("-") and len(term) > 1:
        return not _holds(task, term[1:], today)
    name, colon, value = term.partition(":")
    if not colon:
        return term.casefold() in task.title.casefold()
    if name == "label":
        return key(value) in task.labels
    if name == "who":
        return task.assignee == key(value)
    if name == "prio":
        low, high = _range(value)
        return low <= task.priority <= high
    if name == "is":
        return _state(task, value, today)
    raise QueryError(f"there is no filter {name!r}")


def _range(value: str) -> tuple[int, int]:
    low, dash, high = value.partition("-")
    try:
        return int(low), int(high if dash else low)
    except ValueError:
        raise QueryError(f"not a priority: {value!r}") from None


def _state(task: Task, value: str, today: date | None) -> bool:
    if value == "open":
        return task.is_open
    if value == "done":
        return task.status == DONE
    if value == "overdue":
        if today is None:
            raise QueryError("is:overdue needs to know the day")
        return task.is_overdue(today)
    raise QueryError(f"not a state: {value!r}")
