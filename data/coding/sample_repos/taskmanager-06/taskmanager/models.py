"""The task and what can be asked of one task alone."""

from dataclasses import dataclass, field
from datetime import date

from taskmanager.effort import to_minutes
from taskmanager.naming import key

TODO = "todo"
DOING = "doing"
REVIEW = "review"
DONE = "done"
DROPPED = "dropped"

FINISHED = frozenset({DONE, DROPPED})


@dataclass(frozen=True)
class LogEntry:
    """Work on a task: the day and the minutes spent."""

    day: date
    minutes: int


@dataclass
class Task:
    """One task. Labels and assignee are keys, estimate and spent are minutes."""

    id: int
    title: str
    status: str = TODO
    priority: int = 3
    labels: set[str] = field(default_factory=set)
    assignee: str | None = None
    estimate: int = 0
    spent: int = 0
    due: date | None = None
    depends: set[int] = field(default_factory=set)
    repeat_days: int | None = None
    finished: date | None = None
    log: list[LogEntry] = field(default_factory=list)

    @property
    def is_open(self) -> bool:
        """Whether there is still something to do."""
        return self.status not in FINISHED

    @property
    def remaining(self) -> int:
        """Minutes left of the estimate; never negative, 0 for a finished task."""
        if not self.is_open:
            return 0
        return max(0, self.estimate - self.spent)

    def has_label(self, label: str) -> bool:
        """Whether the task carries the label, however it is typed."""
        return key(label) in self.labels

    def is_overdue(self, today: date) -> bool:
        """Whether an open task is late; on the due day itself it is not."""
        return self.is_open and self.due is not None and self.due < today

    def log_time(self, hours: float, day: date) -> None:
        """Book hours of work done on a day."""
        minutes = to_minutes(hours)
        self.spent += minutes
        self.log.append(LogEntry(day, minutes))
