"""Control: the trajectory of the task that was finished last, verbatim.

The simplest memory there is: no choice, no language model. A design that does not beat it has learned nothing that
the last run would not tell. The workflow cuts it at the limit that all designs share.
"""

import json
from typing import Any

from agents.memo_structure import MemoStructure
from eval_envs.base_envs import Basic_Recorder


class RawLast(MemoStructure):
    def __init__(self) -> None:
        super().__init__()
        self.last = ""

    async def general_retrieve(self, recorder: Basic_Recorder) -> dict[str, Any]:
        return {"last_task": self.last} if self.last else {}

    async def general_update(self, recorder: Basic_Recorder) -> None:
        self.last = (
            f"Project: {recorder.init.get('project', '')}\nIssue: {recorder.init.get('problem_statement', '')}\n"
            f"Reward: {recorder.reward} (1.0 means that the task was solved)\n"
            f"Steps: {json.dumps(recorder.steps, ensure_ascii=False, default=str)}"
        )
