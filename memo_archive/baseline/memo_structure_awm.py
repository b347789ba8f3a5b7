"""Agent workflow memory: sub-routines that recur, drawn from successful runs only.

Wang et al. 2024, arXiv 2409.07429, its online variant: after a solved task a language model induces workflows, each
with a name, a description of when to use it and abstracted steps (values that change are placeholders); a workflow
that is known already is not added again. As in the paper, where workflows are kept per website, they are kept per
project and all of the task's project are shown.

Chosen here: success is a reward of 1.0; a workflow that comes up again counts, and at most 12,000 characters of a
project are kept, the least used and oldest go first.
"""

import asyncio
import json
from dataclasses import dataclass, field
from typing import Any

from agents.memo_structure import MemoStructure, Sub_memo_layer
from eval_envs.base_envs import Basic_Recorder
from utils.hire_agent import Agent

PROJECT_CHARACTERS = 12_000
OBSERVATION_CHARACTERS = 1_200

INDUCER = """You get the record of a bug that a coding agent repaired, and the workflows that are known for the project.
Induce workflows that recur in such work: a name, a sentence on when to use it, and the steps. A step says what to look
at or what to change and why; where code was changed it quotes the place and the change, like
In `path` `function`: test_name failed with `error`; fixed by changing `before` to `after`
Replace values that differ from task to task by a placeholder. Do not repeat a known workflow."""
WORKFLOWS = {
    "type": "object",
    "properties": {
        "workflows": {
            "type": "array",
            "maxItems": 3,
            "items": {
                "type": "object",
                "properties": {
                    "name": {"type": "string"},
                    "when": {"type": "string"},
                    "steps": {"type": "array", "items": {"type": "string"}},
                },
                "required": ["name", "when", "steps"],
                "additionalProperties": False,
            },
        }
    },
    "required": ["workflows"],
    "additionalProperties": False,
}


@dataclass
class Workflow:
    name: str
    when: str
    steps: list[str]
    count: int = 1

    def text(self) -> str:
        steps = "\n".join(f"{number}. {step}" for number, step in enumerate(self.steps, 1))
        return f"## {self.name} (seen {self.count} times)\n{self.when}\n{steps}"


@dataclass
class WorkflowLayer(Sub_memo_layer):
    layer_intro: str = (
        "Workflows of each project (a dict of lists). Update: an LLM induces workflows from a solved run; one that is "
        "known raises its count. Retrieve: all workflows of the task's project, the most used first."
    )
    database: dict[str, list[Workflow]] = field(default_factory=dict)

    async def retrieve(self, project: str = "", **kwargs: Any) -> str:
        known = sorted(self.database.get(project, []), key=lambda workflow: -workflow.count)
        return "\n\n".join(workflow.text() for workflow in known)

    async def update(self, project: str = "", record: str = "", **kwargs: Any) -> None:
        known = await self.retrieve(project=project)
        reply = await Agent(INDUCER, WORKFLOWS).ask(
            f"# Known workflows\n{known or '(none)'}\n\n# Run\n{record}"
        )
        for found in reply.get("workflows", []):
            self.add(project, Workflow(found["name"], found["when"], found["steps"]))

    def add(self, project: str, new: Workflow) -> None:
        kept = self.database.setdefault(project, [])
        for known in kept:
            if known.steps == new.steps or (known.name, known.when) == (new.name, new.when):
                known.count += 1
                return
        if new.steps:
            kept.append(new)
        while len(kept) > 1 and sum(len(workflow.text()) for workflow in kept) > PROJECT_CHARACTERS:
            kept.remove(min(kept, key=lambda workflow: workflow.count))


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


class AgentWorkflowMemory(MemoStructure):
    def __init__(self) -> None:
        super().__init__()
        self.workflows = WorkflowLayer()
        self.database = self.workflows
        self.lock = asyncio.Lock()

    async def general_retrieve(self, recorder: Basic_Recorder) -> dict[str, Any]:
        text = await self.workflows.retrieve(project=str(recorder.init.get("project", "")))
        return {"workflows": text} if text else {}

    async def general_update(self, recorder: Basic_Recorder) -> None:
        if recorder.reward == 1.0:
            async with self.lock:
                await self.workflows.update(
                    project=str(recorder.init.get("project", "")), record=record_of(recorder)
                )
