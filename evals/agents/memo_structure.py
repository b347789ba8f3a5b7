"""The two base classes a memory design is made of.

A design is one Python file with one subclass of ``MemoStructure``, constructed with no arguments, that
owns any number of ``Sub_memo_layer`` objects.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evals.agents.memory_files import load_attributes, save_attributes
from evals.eval_envs.base_envs import Basic_Recorder


@dataclass
class Sub_memo_layer(ABC):
    """One store of a memory design, with its own way of writing and reading.

    Attributes:
        layer_intro: what this layer keeps, how it is keyed, and how ``retrieve`` and ``update`` use it.
        database: the store itself: a Chroma collection, a graph, a dict, a string; None before it is built.
    """

    layer_intro: str = "What this layer keeps, how it is keyed, and how it is read and written."
    database: Any | None = None

    @abstractmethod
    async def retrieve(self, **kwargs: Any) -> Any:
        """Read from the layer. Arguments and result are agreed between the layer and its
        ``MemoStructure``."""

    @abstractmethod
    async def update(self, **kwargs: Any) -> Any:
        """Write to the layer. Arguments and result are agreed between the layer and its ``MemoStructure``."""


class MemoStructure(ABC):
    """A whole memory: what the agent is handed before a task and what is kept after it.

    One object lives for a whole evaluation. ``general_retrieve`` may run for many tasks at once;
    ``general_update`` runs for one task at a time.
    """

    # On the class too: a design whose __init__ does not call super().__init__() still has the attribute.
    database: Any | None = None

    def __init__(self) -> None:
        self.database = None

    @abstractmethod
    async def general_retrieve(self, recorder: Basic_Recorder) -> dict[str, Any]:
        """Return what the agent is given before a task, when only ``recorder.init`` is filled.

        An empty dict means nothing. The values should be text (or plain data, which is shown as JSON):
        they go into the agent's prompt as they are.
        """

    @abstractmethod
    async def general_update(self, recorder: Basic_Recorder) -> None:
        """Learn from a finished task: ``recorder.init``, ``steps`` and ``reward`` are filled."""

    def save(self, path: Path | str) -> None:
        """Write what was learned into the folder ``path``, which is made if need be.

        The default keeps all attributes, those of layers and ``Chroma`` collections included. A design whose
        state is elsewhere (a file, a service) writes its own ``save`` and ``load``.

        Raises:
            ValueError: an attribute cannot be kept.
            OSError: the folder cannot be written.
        """
        save_attributes(self, Path(path))

    def load(self, path: Path | str) -> None:
        """Take over what ``save`` wrote, in a memory that was just made.

        Raises:
            ValueError: the folder holds no memory of this design.
            OSError: it cannot be read.
        """
        load_attributes(self, Path(path))
