"""Tasks that come back after they are done."""

from dataclasses import replace
from datetime import date, timedelta

from taskmanager.models import TODO, Task


def next_occurrence(task: Task, new_id: int, finished_on: date) -> Task:
    """Return the fresh task that follows a repeating one.

    It is due `repeat_days` after the old due day; a task without one counts from the day it was
    finished. Title, priority, labels, assignee and estimate stay, the work starts again at zero.
    """
    base = task.due or finished_on
    return replace(
        task,
        id=new_id,
        status=TODO,
        labels=set(task.labels),
        depends=set(),
        due=base + timedelta(days=task.repeat_days),
        spent=0,
        finished=None,
        log=[],
    )
