"""What every environment and every record of a task has in common."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Basic_Recorder:
    """What is known of one run of one task. Memory designs read it; the environment writes it.

    The ``metadata`` of each field (description, type, example) is shown to the meta agent: it is part of
    the interface.
    """

    init: dict[str, Any] = field(
        default_factory=dict,
        metadata={
            "description": (
                "What is known before the first step: the project's name, the issue as its user reported it, "
                "the files of the repository and the test command. Filled before general_retrieve. It holds "
                "no task id: the same issue is recognised by its text only."
            ),
            "type": "dict[str, Any]",
            "example": {
                "project": "geometry",
                "problem_statement": "area(Rect(2, 3)) gives 5, it should be 6.",
                "files": ["geometry/shapes.py", "tests/test_shapes.py"],
                "test_command": "python -m pytest -q",
            },
        },
    )
    steps: list[dict[str, Any]] = field(
        default_factory=list,
        metadata={
            "description": (
                "The agent's steps in order; empty in general_retrieve. `step` counts from 1; `thought` may "
                "be empty; `action` is the parsed action (its `action` key names the kind; edit_file has "
                "`path` and either `old` and `new` or `content`); `observation` is the text the agent saw "
                "next: output of tests with its exit code, content of files, or an error. Most edits of a "
                "run are tries that did not help: the ones that matter are in force when the tests pass. The "
                "last action is usually `submit`."
            ),
            "type": "list[dict[str, Any]]",
            "example": [
                {
                    "step": 4,
                    "thought": "The area adds the sides.",
                    "action": {
                        "action": "edit_file",
                        "path": "geometry/shapes.py",
                        "old": "return self.a + self.b",
                        "new": "return self.a * self.b",
                    },
                    "observation": "[4/30] edit_file geometry/shapes.py: replaced 1 occurrence at line 12",
                },
                {
                    "step": 5,
                    "thought": "",
                    "action": {"action": "run_command", "command": "python -m pytest -q"},
                    "observation": "[5/30] run_command: exit code 0\n12 passed",
                },
            ],
        },
    )
    reward: float = field(
        default=0.0,
        metadata={
            "description": (
                "Share of the task's expected tests that pass after the run, from 0 to 1. 1.0 means solved. "
                "Less than 1.0 means not solved, even when it is close: tests that passed before the run "
                "count too. 0.0 until the task has ended."
            ),
            "type": "float",
            "example": 1.0,
        },
    )
    memory_retrieved: dict[str, Any] = field(
        default_factory=dict,
        metadata={
            "description": (
                "What general_retrieve returned for this run and the agent was shown; empty when the run had "
                "no memory."
            ),
            "type": "dict[str, Any]",
            "example": {"conventions": "- In `geometry`, sides are multiplied, never added."},
        },
    )

    async def log_init(self, **facts: Any) -> None:
        """Add facts known before the first step."""
        self.init.update(facts)

    async def log_step(self, **step: Any) -> None:
        """Append one step, with the keys of the example of ``steps``."""
        self.steps.append(step)

    async def log_memo_retrieved(self, memory: dict[str, Any]) -> None:
        """Keep what the memory handed to the agent."""
        self.memory_retrieved = memory

    async def set_reward(self, reward: float) -> None:
        """Set the final reward, from 0 to 1."""
        self.reward = float(reward)


class Basic_Env(ABC):
    """An environment that gives tasks to an agent, runs its actions and scores the outcome.

    Attributes:
        task_list: the tasks to be scored.
        update_task_list: the tasks memory is built from.
        max_trails: the number of steps one run may take.
        recorders: the record of each run, by task.
    """

    def __init__(
        self,
        task_list: list[Any] | None = None,
        update_task_list: list[Any] | None = None,
        max_trails: int = 30,
    ) -> None:
        self.task_list: list[Any] = list(task_list or [])
        self.update_task_list: list[Any] = list(update_task_list or [])
        self.max_trails = max_trails
        self.recorders: dict[Any, Basic_Recorder] = {}

    @classmethod  # noqa: B027
    def prepare_process(cls, tasks: list[dict[str, Any]], sandbox: Any, scratch: Any) -> None:
        """Called once, before the process has started a thread, with all tasks of an evaluation; by default nothing
        is to be done."""

    @abstractmethod
    async def set_task_env(self, task: Any) -> tuple[dict[str, Any], Basic_Recorder]:
        """Prepare one task and return (what the agent starts from, a recorder with ``init`` filled)."""

    @abstractmethod
    async def run_step(
        self, action: str, task: Any, **last_obs: Any
    ) -> tuple[dict[str, Any], Basic_Recorder]:
        """Run one action, given as the agent's text.

        Returns:
            The observation, with `dones` (bool: the task has ended) and `scores` among its keys, and the
            recorder.
        """

    @abstractmethod
    async def cal_reward(self, scores: Any, task: Any) -> Basic_Recorder:
        """End the task: score it and return the recorder with ``reward`` set."""

    @abstractmethod
    async def get_prompt(self, *args: Any, **kwargs: Any) -> list[str]:
        """Return the agent's first prompts as ``[system, user]``."""
