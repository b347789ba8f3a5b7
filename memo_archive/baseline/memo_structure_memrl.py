"""MemRL: episodic memory whose entries earn a value, and are ranked by it.

Zhang et al. 2026, arXiv 2601.03192. An entry is (embedding of the intent, experience, Q). Retrieval in two phases:
the entries above cosine 0.5, then of these the five with the highest Q. After a task, every entry that was handed
out for it moves towards the outcome: Q <- (1 - a) Q + a r with a = 0.3, r = +1 if the task was solved, else -1.

Chosen here: a new entry is moved once by its own outcome, from 0, so that a memory that was built without retrieval
knows successes (0.3) from failures (-0.3); of equal Q the closer entry is first; at most 50 entries go from the first
phase into the second. 0.5 is the paper's; cosines of the offline embedding are lower (paraphrases: 0.48 in the
median), so that with it little or nothing is close enough.
"""

import asyncio
import json
from dataclasses import dataclass, field
from typing import Any

from agents.memo_structure import MemoStructure, Sub_memo_layer
from eval_envs.base_envs import Basic_Recorder
from langchain_chroma import Chroma
from utils.hire_agent import Agent, Embedding

SIMILARITY = 0.5
K = 5
CANDIDATES = 50
RATE = 0.3
OBSERVATION_CHARACTERS = 1_200

WRITER = """You get the record of a finished run of a coding agent on a bug. Write its experience in a few lines, for an
agent with a similar task: for a solved run (reward 1.0) the place, the failing test and the change, like
In `path` `function`: test_name failed with `error`; fixed by changing `before` to `after`; for an unsolved run what was
tried in vain and what should be looked at instead."""
EXPERIENCE = {
    "type": "object",
    "properties": {"experience": {"type": "string"}},
    "required": ["experience"],
    "additionalProperties": False,
}


@dataclass
class Entry:
    intent: str
    experience: str
    q: float


@dataclass
class EpisodeLayer(Sub_memo_layer):
    layer_intro: str = (
        "Entries by id (`entries`: intent, experience, Q) and a Chroma collection of their intents. Retrieve: cosine "
        "above 0.5, then the highest Q. Update: `reward` moves the Q of entries that were handed out, `add` appends."
    )
    database: Any = None
    entries: dict[str, Entry] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.database = Chroma(embedding_function=Embedding(), collection_metadata={"hnsw:space": "cosine"})

    async def retrieve(self, intent: str = "", **kwargs: Any) -> list[str]:
        found = await asyncio.to_thread(self.database.similarity_search_with_score, intent, CANDIDATES)
        close = [(d.metadata["entry"], 1 - distance) for d, distance in found if 1 - distance >= SIMILARITY]
        close.sort(key=lambda pair: (-self.entries[pair[0]].q, -pair[1]))
        return [id for id, _ in close[:K]]

    async def update(
        self, intent: str = "", experience: str = "", solved: bool = False, **kwargs: Any
    ) -> None:
        id = f"e{len(self.entries) + 1}"
        self.entries[id] = Entry(intent, experience, 0.0)
        self.reward([id], solved)
        await asyncio.to_thread(self.database.add_texts, [intent], [{"entry": id}])

    def reward(self, ids: list[str], solved: bool) -> None:
        for id in ids:
            entry = self.entries[id]
            entry.q = (1 - RATE) * entry.q + RATE * (1.0 if solved else -1.0)


def intent_of(init: dict[str, Any]) -> str:
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


class MemRL(MemoStructure):
    def __init__(self) -> None:
        super().__init__()
        self.episodes = EpisodeLayer()
        self.database = self.episodes
        self.handed_out: dict[
            str, list[str]
        ] = {}  # intent -> entries shown for it, until its outcome is known
        self.lock = asyncio.Lock()

    async def general_retrieve(self, recorder: Basic_Recorder) -> dict[str, Any]:
        intent = intent_of(recorder.init)
        ids = await self.episodes.retrieve(intent=intent)
        self.handed_out[intent] = ids
        entries = [self.episodes.entries[id] for id in ids]
        text = "\n\n".join(f"{e.intent}\nValue: {e.q:+.2f}\n{e.experience}" for e in entries)
        return {"experiences": text} if text else {}

    async def general_update(self, recorder: Basic_Recorder) -> None:
        intent, solved = intent_of(recorder.init), recorder.reward == 1.0
        async with self.lock:
            shown = self.handed_out.pop(intent, [])
            self.episodes.reward(shown if recorder.memory_retrieved else [], solved)
            reply = await Agent(WRITER, EXPERIENCE).ask(record_of(recorder))
            if reply.get("experience"):
                await self.episodes.update(intent=intent, experience=reply["experience"], solved=solved)
