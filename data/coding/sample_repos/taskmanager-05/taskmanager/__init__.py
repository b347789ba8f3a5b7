"""An in-memory task list for a team."""

from taskmanager.errors import CycleError, InvalidName, InvalidTransition, TaskError, UnknownTask
from taskmanager.models import Task
from taskmanager.query import search
from taskmanager.store import TaskStore
from taskmanager.team import Team

__all__ = [
    "CycleError",
    "InvalidName",
    "InvalidTransition",
    "Task",
    "TaskError",
    "TaskStore",
    "Team",
    "UnknownTask",
    "search",
]
