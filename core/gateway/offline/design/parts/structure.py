# ruff: noqa: F821 (names of other parts)
from __future__ import annotations

from agents.memo_structure import MemoStructure
from eval_envs.base_envs import Basic_Recorder


class EvolvedMemory(MemoStructure):
    """Asks every layer in turn and hands on what has something to say."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = {name: LAYERS[name]() for name in DESIGN["layers"]}
        self.database = {name: layer.database for name, layer in self.layers.items()}

    async def general_retrieve(self, recorder: Basic_Recorder) -> dict:
        found = {name: await layer.retrieve(recorder=recorder) for name, layer in self.layers.items()}
        return {name: text for name, text in found.items() if text}

    async def general_update(self, recorder: Basic_Recorder) -> None:
        if worth_learning(recorder):
            for layer in self.layers.values():
                await layer.update(recorder=recorder)
