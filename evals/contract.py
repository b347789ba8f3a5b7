"""The dataclasses that cross the border between the trusted parent and one evaluation subprocess.

Everything here is plain data with JSON in and out; neither side needs anything else of the other.
"""

from __future__ import annotations

import dataclasses
import json
import os
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeVar

T = TypeVar("T")

Phase = Literal["update", "retrieve"]
Status = Literal["ok", "design_error", "infra_error"]
Ending = Literal["submit", "step_limit", "context", "refused", "infra"]


def write_atomic(path: Path, content: bytes) -> None:
    """Write a file so that, whatever happens, the old one or the whole new one is there; on disk when it returns."""
    # A name that nobody can guess: where generated code may write, a link could stand at any other.
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}.tmp")
    try:
        with open(temporary, "xb") as handle:
            handle.write(content)
            handle.flush()
            os.fsync(handle.fileno())
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)  # the new name is on disk too: files written later may refer to it
    finally:
        os.close(folder)


def write_json_atomic(path: Path, data: Any) -> None:
    """Write JSON so that, whatever happens, the old file or the whole new one is there."""
    text = json.dumps(data, ensure_ascii=False, indent=1) + "\n"
    write_atomic(path, text.encode("utf-8"))


def read_json_lines(path: Path, parse: Callable[[str], T]) -> tuple[list[T], int]:
    """Read a file that only ever grows by whole lines.

    A kill or a power cut leaves its end cut short, or full of what was never written: reading ends at the first line
    that is not whole.

    Returns:
        (values, size in bytes of the whole lines).
    """
    values: list[T] = []
    size = 0
    content = path.read_bytes() if path.exists() else b""
    while (end := content.find(b"\n", size)) >= 0:
        try:
            values.append(parse(content[size:end].decode("utf-8")))
        except (ValueError, TypeError):
            break
        size = end + 1
    return values, size


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
        inner_path: the file of the design that a control wraps.
        load_memory: folder of a saved memory to start from instead of an empty one.
        export: nothing is run; the memory is asked what it knows before tasks with these ``init``, and the answers
            go to ``exported.json``.
        rollout: ``batched`` (one read-only memory) or ``sequential`` (learning while it is deployed).
        update_tasks / retrieve_tasks: public task rows (``envs_archive.coding.tasks.Task.public``): never a gold
            patch, a hidden test or an expected test id.
        collection: ``episodes.jsonl`` of update episodes that ran before; None runs them here.
        seed: seeds the agent, per (task, repeat).
        interleaved: the parent says when each retrieve episode may start.
        memory_timeout_s: limit of one retrieve or one update.
        memory_token_limit: longer memory text is cut before it goes into the prompt.
        history_limit: tokens of the agent's conversation beyond which old observations are cut; None never cuts.
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
    interleaved: bool = False
    memory_timeout_s: float = 300.0
    memory_token_limit: int = 4000
    inner_path: str | None = None
    load_memory: str | None = None
    export: list[dict[str, Any]] = field(default_factory=list)
    sandbox: str = "process"
    history_limit: int | None = None
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
    """One agent run on one task: one line of ``episodes.jsonl``.

    Attributes:
        memory_tokens: size of the memory text in the prompt.
        memory_calls: model calls the design made to retrieve it, embeddings included.
        memory_seconds: what retrieving it took.
        cut_observations: what ``history_limit`` cut out of the conversation.
    """

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
    memory_calls: int = 0
    memory_seconds: float = 0.0
    cut_observations: int = 0
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
    """Read ``episodes.jsonl`` up to the first line that is not whole."""
    return read_json_lines(path, Episode.from_json)[0]


@dataclass
class Updates:
    """What it took a design to learn: finished tasks it was handed, its model calls, seconds."""

    tasks: int = 0
    calls: int = 0
    seconds: float = 0.0


@dataclass
class EvalResult:
    """The end of one evaluation (``result.json``). ``error`` holds the traceback of a ``design_error``."""

    status: Status
    episodes: list[Episode] = field(default_factory=list)
    error: str | None = None
    seconds: float = 0.0
    updates: Updates = field(default_factory=Updates)

    def save(self, path: Path) -> None:
        """Write the verdict on the evaluation; its episodes stand in ``episodes.jsonl`` beside it."""
        data = {"status": self.status, "error": self.error, "seconds": self.seconds}
        write_json_atomic(path, data | {"updates": dataclasses.asdict(self.updates)})
