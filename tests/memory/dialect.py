"""Designs as people wrote them for the original ALMA: its idioms, its shortcuts, its habits."""

REEMBEDS = """
from agents.memo_structure import Sub_memo_layer, MemoStructure
from eval_envs.base_envs import Basic_Recorder
from typing import Dict, List, Optional

class ReembedsEverything(MemoStructure):
    def __init__(self):
        super().__init__()
        self.store = {}

    async def general_retrieve(self, recorder: Basic_Recorder) -> Dict:
        from utils.hire_agent import Embedding as E
        obs = ''.join(f'<{k}>{v}</{k}>' for k, v in recorder.init.items())
        if not self.store:
            return {}
        keys = list(self.store.keys())
        vectors = await E().get_batch_embeddings(keys)
        query = await E().get_embedding(obs)
        sims = await E.compute_one_to_group_similarity(query, vectors)
        best = max(range(len(keys)), key=lambda i: sims[i])
        return {'similar': self.store[keys[best]]} if sims[best] > 0.1 else {}

    async def general_update(self, recorder: Basic_Recorder) -> None:
        obs = ''.join(f'<{k}>{v}</{k}>' for k, v in recorder.init.items())
        self.store[obs] = {'steps': recorder.steps, 'reward': getattr(recorder, 'reward', 0.0)}
"""

CHROMA = """
import json
from dataclasses import dataclass
from typing import Any, Dict, Optional

from langchain_chroma import Chroma
from langchain.docstore.document import Document
import networkx as nx
from agents.memo_structure import Sub_memo_layer, MemoStructure
from eval_envs.base_envs import Basic_Recorder
from utils.hire_agent import Agent, Embedding

@dataclass
class NotesLayer(Sub_memo_layer):
    layer_intro: str = "Chroma notes"
    database: Optional[Any] = None

    def __post_init__(self):
        if self.database is None:
            self.database = Chroma(embedding_function=Embedding(), persist_directory="/nowhere/at/all")
        self.graph = nx.DiGraph()

    async def retrieve(self, **kwargs):
        if not self.database.get()["ids"]:
            return []
        docs = self.database.similarity_search_with_score(kwargs["query"], k=3)
        return [{"text": d.page_content, "score": s, **json.loads(d.metadata["data"])} for d, s in docs]

    async def update(self, **kwargs):
        ids = self.database.add_documents(
            [Document(page_content=kwargs["text"], metadata={"data": json.dumps(kwargs["data"])})]
        )
        self.graph.add_node(ids[0], **kwargs["data"])

class ChromaMemory(MemoStructure):
    def __init__(self):
        super().__init__()
        self.notes = NotesLayer()

    async def general_retrieve(self, recorder: Basic_Recorder) -> Dict:
        return {"notes": await self.notes.retrieve(query=str(recorder.init))}

    async def general_update(self, recorder: Basic_Recorder) -> None:
        await self.notes.update(text=str(recorder.init), data={"reward": recorder.reward, "steps": len(recorder.steps)})
"""

LOCK = """
import asyncio
from agents.memo_structure import MemoStructure
from utils.hire_agent import Agent

class Locked(MemoStructure):
    def __init__(self):
        super().__init__()
        self.db = {"insights": ""}
        self.lock = asyncio.Lock()

    async def general_retrieve(self, recorder):
        async with self.lock:
            return self.db

    async def general_update(self, recorder):
        agent = Agent(
            model="gpt-4o-mini",
            system_prompt="Summarise what the agent learned.",
            output_schema={"type": "object", "properties": {"insight": {"type": "string"}}, "required": ["insight"]},
        )
        response = await agent.ask(f"{recorder.init} {recorder.steps} reward: {recorder.reward}")
        async with self.lock:
            self.db["insights"] += response.get("insight", "")
"""

INSIDE_LOOP = """
from agents.memo_structure import MemoStructure
from utils.hire_agent import Embedding

class CallsInsideTheLoop(MemoStructure):
    def __init__(self):
        super().__init__()
        self.embedding = Embedding()
        self.rows = []

    async def general_retrieve(self, recorder):
        query = self.embedding.embed_query(str(recorder.init))
        scores = [sum(a * b for a, b in zip(query, v)) for v, _ in self.rows]
        return {"best": self.rows[scores.index(max(scores))][1]} if scores else {}

    async def general_update(self, recorder):
        texts = [str(recorder.init), str(recorder.reward)]
        vectors = self.embedding(texts)
        assert vectors == self.embedding.embed_documents(texts) and len(vectors) == 2
        self.rows.append((vectors[0], f"reward was {recorder.reward}"))
"""

HELPER = '''
from agents.memo_structure import MemoStructure, Sub_memo_layer

class BaseMemory(MemoStructure):
    """A helper class that is a MemoStructure too."""
    shared = {"count": 0}

    async def general_retrieve(self, recorder):
        raise NotImplementedError

    async def general_update(self, recorder):
        self.shared["count"] += 1

class RealMemory(BaseMemory):
    async def general_retrieve(self, recorder):
        return {"tasks seen": self.shared["count"]}
'''

NUMPY = """
from collections import Counter, defaultdict, deque
from dataclasses import dataclass
import numpy as np
from agents.memo_structure import MemoStructure

@dataclass
class Finding:
    name: str
    weight: float

class Numbers(MemoStructure):
    def __init__(self):
        self.rewards = np.zeros(0)
        self.by_project = defaultdict(lambda: deque(maxlen=3))

    async def general_retrieve(self, recorder):
        return {
            "mean": self.rewards.mean() if len(self.rewards) else np.float32(0),
            "rewards": self.rewards,
            "solved": np.bool_(True),
            "count": np.int64(len(self.rewards)),
            "projects": Counter({k: len(v) for k, v in self.by_project.items()}),
            "recent": self.by_project[recorder.init.get("project")],
            "findings": [Finding("x", np.float64(0.5))],
        }

    async def general_update(self, recorder):
        self.rewards = np.append(self.rewards, recorder.reward)
        self.by_project[recorder.init["project"]].append(len(recorder.steps))
"""

GAME_KEYS = """
from agents.memo_structure import MemoStructure

class ForAGame(MemoStructure):
    def __init__(self):
        super().__init__()
        self.seen = {}

    async def general_retrieve(self, recorder):
        return self.seen

    async def general_update(self, recorder):
        goal = recorder.init["goal"]
        self.seen[goal] = [step["action_took"] for step in recorder.steps]
"""

RUNS = {
    "re-embeds everything at every retrieval": REEMBEDS,
    "Chroma(embedding_function=Embedding())": CHROMA,
    "asyncio.Lock() in __init__": LOCK,
    "embedding(texts) inside a running loop": INSIDE_LOOP,
    "a helper class derives from MemoStructure": HELPER,
    "numpy values": NUMPY,
}
