"""Exceptions of the package; all of them derive from TaskError."""


class TaskError(Exception):
    """Base class of everything this package raises on purpose."""


class UnknownTask(TaskError):
    """There is no task with this id."""


class InvalidName(TaskError):
    """A label or a person's name is empty."""


class InvalidTransition(TaskError):
    """The workflow does not allow this change of status."""


class CycleError(TaskError):
    """A dependency would make a task wait for itself."""


class QueryError(TaskError):
    """A search text cannot be understood."""
