"""The dataclasses that cross the border between the trusted parent and one evaluation subprocess.

Everything here is plain data with JSON in and out; neither side needs anything else of the other.
"""

from __future__ import annotations

import dataclasses
import json
import os
import secrets
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

Phase = Literal["update", "retrieve"]
Status = Literal["ok", "design_error", "infra_error"]
Ending = Literal["submit", "step_limit", "context", "refused", "infra"]


def write_json_atomic(path: Path, data: Any) -> None:
    """Write JSON so that a reader sees the old file or the whole new one, never half of it."""
    # A name that nobody can guess: where generated code may write, a link could stand at any other.
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}.tmp")
    with open(temporary, "x", encoding="utf-8") as handle:
        json.dump(data, handle, ensure_ascii=False, indent=1)
        handle.write("\n")
        handle.flush()
        os.fsync(handle.fileno())
    os.replace(temporary, path)


def _known_fields(cls: type, data: dict[str, Any]) -> dict[str, Any]:
    names = {f.name for f in dataclasses.fields(cls)}
    unknown = sorted(set(data) - names)
    if unknown:
        raise ValueError(f"{cls.__name__}: unknown fields {', '.join(unknown)}")
    return data


@dataclass(frozen=True)
class EvalSpec:
    """One evaluation: which design, on which tasks, with which model, under which limits.

    Attributes:
        design: SHA or baseline name, for the records.
        design_path: the design's Python file; None runs the tasks with no memory and keeps the trajectories
            (a *collection*).
        rollout: ``batched`` (one read-only memory) or ``sequential`` (learning while it is deployed).
        update_tasks / retrieve_tasks: public task rows (``envs_archive.coding.tasks.Task.public``): never a gold
            patch, a hidden test or an expected test id.
        collection: ``episodes.jsonl`` of update episodes that ran before; None runs them here.
        seed: seeds the agent, per (task, repeat).
        env: configuration of the environment (``coding_config.yaml``, checked by the parent).
    """

    design: str
    design_path: str | None
    model: str
    update_tasks: list[dict[str, Any]]
    retrieve_tasks: list[dict[str, Any]]
    task_type: str = "coding"
    rollout: Literal["batched", "sequential"] = "batched"
    repeats: int = 3
    seed: int = 42
    collection: str | None = None
    update_concurrency: int = 10
    retrieve_concurrency: int = 10
    memory_timeout_s: float = 300.0
    memory_token_limit: int = 4000
    sandbox: str = "process"
    env: dict[str, Any] = field(default_factory=dict)

    def save(self, path: Path) -> None:
        write_json_atomic(path, dataclasses.asdict(self))

    @classmethod
    def load(cls, path: Path) -> EvalSpec:
        return cls(**_known_fields(cls, json.loads(path.read_text(encoding="utf-8"))))


@dataclass(frozen=True)
class Verdict:
    """What grading says of one submission: shares of the task's fixed list of expected tests that pass.

    ``error`` is set when grading itself could not be done (an infrastructure fault): such a verdict is never a score.
    """

    reward: float
    resolved: bool
    f2p_rate: float
    p2p_rate: float
    flags: list[str] = field(default_factory=list)
    seconds: float = 0.0
    error: str | None = None

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Verdict:
        return cls(**_known_fields(cls, data))


@dataclass
class Episode:
    """One agent run on one task: one line of ``episodes.jsonl``."""

    task: str
    phase: Phase
    repeat: int
    reward: float = 0.0
    resolved: bool = False
    f2p_rate: float = 0.0
    p2p_rate: float = 0.0
    flags: list[str] = field(default_factory=list)
    ended: Ending = "submit"
    steps: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    memory_tokens: int = 0
    seconds: float = 0.0
    grading_seconds: float = 0.0
    init: dict[str, Any] = field(default_factory=dict)
    memory_retrieved: Any = None
    trajectory: list[dict[str, Any]] = field(default_factory=list)
    infra_error: str | None = None

    def to_json(self) -> str:
        return json.dumps(dataclasses.asdict(self), ensure_ascii=False)

    @classmethod
    def from_json(cls, line: str) -> Episode:
        return cls(**_known_fields(cls, json.loads(line)))


def read_episodes(path: Path) -> list[Episode]:
    """Read ``episodes.jsonl``; a truncated last line (a kill in mid-write) is dropped.

    Raises:
        ValueError: a line other than the last cannot be read.
    """
    if not path.exists():
        return []
    lines = path.read_text(encoding="utf-8").split("\n")
    episodes = []
    for number, line in enumerate(lines, 1):
        if not line:
            continue
        try:
            episodes.append(Episode.from_json(line))
        except (ValueError, TypeError) as error:
            if number == len(lines):
                break
            raise ValueError(f"{path}, line {number}: {error}") from error
    return episodes


@dataclass
class EvalResult:
    """The end of one evaluation (``result.json``). ``error`` holds the traceback of a ``design_error``."""

    status: Status
    episodes: list[Episode] = field(default_factory=list)
    error: str | None = None
    seconds: float = 0.0

    def save(self, path: Path) -> None:
        """Write the verdict on the evaluation; its episodes stand in ``episodes.jsonl`` beside it."""
        write_json_atomic(path, {"status": self.status, "error": self.error, "seconds": self.seconds})

    @classmethod
    def load(cls, folder: Path) -> EvalResult:
        """Read ``result.json`` and ``episodes.jsonl`` of a finished evaluation's folder.

        Raises:
            FileNotFoundError: the evaluation left no result.
        """
        data = json.loads((folder / "result.json").read_text(encoding="utf-8"))
        return cls(episodes=read_episodes(folder / "episodes.jsonl"), **data)
