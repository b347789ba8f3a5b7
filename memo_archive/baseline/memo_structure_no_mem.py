"""No memory: the agent gets nothing and nothing is kept. The control of every comparison."""

from typing import Any

from agents.memo_structure import MemoStructure
from eval_envs.base_envs import Basic_Recorder


class NoMemory(MemoStructure):
    """Keeps nothing."""

    async def general_retrieve(self, recorder: Basic_Recorder) -> dict[str, Any]:
        return {}

    async def general_update(self, recorder: Basic_Recorder) -> None:
        return None
