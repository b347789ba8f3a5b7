"""Reflexion: after a failed task, a critique of the own run in words.

Shinn et al. 2023, arXiv 2303.11366. The paper lets an agent try the same task again with its last reflections (at most
three) in the prompt. Here no task is met again, so the reflections of a project's last three failed tasks are shown
before its next task: what remains is the critique itself. A solved task writes nothing.
"""

import asyncio
import json
from dataclasses import dataclass, field
from typing import Any

from agents.memo_structure import MemoStructure, Sub_memo_layer
from eval_envs.base_envs import Basic_Recorder
from utils.hire_agent import Agent

REFLECTIONS = 3
CHARACTERS = 1_500
OBSERVATION_CHARACTERS = 1_200

CRITIC = """You are a coding agent that has just failed to repair a bug; you get the record of your run. In a few
sentences, diagnose why it failed: which assumption was wrong, what was tried in vain and should not be tried again, and
what plan you would follow instead. Be concrete, name files and functions."""
REFLECTION = {
    "type": "object",
    "properties": {"reflection": {"type": "string"}},
    "required": ["reflection"],
    "additionalProperties": False,
}


@dataclass
class ReflectionLayer(Sub_memo_layer):
    layer_intro: str = (
        "The last three reflections of each project (a dict of lists). Update: an LLM reflects on a failed run; a "
        "solved one changes nothing. Retrieve: the reflections of the task's project."
    )
    database: dict[str, list[str]] = field(default_factory=dict)

    async def retrieve(self, project: str = "", **kwargs: Any) -> str:
        return "\n\n".join(self.database.get(project, []))

    async def update(self, project: str = "", record: str = "", **kwargs: Any) -> None:
        reply = await Agent(CRITIC, REFLECTION).ask(record)
        text = str(reply.get("reflection", "")).strip()[:CHARACTERS]
        if text:
            self.database[project] = [*self.database.get(project, []), text][-REFLECTIONS:]


def record_of(recorder: Basic_Recorder) -> str:
    steps = [
        {**step, "observation": str(step.get("observation", ""))[:OBSERVATION_CHARACTERS]}
        for step in recorder.steps
    ]
    return (
        f"Project: {recorder.init.get('project', '')}\n"
        f"Reward: {recorder.reward} (1.0 means that the task was solved)\n"
        f"Issue: {recorder.init.get('problem_statement', '')}\n\n"
        f"Trajectory:\n{json.dumps(steps, ensure_ascii=False)}"
    )


class Reflexion(MemoStructure):
    def __init__(self) -> None:
        super().__init__()
        self.reflections = ReflectionLayer()
        self.database = self.reflections
        self.lock = asyncio.Lock()

    async def general_retrieve(self, recorder: Basic_Recorder) -> dict[str, Any]:
        text = await self.reflections.retrieve(project=str(recorder.init.get("project", "")))
        return {"reflections_on_failed_tasks": text} if text else {}

    async def general_update(self, recorder: Basic_Recorder) -> None:
        if recorder.reward < 1.0:
            async with self.lock:
                await self.reflections.update(
                    project=str(recorder.init.get("project", "")), record=record_of(recorder)
                )
