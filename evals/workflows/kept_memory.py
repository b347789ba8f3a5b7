"""A memory after its evaluation: kept in a folder, loaded again, exported as text.

The folder holds ``memory.json`` (which design, what it learned from) and what the design's ``save`` wrote.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evals.agents.memo_structure import MemoStructure
from evals.contract import Episode, EvalSpec, write_json_atomic
from evals.eval_envs.base_envs import Basic_Recorder
from evals.workflows.memory_calls import DesignError, MemoryCalls, design_traceback
from evals.workflows.same_task import episode_keys, task_keys

CARD = "memory.json"
SCHEMA = 1


@dataclass(frozen=True)
class Card:
    """What is known of a saved memory.

    Attributes:
        source: SHA-256 of the design's file, and of the design it wraps: only the same code can read it.
        learned: keys of the tasks it has learned from.
        error: why nothing was saved; None when it was.
    """

    design: str
    source: str
    learned: list[list[str]]
    error: str | None = None
    schema: int = SCHEMA

    @classmethod
    def read(cls, folder: Path) -> Card:
        """The card of a saved memory.

        Raises:
            ValueError: the folder holds none that can be used; one line.
        """
        path = folder / CARD
        if path.is_symlink() or not path.is_file():  # a design can write into this folder
            raise ValueError(f"{folder} holds no saved memory")
        try:
            card = cls(**json.loads(path.read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError) as error:
            raise ValueError(f"{path} cannot be read: {error}") from error
        if card.schema != SCHEMA:
            raise ValueError(f"{path} is of schema {card.schema}, this program reads {SCHEMA}")
        if card.error is not None:
            raise ValueError(f"the memory of {card.design} could not be saved: {card.error}")
        return card

    def met(self, tasks: Iterable[Mapping[str, Any]]) -> list[str]:
        """Ids of the tasks that the memory has learned from."""
        known = frozenset(key for keys in self.learned for key in keys)
        return [task["id"] for task in tasks if known & task_keys(task)]


def source_key(design: Path, inner: Path | None) -> str:
    """Identity of a design's code."""
    digest = hashlib.sha256(design.read_bytes())
    if inner is not None:
        digest.update(inner.read_bytes())
    return digest.hexdigest()


def keep(memory: MemoStructure, learned: Iterable[Episode], spec: EvalSpec, folder: Path) -> None:
    """Save a memory. A design that cannot be saved can be scored all the same: then the card says why."""
    before = Card.read(Path(spec.load_memory)).learned if spec.load_memory else []
    inner = Path(spec.inner_path) if spec.inner_path else None
    card = Card(
        spec.design,
        source_key(Path(spec.design_path), inner),
        [*before, *(sorted(episode_keys(episode)) for episode in learned)],
    )
    folder.mkdir(exist_ok=True)
    try:
        memory.save(folder)
    except Exception as error:
        card = dataclasses.replace(card, error=f"{type(error).__name__}: {error}")
    write_json_atomic(folder / CARD, dataclasses.asdict(card))


def load_kept(memory: MemoStructure, folder: Path) -> None:
    """Load a saved memory into a new one.

    Raises:
        DesignError: its ``load`` raised.
    """
    try:
        memory.load(folder)
    except Exception as error:
        raise DesignError(f"the saved memory {folder} cannot be loaded: {design_traceback(error)}") from error


async def export(memory: MemoryCalls, inits: list[dict[str, Any]]) -> list[dict[str, str]]:
    """What a memory hands out before tasks with these ``init``: one {project, text} each, empty ones left out.

    Raises:
        DesignError: the design broke its contract.
    """
    answers = []
    for init in inits:
        recalled = await memory.retrieve(Basic_Recorder(init=dict(init)))
        if recalled.text.strip():
            answers.append({"project": str(init.get("project", "")), "text": recalled.text})
    return answers
