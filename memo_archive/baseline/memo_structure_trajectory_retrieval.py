"""Trajectory retrieval: the whole record of the most similar earlier task, found by the embedding of how
it began."""

import json
from dataclasses import dataclass, field
from typing import Any

from agents.memo_structure import MemoStructure, Sub_memo_layer
from eval_envs.base_envs import Basic_Recorder
from utils.hire_agent import Embedding

THRESHOLD = 0.3
OBSERVATION_CHARACTERS = 300
RECORD_CHARACTERS = 12_000


@dataclass
class TrajectoryLayer(Sub_memo_layer):
    layer_intro: str = (
        "The database lists every finished task: its initial observation, the embedding of that, and the "
        "raw record. "
        "Update: append. Retrieve: the record with the highest cosine similarity, if that is above 0.3."
    )
    database: list[dict[str, Any]] = field(default_factory=list)

    async def retrieve(self, init: dict[str, Any], **kwargs: Any) -> str:
        key = initial_observation(init)
        others = [entry for entry in self.database if entry["key"] != key]  # never a task's own earlier run
        if not others:
            return ""
        vector = await Embedding().get_embedding(key)
        scores = await Embedding.compute_one_to_group_similarity(vector, [e["vector"] for e in others])
        best = max(range(len(others)), key=lambda i: scores[i])
        return others[best]["record"] if scores[best] > THRESHOLD else ""

    async def update(self, recorder: Basic_Recorder, **kwargs: Any) -> None:
        key = initial_observation(recorder.init)
        vector = await Embedding().get_embedding(key)
        self.database.append({"key": key, "vector": vector, "record": record_of(recorder)})


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
