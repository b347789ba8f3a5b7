"""The coding environment: one agent on one task in one workspace. Composes the rooms of `envs_archive.coding`."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from evals.contract import Verdict
from evals.eval_envs.base_envs import Basic_Env, Basic_Recorder
from evals.utils.parent_session import ParentSession, free_trees
from evals.utils.sandbox import Limits, SandboxKind
from evals.utils.session import WORKSPACE, Session

from .coding.actions import (
    ActionError,
    ActionLimits,
    Edits,
    Extended,
    SemanticIndexes,
    execute,
    parse_action,
)
from .coding.episode_tree import EpisodeTree, allow_overlays, base_files
from .coding.parsing import ACTION_SPACES
from .coding.pytest_settings import import_roots
from .coding.task_session import task_session
from .prompts.coding_prompt import SYSTEM_PROMPTS, user_prompt

CONFIG_FILE = Path(__file__).parent / "configs" / "coding_config.yaml"
KEPT_ANSWER = 2000  # characters of an answer without a valid action that are kept in the record

Grade = Callable[[str, dict[str, bytes | None]], Awaitable[Verdict]]


def load_config(path: Path | None = None, overrides: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """The environment's configuration: the shipped file, then the values of `path`, then `overrides`.

    Raises:
        ValueError: one line: the file cannot be read, a key is unknown, a value is none it can have.
    """
    config = yaml.safe_load(CONFIG_FILE.read_text(encoding="utf-8"))
    sources = [(str(path), _read_yaml(path))] if path is not None else []
    sources.append(("overrides", dict(overrides or {})))
    for source, values in sources:
        for key, value in values.items():
            if key not in config:
                raise ValueError(f"{source}: unknown key {key!r}; known are {', '.join(config)}")
            if key == "action_space":
                if value not in ACTION_SPACES:
                    raise ValueError(
                        f"{source}: action_space must be {' or '.join(ACTION_SPACES)}, not {value!r}"
                    )
                config[key] = value
                continue
            kinds = (int, float) if key.endswith("timeout") else (int,)
            if isinstance(value, bool) or not isinstance(value, kinds) or not 0 < value < float("inf"):
                kind = "number of seconds" if key.endswith("timeout") else "whole number"
                raise ValueError(f"{source}: {key} must be a positive {kind}, not {value!r}")
            config[key] = value
    return config


def _read_yaml(path: Path) -> dict[str, Any]:
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ValueError(f"{path}: cannot read it: {' '.join(str(error).split())}") from error
    if values is None:
        return {}
    if not isinstance(values, dict):
        raise ValueError(f"{path}: must hold keys and values")
    return values


@dataclass
class CodingRecorder(Basic_Recorder):
    """The record of one coding task."""

    async def log_action(self, action: Mapping[str, Any], observation: str) -> None:
        """Append one step; the action's thought is kept apart from it."""
        await self.log_step(
            step=len(self.steps) + 1,
            thought=action.get("thought", ""),
            action={key: value for key, value in action.items() if key != "thought"},
            observation=observation,
        )


class Coding_Env(Basic_Env):
    """Runs one task at a time: `set_task_env`, `get_prompt`, `run_step` ..., `cal_reward`, `close`.

    Args:
        tasks: public task rows (`Task.public`).
        config: from `load_config`.
        sandbox: the kind from `evals.utils.sandbox.probe`; the agent's commands run in it.
        scratch: existing folder for workspaces.
        grade: asks the trusted parent for the verdict: (task id, changed files) -> Verdict.

    Attributes:
        verdict: the last verdict; None before `cal_reward`.
    """

    _indexes = SemanticIndexes()  # of all environments in this process: many episodes start from one tree

    def __init__(
        self,
        tasks: list[dict[str, Any]],
        config: Mapping[str, Any],
        sandbox: SandboxKind,
        scratch: Path,
        grade: Grade,
    ) -> None:
        super().__init__([task["id"] for task in tasks], [], config["max_trails"])
        self.verdict: Verdict | None = None
        self._tasks = {task["id"]: task for task in tasks}
        self._config = config
        self._sandbox = sandbox
        self._scratch = scratch
        self._grade = grade
        self._space: str = config["action_space"]
        self._extended: Extended | None = None
        self._task: str | None = None
        self._tree: EpisodeTree | None = None
        self._session: Session | ParentSession | None = None
        self._open = contextlib.AsyncExitStack()
        self._lent = contextlib.AsyncExitStack()
        self._submitted = False

    @classmethod
    def prepare_process(cls, tasks: list[dict[str, Any]], sandbox: SandboxKind, scratch: Path) -> None:
        """Make what can be done only before the process has started a thread: workspaces that need no copy."""
        allow_overlays([Path(task["base"]) for task in tasks], sandbox, scratch)

    async def set_task_env(self, task: str) -> tuple[dict[str, Any], CodingRecorder]:
        """Make the workspace of a task.

        Raises:
            KeyError: no such task.
            WorkspaceError: its base cannot be copied.
        """
        row = self._tasks[task]
        await self.close()
        place = None
        if trees := (row.get("environment") or {}).get("trees"):
            place = await self._lent.enter_async_context(free_trees(trees))
        self._tree = await asyncio.to_thread(EpisodeTree, Path(row["base"]), self._scratch, place)
        self._session = await self._open.enter_async_context(
            _session(row, self._sandbox, self._workspace, self._config)
        )
        if self._space == "extended":
            self._extended = Extended(Path(row["base"]), Edits(), self._indexes)
        self._task, self._submitted, self.verdict = task, False, None
        recorder = CodingRecorder()
        await recorder.log_init(
            project=row["project"],
            problem_statement=row["problem_statement"],
            files=list(base_files(Path(row["base"]))),
            test_command=row["test_cmd"],
        )
        self.recorders[task] = recorder
        return dict(recorder.init), recorder

    @property
    def _workspace(self) -> Path:
        if self._tree is None:
            raise RuntimeError("no task is set")
        return self._tree.workspace

    async def get_prompt(self, memory: str = "") -> list[str]:
        """[system prompt, first message]; `memory` is the text the memory system hands to the agent."""
        init = self.recorders[self._task].init
        first = user_prompt(
            problem_statement=init["problem_statement"],
            project=init["project"],
            files=init["files"],
            test_command=init["test_command"],
            max_trails=self.max_trails,
            memory=memory,
        )
        return [SYSTEM_PROMPTS[self._space], first]

    async def run_step(
        self, action: str, task: str, **last_obs: Any
    ) -> tuple[dict[str, Any], CodingRecorder]:
        """Carry out the action in the agent's answer.

        Returns:
            ({"observation": text for the agent, "dones": it has submitted, "scores": None until graded}, recorder).

        Raises:
            RuntimeError: the task is not the current one, or it is over.
            SandboxLost: commands cannot be run; an infrastructure fault.
        """
        recorder = self.recorders[self._current(task)]
        if self._submitted or len(recorder.steps) >= self.max_trails:
            raise RuntimeError(f"task {task} is over")
        parsed: dict[str, Any] = {"action": "invalid", "answer": action[:KEPT_ANSWER]}
        try:
            parsed = parse_action(action, self._space)
            if parsed["action"] == "submit":
                self._submitted = True
                text = "submit: done"
            else:
                limits = ActionLimits(
                    *(self._config[key] for key in ("command_timeout", "read_chars", "search_matches"))
                )
                text = await execute(parsed, self._workspace, self._session, limits, self._extended)
        except ActionError as error:
            text = f"error: {error}"
        observation = f"[{len(recorder.steps) + 1}/{self.max_trails}] {text}"
        await recorder.log_action(parsed, observation)
        return {"observation": observation, "dones": self._submitted, "scores": None}, recorder

    async def cal_reward(self, scores: Any, task: str) -> CodingRecorder:
        """End the task: hand in what the agent changed and record the verdict's reward.

        Args:
            scores: of the last step; not read, since only grading gives a score here.

        Raises:
            RuntimeError: the task is not the current one.
        """
        recorder = self.recorders[self._current(task)]
        await self._open.aclose()  # nothing of the agent's may run while its files are read
        changes = await asyncio.to_thread(self._tree.changes)
        self.verdict = await self._grade(task, changes)
        await recorder.set_reward(self.verdict.reward)
        return recorder

    def _current(self, task: str) -> str:
        if task != self._task:
            raise RuntimeError(f"the current task is {self._task}, not {task}")
        return task

    async def close(self) -> None:
        """Stop the sandbox session and remove the workspace."""
        await self._open.aclose()
        if self._tree is not None:
            await asyncio.to_thread(self._tree.remove)
        await self._lent.aclose()
        self._tree = self._session = self._task = None


def _session(
    row: Mapping[str, Any], kind: SandboxKind, workspace: Path, config: Mapping[str, Any]
) -> Session | ParentSession:
    """Where the agent's commands on a task run: with this program's Python, with that of the task's environment, or in
    the task's image, of which only the parent can start a container."""
    environment = row.get("environment")
    if environment is None:
        return Session(kind, workspace, command_limits(config), env=import_path(row["base"]))
    if "trees" in environment:
        return ParentSession(workspace, row["id"])
    limits = command_limits({**config, "memory_mb": environment["memory_mb"]})
    return task_session(environment, kind, workspace, limits)


def import_path(base: str) -> dict[str, str]:
    """The variable that makes a project's packages importable from the workspace, as an installation of it would."""
    roots = import_roots(Path(base))
    return {"PYTHONPATH": ":".join(f"{WORKSPACE}/{name}" for name in roots)} if roots else {}


def command_limits(config: Mapping[str, Any]) -> Limits:
    """The sandbox limits of one command of the agent."""
    return Limits(
        wall_s=config["command_timeout"],
        cpu_s=config["command_timeout"],
        memory_mb=config["memory_mb"],
        processes=config["processes"],
        output_bytes=config["output_chars"],
        file_mb=config["file_mb"],
        disk_mb=config["disk_mb"],
    )
