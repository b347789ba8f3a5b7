"""Trajectory retrieval: the whole record of the most similar earlier task, found by the embedding of how it began.

The retrieval baseline of ALMA (arXiv 2602.07755): key = the initial observation, value = the raw trajectory, every
task is stored, cosine top 1 above 0.3. Unlike there, a key is embedded once, when it is stored.
"""

import asyncio
import json
from dataclasses import dataclass
from typing import Any

from agents.memo_structure import MemoStructure, Sub_memo_layer
from eval_envs.base_envs import Basic_Recorder
from langchain_chroma import Chroma
from utils.hire_agent import Embedding

THRESHOLD = 0.3
OBSERVATION_CHARACTERS = 300
RECORD_CHARACTERS = 12_000


@dataclass
class TrajectoryLayer(Sub_memo_layer):
    layer_intro: str = (
        "A Chroma collection of every finished task: the text is its initial observation, the metadata hold the raw "
        "record. Update: append. Retrieve: the record with the highest cosine similarity, if that is above 0.3."
    )
    database: Any = None

    def __post_init__(self) -> None:
        self.database = Chroma(embedding_function=Embedding(), collection_metadata={"hnsw:space": "cosine"})

    async def retrieve(self, init: dict[str, Any], **kwargs: Any) -> str:
        key = initial_observation(init)
        found = await asyncio.to_thread(self.database.similarity_search_with_score, key, 4)
        for document, distance in found:
            if document.page_content != key:  # never a task's own earlier run
                return document.metadata["record"] if 1 - distance > THRESHOLD else ""
        return ""

    async def update(self, recorder: Basic_Recorder, **kwargs: Any) -> None:
        await asyncio.to_thread(
            self.database.add_texts,
            [initial_observation(recorder.init)],
            [{"record": record_of(recorder)}],
        )


def initial_observation(init: dict[str, Any]) -> str:
    return f"Project: {init.get('project', '')}\n{init.get('problem_statement', '')}"


def record_of(recorder: Basic_Recorder) -> str:
    """The raw trajectory as text. One that is too long loses steps from its middle: the edits that count
    stand last."""
    steps = [
        {**step, "observation": str(step.get("observation", ""))[:OBSERVATION_CHARACTERS]}
        for step in recorder.steps
    ]
    texts = [json.dumps(step, ensure_ascii=False) for step in steps]
    left_out = 0
    while len(texts) > 4 and sum(map(len, texts)) > RECORD_CHARACTERS:
        del texts[2]
        left_out += 1
    if left_out:
        texts[2:2] = [json.dumps({"left_out": f"{left_out} steps"})]
    return (
        f"{initial_observation(recorder.init)}\n\n"
        f"Reward: {recorder.reward} (1.0 means that the task was solved)\n\n"
        "Steps:\n[" + ",\n".join(texts) + "]"
    )


class TrajectoryRetrieval(MemoStructure):
    def __init__(self) -> None:
        super().__init__()
        self.trajectories = TrajectoryLayer()
        self.database = self.trajectories

    async def general_retrieve(self, recorder: Basic_Recorder) -> dict[str, Any]:
        record = await self.trajectories.retrieve(init=recorder.init)
        return {"similar_earlier_task": record} if record else {}

    async def general_update(self, recorder: Basic_Recorder) -> None:
        await self.trajectories.update(recorder=recorder)
