"""Statuses and the allowed ways between them."""

from datetime import date

from taskmanager.errors import InvalidTransition
from taskmanager.models import DOING, DONE, DROPPED, FINISHED, REVIEW, TODO, Task
from taskmanager.recurrence import next_occurrence
from taskmanager.store import TaskStore

TRANSITIONS = {
    TODO: {DOING, DROPPED},
    DOING: {TODO, REVIEW, DONE, DROPPED},
    REVIEW: {DOING, DONE},
    DONE: {TODO},
    DROPPED: {TODO},
}


def open_dependencies(store: TaskStore, task: Task) -> list[Task]:
    """Return the tasks this one still waits for."""
    return [store.get(number) for number in sorted(task.depends) if store.get(number).is_open]


def move(store: TaskStore, task_id: int, status: str, today: date) -> Task | None:
    """Change the status of a task; returns the follow-up of a repeating task that is now done.

    Raises InvalidTransition for a way that does not exist, or when work would start on a task that
    still waits for others.
    """
    task = store.get(task_id)
    if status not in TRANSITIONS[task.status]:
        raise InvalidTransition(f"task {task.id} cannot go from {task.status} to {status}")
    if status == DOING and open_dependencies(store, task):
        raise InvalidTransition(f"task {task.id} still waits for others")
    task.status = status
    task.finished = today if status in FINISHED else None
    if status == DONE and task.repeat_days:
        return store.insert(next_occurrence(task, store.new_id(), today))
    return None
