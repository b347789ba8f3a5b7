"""Control: a real design's notes, handed to the wrong tasks.

Wraps a design (`shuffled:ace`; `shuffled` alone wraps claude_md). The design learns as always; before a task it is
asked about another one, drawn from the tasks it has learned from, of another project if there is one. Same memory,
same form: what helps nevertheless does not depend on retrieval. A design that shows all it has to every task loses
nothing here but the order of its sections.
"""

import random
from collections.abc import Callable
from typing import Any

from agents.memo_structure import MemoStructure
from eval_envs.base_envs import Basic_Recorder


class Shuffled(MemoStructure):
    def __init__(self, inner: Callable[[], MemoStructure]) -> None:
        super().__init__()
        self.real = inner()
        self.database = self.real.database
        self.seen: list[dict[str, Any]] = []

    async def general_retrieve(self, recorder: Basic_Recorder) -> dict[str, Any]:
        project, issue = recorder.init.get("project"), recorder.init.get("problem_statement")
        others = [init for init in self.seen if init.get("problem_statement") != issue]
        foreign = [init for init in others if init.get("project") != project] or others
        if not foreign:
            return {}
        wrong = random.Random(f"{project} {issue}").choice(foreign)  # the same one in every repeat
        return await self.real.general_retrieve(Basic_Recorder(init=wrong))

    async def general_update(self, recorder: Basic_Recorder) -> None:
        self.seen.append(dict(recorder.init))
        await self.real.general_update(recorder)
