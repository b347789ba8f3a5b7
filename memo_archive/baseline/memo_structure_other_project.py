"""Control: a real design's notes, built from another project's tasks.

Wraps a design (`other_project:ace`; `other_project` alone wraps claude_md). Each project's tasks go into a memory of
their own, and a task is answered by the memory of the project that comes next in the alphabet. Same design, same form,
about the same length: what helps nevertheless is general advice, what helps only with the own project is experience.
"""

from collections.abc import Callable
from typing import Any

from agents.memo_structure import MemoStructure
from eval_envs.base_envs import Basic_Recorder


class OtherProject(MemoStructure):
    def __init__(self, inner: Callable[[], MemoStructure]) -> None:
        super().__init__()
        self.inner = inner
        self.database: dict[str, MemoStructure] = {}

    async def general_retrieve(self, recorder: Basic_Recorder) -> dict[str, Any]:
        own = str(recorder.init.get("project", ""))
        others = sorted(project for project in self.database if project != own)
        if not others:
            return {}
        lender = next((project for project in others if project > own), others[0])
        return await self.database[lender].general_retrieve(recorder)

    async def general_update(self, recorder: Basic_Recorder) -> None:
        project = str(recorder.init.get("project", ""))
        if project not in self.database:
            self.database[project] = self.inner()
        await self.database[project].general_update(recorder)
