# ruff: noqa: F821 (names of other parts)
from __future__ import annotations

import json

from agents.memo_structure import Sub_memo_layer
from eval_envs.base_envs import Basic_Recorder


class TracesLayer(Sub_memo_layer):
    """The last steps of earlier runs as they were, for the agent to read itself."""

    def __init__(self) -> None:
        super().__init__(layer_intro="The raw end of earlier runs: last edits and test results.", database=[])

    async def update(self, recorder: Basic_Recorder) -> None:
        """Keep the tail of a run, with long observations cut."""
        issue, project = (str(recorder.init.get(name, "")) for name in ("problem_statement", "project"))
        tail = [
            {
                "step": step.get("step"),
                "action": step.get("action"),
                "observation": str(step.get("observation", ""))[:300],
            }
            for step in recorder.steps[-DESIGN["tail"] :]
        ]
        text = f"End of a run in {project} (reward {recorder.reward:.2f}):\n{json.dumps(tail, ensure_ascii=False)}"
        self.database.append(Entry(text, issue, project, issue))

    async def retrieve(self, recorder: Basic_Recorder) -> str:
        """The runs on the issues most like this one as text; empty when there are none."""
        return joined(await pick(self.database, recorder), ROOM)
