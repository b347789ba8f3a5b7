"""What a run was asked to do, checked before anything is written."""

from __future__ import annotations

import dataclasses
import json
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evals.contract import write_json_atomic

PROJECT_ROOT = Path(__file__).resolve().parent.parent
MEMO_ARCHIVE = PROJECT_ROOT / "memo_archive"
DEFAULT_TASKS = str(PROJECT_ROOT / "data/coding/tasks.jsonl")
OFFLINE = "offline"


class UsageError(Exception):
    """The user asked for something that cannot be done. One line; nothing has been written."""


@dataclass(frozen=True)
class Options:
    """One run, as the command line describes it (see ``run_main.py --help`` for the meaning of each)."""

    kind: str
    name: str
    tasks: str
    task_type: str
    rollout_type: str
    status: str
    memo_SHA: list[str]
    baseline: str
    meta_model: str
    execution_model: str
    steps: int
    seed: int
    repeats: int
    train_size: int
    update_size: int | None
    update_task: str | None
    max_container_concurrent: int
    batch_max_update_concurrent: int
    batch_max_retrieve_concurrent: int
    history_ckpt_path: str | None
    hints: str
    selection: str
    sandbox: str
    fresh_collection: bool
    memory_tokens: int = 4000
    save_memory: str | None = None
    load_memory: str | None = None
    builds: int = 1
    folds: int = 2
    grouped: bool = False
    project: str | None = None
    orders: int = 6
    search_seeds: int = 3
    max_cost_usd: float | None = None
    max_tokens: int | None = None
    offline: bool | None = None
    rpm: int | None = None
    tpm: int | None = None
    history_limit: int | None = None
    action_space: str = "seed"
    evaluation: str = "full"
    confirm: bool = False
    objective: str = "reward"
    proposer: str = "prompt"
    repo_cache: str | None = None
    environments: str | None = None

    @property
    def models(self) -> list[str]:
        """The models that the run will call; only evolution has a meta agent."""
        return [self.execution_model] + [self.meta_model] * (self.kind in ("evolve", "h3"))

    @property
    def has_control(self) -> bool:
        """Whether the designs are compared with that of ``--baseline``."""
        return self.kind in ("h1", "h2", "h3")

    def save(self, path: Path) -> None:
        write_json_atomic(path, dataclasses.asdict(self))

    @classmethod
    def load(cls, path: Path) -> Options:
        """Options of an earlier run.

        Raises:
            UsageError: the folder holds no run, or one of another version.
        """
        try:
            data: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
            options = cls(**data)
            # Both become names of folders, and a packed run comes from others.
            for name in (options.name, options.task_type):
                if not re.fullmatch(r"\w[\w.-]*", name):
                    raise ValueError(f"'{name}' is no plain name")
            return options
        except FileNotFoundError as error:
            raise UsageError(f"{path.parent} is no run that can be resumed: it has no {path.name}") from error
        except (ValueError, TypeError) as error:
            raise UsageError(f"{path} cannot be read: {error}") from error


def log_dir() -> Path:
    """Where run folders go: ``LOG_DIR``, or ``logs/`` in the checkout."""
    return Path(os.environ.get("LOG_DIR") or PROJECT_ROOT / "logs").expanduser().resolve()
