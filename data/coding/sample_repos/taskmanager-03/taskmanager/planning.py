"""What to do next, and how long all of it takes."""

from datetime import date

from taskmanager.effort import to_hours
from taskmanager.graph import in_order
from taskmanager.models import Task
from taskmanager.store import TaskStore
from taskmanager.workflow import open_dependencies


def urgency(task: Task) -> tuple[int, date, int]:
    """Return a sort key: priority first, then the due day (no due day comes last), then age."""
    return (task.priority, task.due or date.max, task.id)


def next_tasks(store: TaskStore, limit: int | None = None) -> list[Task]:
    """Return the open tasks that wait for nothing, the most urgent first."""
    ready = [task for task in store if task.is_open and not open_dependencies(store, task)]
    return sorted(ready, key=urgency)[:limit]


def finish_times(store: TaskStore) -> dict[int, float]:
    """Return the earliest finish of every open task, in hours from now.

    A task starts when everything it waits for is finished; any number of tasks run side by side.
    """
    tasks = {task.id: task for task in store if task.is_open}
    finish: dict[int, int] = {}
    for number in in_order({task.id: task.depends for task in tasks.values()}):
        start = max((finish[needed] for needed in tasks[number].depends if needed in tasks), default=0)
        finish[number] = start + tasks[number].remaining
    return {number: to_hours(minutes) for number, minutes in finish.items()}
