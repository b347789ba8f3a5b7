"""ACE, agentic context engineering: a playbook of counted bullets that grows by small deltas.

Zhang et al. 2025, arXiv 2510.04618. Three roles: the agent works with the playbook, a reflector says what a finished
run teaches and tags the bullets it bears on as helpful, harmful or neutral, and a curator proposes bullets to add.
Counting and merging is done by code, never by rewriting the whole (what the paper calls context collapse). A bullet
reads `[id] helpful=n harmful=m :: text`, and the whole playbook is shown.

Chosen here: the reflector tags by what the run shows, whether or not the agent was shown the playbook (the tasks a
memory is built from run without one); two bullets are one when their words are (Jaccard 0.85), where the paper
compares embeddings; over budget, the bullets with the lowest helpful - harmful go first, of equals the oldest.
"""

import asyncio
import json
import re
from dataclasses import dataclass, field
from typing import Any

from agents.memo_structure import MemoStructure, Sub_memo_layer
from eval_envs.base_envs import Basic_Recorder
from utils.hire_agent import Agent

PLAYBOOK_CHARACTERS = 12_000
BULLET_CHARACTERS = 800
SAME = 0.85
OBSERVATION_CHARACTERS = 1_200

REFLECTOR = """You reflect on a coding agent's run on a bug. Find out what went wrong or right, and why. For each bullet
of the playbook that bears on this run, give its id and a tag: helpful when the run confirms it, harmful when following
it would have misled the agent, else neutral. Put the lesson of the run into `key_insight`: for a solved task (reward
1.0) the place, the failing test and the change, like
In `path` `function`: test_name failed with `error`; fixed by changing `before` to `after`"""
CURATOR = """You curate the playbook of a coding agent. You get the playbook, the finished run and the reflection on it.
Propose only what is missing: operations of type ADD with a section and the text of one bullet. Do not repeat what a
bullet says already, and do not rewrite bullets. Quote code exactly."""
REFLECTION = {
    "type": "object",
    "properties": {
        "key_insight": {"type": "string"},
        "bullet_tags": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {
                    "id": {"type": "string"},
                    "tag": {"type": "string", "enum": ["helpful", "harmful", "neutral"]},
                },
                "required": ["id", "tag"],
                "additionalProperties": False,
            },
        },
    },
    "required": ["key_insight", "bullet_tags"],
    "additionalProperties": False,
}
DELTA = {
    "type": "object",
    "properties": {
        "operations": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {
                    "type": {"type": "string", "enum": ["ADD"]},
                    "section": {"type": "string", "description": "project or topic"},
                    "content": {"type": "string"},
                },
                "required": ["type", "section", "content"],
                "additionalProperties": False,
            },
        }
    },
    "required": ["operations"],
    "additionalProperties": False,
}


@dataclass
class Bullet:
    id: str
    section: str
    text: str
    helpful: int = 0
    harmful: int = 0

    def line(self) -> str:
        return f"[{self.id}] helpful={self.helpful} harmful={self.harmful} :: {self.text}"


@dataclass
class PlaybookLayer(Sub_memo_layer):
    layer_intro: str = (
        "A list of bullets, each with an id, a section and two counters. Update: `tag` moves the counters of bullets a "
        "run confirms or contradicts, `add` appends what is new; over budget the least supported bullets are dropped. "
        "Retrieve: the whole playbook by section."
    )
    database: list[Bullet] = field(default_factory=list)
    made: int = 0

    async def retrieve(self, **kwargs: Any) -> str:
        return self.text()

    def text(self) -> str:
        sections = dict.fromkeys(bullet.section for bullet in self.database)
        return "\n\n".join(
            "\n".join([f"## {name}", *(b.line() for b in self.database if b.section == name)])
            for name in sections
        )

    async def update(self, tags: Any = (), operations: Any = (), **kwargs: Any) -> None:
        for tag in tags:
            self.tag(str(tag.get("id", "")), str(tag.get("tag", "")))
        for operation in operations:
            if operation.get("type") == "ADD":
                self.add(str(operation.get("section", "")), str(operation.get("content", "")))
        self.fit()

    def tag(self, id: str, tag: str) -> None:
        for bullet in self.database:
            if bullet.id == id and tag in ("helpful", "harmful"):
                setattr(bullet, tag, getattr(bullet, tag) + 1)

    def add(self, section: str, text: str) -> None:
        text = " ".join(text.split())[:BULLET_CHARACTERS]
        words = set(re.findall(r"\w+|[^\w\s]", text))
        for bullet in self.database:
            known = set(re.findall(r"\w+|[^\w\s]", bullet.text))
            if len(words & known) >= SAME * len(words | known):
                bullet.helpful += 1
                return
        if text:
            self.made += 1
            self.database.append(Bullet(f"b-{self.made:05d}", section.strip()[:60] or "general", text))

    def fit(self) -> None:
        while len(self.text()) > PLAYBOOK_CHARACTERS:
            self.database.remove(min(self.database, key=lambda b: (b.helpful - b.harmful, b.id)))


def record_of(recorder: Basic_Recorder) -> str:
    steps = [
        {**step, "observation": str(step.get("observation", ""))[:OBSERVATION_CHARACTERS]}
        for step in recorder.steps
    ]
    shown = "yes" if recorder.memory_retrieved else "no"
    return (
        f"# Finished run\nThe agent was shown the playbook: {shown}\n"
        f"Project: {recorder.init.get('project', '')}\n"
        f"Reward: {recorder.reward} (1.0 means that the task was solved)\n"
        f"Issue: {recorder.init.get('problem_statement', '')}\n\n"
        f"Trajectory:\n{json.dumps(steps, ensure_ascii=False)}"
    )


class Ace(MemoStructure):
    def __init__(self) -> None:
        super().__init__()
        self.playbook = PlaybookLayer()
        self.database = self.playbook
        self.lock = asyncio.Lock()

    async def general_retrieve(self, recorder: Basic_Recorder) -> dict[str, Any]:
        text = await self.playbook.retrieve()
        return {"playbook": text} if text else {}

    async def general_update(self, recorder: Basic_Recorder) -> None:
        async with self.lock:
            playbook = await self.playbook.retrieve()
            request = f"# Current playbook\n{playbook or '(empty)'}\n\n{record_of(recorder)}"
            reflection = await Agent(REFLECTOR, REFLECTION).ask(request)
            await self.playbook.update(tags=reflection.get("bullet_tags", []))
            insight = reflection.get("key_insight", "")
            delta = await Agent(CURATOR, DELTA).ask(f"{request}\n\n# Reflection\n{insight}")
            await self.playbook.update(operations=delta.get("operations", []))
