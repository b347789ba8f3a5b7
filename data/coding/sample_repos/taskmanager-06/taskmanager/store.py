"""The collection of tasks, with an index by label."""

from collections.abc import Iterable, Iterator
from datetime import date, timedelta

from taskmanager.changes import Counted
from taskmanager.effort import to_minutes
from taskmanager.errors import CycleError, TaskError, UnknownTask
from taskmanager.graph import find_cycle
from taskmanager.models import Task
from taskmanager.naming import key, keys


class TaskStore(Counted):
    """Tasks by id; iterating gives them in the order of their ids."""

    def __init__(self) -> None:
        super().__init__()
        self._tasks: dict[int, Task] = {}
        self._by_label: dict[str, set[int]] = {}
        self._last_id = 0

    def __len__(self) -> int:
        return len(self._tasks)

    def __contains__(self, task_id: int) -> bool:
        return task_id in self._tasks

    def __iter__(self) -> Iterator[Task]:
        return iter([self._tasks[number] for number in sorted(self._tasks)])

    def new_id(self) -> int:
        """Reserve the next free id."""
        self._last_id += 1
        return self._last_id

    def create(
        self,
        title: str,
        *,
        priority: int = 3,
        labels: Iterable[str] = (),
        assignee: str | None = None,
        estimate: float = 0,
        due: date | None = None,
        depends: Iterable[int] = (),
        repeat_days: int | None = None,
    ) -> Task:
        """Add a task and return it; `estimate` is in hours.

        Raises TaskError for an empty title or a priority outside 1 to 5, UnknownTask for an
        unknown dependency.
        """
        if not title.strip():
            raise TaskError("a task needs a title")
        if not 1 <= priority <= 5:
            raise TaskError(f"a priority is a number from 1 to 5, not {priority}")
        needed = {self.get(other).id for other in depends}
        task = Task(
            id=self.new_id(),
            title=title.strip(),
            priority=priority,
            labels=keys(labels),
            assignee=None if assignee is None else key(assignee),
            estimate=to_minutes(estimate),
            due=due,
            depends=needed,
            repeat_days=repeat_days,
        )
        return self.insert(task)

    def insert(self, task: Task) -> Task:
        """Add a finished Task object and index it."""
        self._tasks[task.id] = task
        for label in task.labels:
            self._by_label.setdefault(label, set()).add(task.id)
        self.touch()
        return task

    def get(self, task_id: int) -> Task:
        """Return the task, raising UnknownTask."""
        try:
            return self._tasks[task_id]
        except KeyError:
            raise UnknownTask(f"no task {task_id}") from None

    def remove(self, task_id: int) -> Task:
        """Take a task out; nothing depends on it any more. Raises UnknownTask."""
        task = self.get(task_id)
        for label in task.labels:
            self._unindex(label, task_id)
        for other in self:
            other.depends.discard(task_id)
        self.touch()
        return self._tasks.pop(task_id)

    def with_label(self, label: str) -> list[Task]:
        """Return the tasks that carry a label, in the order of their ids."""
        return [self._tasks[number] for number in sorted(self._by_label.get(key(label), ()))]

    def labels(self) -> dict[str, int]:
        """Return how many tasks each label in use has."""
        return {label: len(self._by_label[label]) for label in sorted(self._by_label)}

    def add_label(self, task_id: int, label: str) -> None:
        """Put a label on a task."""
        name = key(label)
        self.get(task_id).labels.add(name)
        self._by_label.setdefault(name, set()).add(task_id)
        self.touch()

    def drop_label(self, task_id: int, label: str) -> None:
        """Take a label off a task; nothing happens when it has none."""
        name = key(label)
        self.get(task_id).labels.discard(name)
        self._unindex(name, task_id)
        self.touch()

    def rename_label(self, old: str, new: str) -> int:
        """Rename a label on all its tasks and return their number.

        An existing label of the new name is kept: the two are merged.
        """
        tasks = self.with_label(old)
        for task in tasks:
            self.drop_label(task.id, old)
            self.add_label(task.id, new)
        return len(tasks)

    def depend(self, task_id: int, on: int) -> None:
        """Make a task wait for another one; raises CycleError and changes nothing for a circle."""
        task, needed = self.get(task_id), self.get(on)
        depends = {other.id: set(other.depends) for other in self}
        depends[task.id].add(needed.id)
        cycle = find_cycle(depends)
        if cycle:
            raise CycleError(" -> ".join(str(number) for number in cycle))
        task.depends.add(needed.id)
        self.touch()

    def reschedule(self, days: int, *, label: str | None = None, after: date | None = None) -> list[Task]:
        """Move the due days of open tasks by a number of days, and return the tasks that were moved.

        Only those with a label, if one is given, and only those that are due after a day, if one is given.
        """
        moved = []
        for task in self:
            if not task.is_open or task.due is None:
                continue
            if label is not None and not task.has_label(label):
                continue
            if after is not None and task.due <= after:
                continue
            task.due += timedelta(days=days)
            moved.append(task)
        self.touch()
        return moved

    def _unindex(self, label: str, task_id: int) -> None:
        tasks = self._by_label.get(label, set())
        tasks.discard(task_id)
        if not tasks:
            self._by_label.pop(label, None)
