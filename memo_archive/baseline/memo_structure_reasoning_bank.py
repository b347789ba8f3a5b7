"""ReasoningBank: short lessons drawn from successes and from failures, found by the closeness of their tasks.

Ouyang et al. 2025, arXiv 2509.25140. After a task a language model draws at most three memory items {title,
description, content} from it, with one prompt for successes and one for failures; the bank is append-only; before a
task the items of the most similar earlier tasks are retrieved. The paper judges success with a model, here the reward
does (1.0 is success), and it retrieves the items of one task; here those of the two closest are taken, since tasks
that teach nothing leave no items.
"""

import asyncio
import json
from dataclasses import dataclass, field
from typing import Any

from agents.memo_structure import MemoStructure, Sub_memo_layer
from eval_envs.base_envs import Basic_Recorder
from langchain_chroma import Chroma
from utils.hire_agent import Agent, Embedding

TASKS = 2
ITEMS_PER_TASK = 3
OBSERVATION_CHARACTERS = 1_200

COMMON = f"""Draw at most {ITEMS_PER_TASK} memory items from it, which must not overlap. Each has a title, one sentence
that says when it applies, and one to three sentences of content. Make them useful for other tasks in the same or
another project; where code was changed, quote the place and the change, `before` to `after`."""
FROM_SUCCESS = (
    "You get the record of a bug that a coding agent repaired. First think why it succeeded. " + COMMON
)
FROM_FAILURE = (
    "You get the record of a bug that a coding agent tried to repair in vain. First think why it failed and what would "
    "have prevented it. Never present an edit that did not help as a solution. " + COMMON
)
ITEMS = {
    "type": "object",
    "properties": {
        "items": {
            "type": "array",
            "maxItems": ITEMS_PER_TASK,
            "items": {
                "type": "object",
                "properties": {name: {"type": "string"} for name in ("title", "description", "content")},
                "required": ["title", "description", "content"],
                "additionalProperties": False,
            },
        }
    },
    "required": ["items"],
    "additionalProperties": False,
}


@dataclass
class ReasoningLayer(Sub_memo_layer):
    layer_intro: str = (
        "An append-only list of memory items with the task they came from (`items`), and a Chroma collection of those "
        "tasks. Update: an LLM draws up to three items. Retrieve: the items of the tasks closest to this one."
    )
    database: Any = None
    items: dict[str, list[dict[str, str]]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.database = Chroma(embedding_function=Embedding())

    async def retrieve(self, query: str = "", **kwargs: Any) -> str:
        found = await asyncio.to_thread(self.database.similarity_search, query, TASKS)
        items = [item for document in found for item in self.items[document.metadata["task"]]]
        return "\n\n".join(f"# {item['title']}\n{item['description']}\n{item['content']}" for item in items)

    async def update(self, query: str = "", record: str = "", solved: bool = False, **kwargs: Any) -> None:
        reply = await Agent(FROM_SUCCESS if solved else FROM_FAILURE, ITEMS).ask(record)
        items = reply.get("items", [])[:ITEMS_PER_TASK]
        if items:
            task = f"task {len(self.items) + 1}"
            self.items[task] = items
            await asyncio.to_thread(self.database.add_texts, [query], [{"task": task, "solved": solved}])


def query_of(init: dict[str, Any]) -> str:
    return f"Project: {init.get('project', '')}\n{init.get('problem_statement', '')}"


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


class ReasoningBank(MemoStructure):
    def __init__(self) -> None:
        super().__init__()
        self.bank = ReasoningLayer()
        self.database = self.bank
        self.lock = asyncio.Lock()

    async def general_retrieve(self, recorder: Basic_Recorder) -> dict[str, Any]:
        text = await self.bank.retrieve(query=query_of(recorder.init))
        return {"memory_items": text} if text else {}

    async def general_update(self, recorder: Basic_Recorder) -> None:
        async with self.lock:
            await self.bank.update(
                query=query_of(recorder.init), record=record_of(recorder), solved=recorder.reward == 1.0
            )
