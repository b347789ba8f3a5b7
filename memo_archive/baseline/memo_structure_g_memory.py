"""G-Memory: a graph of earlier tasks, their runs below it, and scored insights above it.

Zhang et al. 2025, arXiv 2506.07398, for one agent instead of several: the interaction graph of a run is its record.
Query graph: tasks, with an edge where the cosine of their embeddings is above 0.7. Insights: a language model compares
each finished run with the insights and answers with ADD, EDIT, AGREE or REMOVE; an insight starts at 2, AGREE and EDIT
add 1, REMOVE takes 1, at 0 it is dropped (the rules of ExpeL). Retrieval: the closest tasks and
their neighbours in the graph give 2 successes, 1 failure and the 10 insights that were drawn from most of them.

Chosen here: every task is compared on its own (the authors' program works in rounds of five), a run is put into the
prompt as its edits and test results, not whole, and of 100 insights the lowest makes room for a new one.
"""

import asyncio
import json
from dataclasses import dataclass, field
from typing import Any

import networkx as nx
from agents.memo_structure import MemoStructure, Sub_memo_layer
from eval_envs.base_envs import Basic_Recorder
from langchain_chroma import Chroma
from utils.hire_agent import Agent, Embedding

EDGE = 0.7
NEAREST = 8
SUCCESSES, FAILURES, INSIGHTS = 2, 1, 10
KEPT, SHOWN_TO_CRITIC = 100, 40
RUN_CHARACTERS = 2_500
OBSERVATION_CHARACTERS = 1_200

CRITIC = """You keep numbered insights for a coding agent that repairs bugs. You get the insights and the record of a
finished run. Answer with operations:
- AGREE with the id of an insight that this run confirms,
- REMOVE with the id of an insight that this run shows to be wrong or useless,
- EDIT with the id of an insight and its improved text,
- ADD with the text of a new insight, when the run teaches something that no insight says (id 0).
A solved run has reward 1.0: then state the place, the failing test and the change of code exactly, like
In `path` `function`: test_name failed with `error`; fixed by changing `before` to `after`"""
OPERATIONS = {
    "type": "object",
    "properties": {
        "operations": {
            "type": "array",
            "maxItems": 6,
            "items": {
                "type": "object",
                "properties": {
                    "operation": {"type": "string", "enum": ["ADD", "EDIT", "AGREE", "REMOVE"]},
                    "id": {"type": "integer"},
                    "text": {"type": "string"},
                },
                "required": ["operation", "id", "text"],
                "additionalProperties": False,
            },
        }
    },
    "required": ["operations"],
    "additionalProperties": False,
}


@dataclass
class QueryLayer(Sub_memo_layer):
    layer_intro: str = (
        "A networkx graph of finished tasks (attributes: run, solved) and a Chroma collection of their issues. Update: "
        "a node, with edges to the tasks above cosine 0.7. Retrieve: the closest tasks, then their neighbours."
    )
    database: Any = None
    graph: Any = None

    def __post_init__(self) -> None:
        self.database = Chroma(embedding_function=Embedding(), collection_metadata={"hnsw:space": "cosine"})
        self.graph = nx.Graph()

    async def retrieve(self, query: str = "", **kwargs: Any) -> list[int]:
        found = await self.nearest(query)
        tasks = dict.fromkeys(task for task, _ in found)
        for task in list(tasks):
            tasks |= dict.fromkeys(
                sorted(self.graph.neighbors(task), key=lambda n: -self.graph[task][n]["cosine"])[:3]
            )
        return list(tasks)

    async def nearest(self, query: str) -> list[tuple[int, float]]:
        found = await asyncio.to_thread(self.database.similarity_search_with_score, query, NEAREST)
        return [(document.metadata["task"], 1 - distance) for document, distance in found]

    async def update(self, query: str = "", run: str = "", solved: bool = False, **kwargs: Any) -> int:
        close = [(task, cosine) for task, cosine in await self.nearest(query) if cosine > EDGE]
        task = len(self.graph)
        self.graph.add_node(task, run=run, solved=solved)
        self.graph.add_weighted_edges_from(
            ((task, other, cosine) for other, cosine in close), weight="cosine"
        )
        await asyncio.to_thread(self.database.add_texts, [query], [{"task": task}])
        return task


@dataclass
class InsightLayer(Sub_memo_layer):
    layer_intro: str = (
        "A dict of insights by number: text, score, and the tasks they come from. Update: operations of an LLM move "
        "scores; at 0 an insight is dropped. Retrieve: the insights drawn from most of the given tasks, then by score."
    )
    database: dict[int, dict[str, Any]] = field(default_factory=dict)
    made: int = 0

    async def retrieve(self, tasks: Any = (), **kwargs: Any) -> str:
        near = set(tasks)
        ranked = sorted(self.database.values(), key=lambda i: (-len(near & set(i["tasks"])), -i["score"]))
        return "\n".join(f"- {insight['text']}" for insight in ranked[:INSIGHTS])

    def listed(self) -> str:
        """The insights as the critic sees them: those with the highest scores."""
        ranked = sorted(self.database.items(), key=lambda item: -item[1]["score"])[:SHOWN_TO_CRITIC]
        return "\n".join(f"[{number}] {insight['text']}" for number, insight in sorted(ranked))

    async def update(self, operations: Any = (), task: int = 0, **kwargs: Any) -> None:
        for operation in operations:
            kind, text = operation.get("operation"), " ".join(str(operation.get("text", "")).split())
            insight = self.database.get(operation.get("id"))
            if kind == "ADD" and text:
                if len(self.database) >= KEPT:
                    del self.database[min(self.database, key=lambda n: (self.database[n]["score"], n))]
                self.made += 1
                self.database[self.made] = {"text": text, "score": 2, "tasks": [task]}
            elif insight is None:
                continue
            elif kind == "REMOVE":
                insight["score"] -= 1
                if insight["score"] <= 0:
                    del self.database[operation["id"]]
            elif kind in ("AGREE", "EDIT"):
                insight["score"] += 1
                insight["tasks"].append(task)
                if kind == "EDIT" and text:
                    insight["text"] = text


def query_of(init: dict[str, Any]) -> str:
    return f"Project: {init.get('project', '')}\n{init.get('problem_statement', '')}"


def record_of(recorder: Basic_Recorder) -> str:
    steps = [
        {**step, "observation": str(step.get("observation", ""))[:OBSERVATION_CHARACTERS]}
        for step in recorder.steps
    ]
    return (
        f"{query_of(recorder.init)}\nReward: {recorder.reward} (1.0 means that the task was solved)\n\n"
        f"Trajectory:\n{json.dumps(steps, ensure_ascii=False)}"
    )


def run_in_short(recorder: Basic_Recorder) -> str:
    """What was changed and what the tests said, as JSON steps; the last ones when they are too many."""
    kept = [
        json.dumps(
            {
                "step": s.get("step"),
                "action": s["action"],
                "observation": str(s.get("observation", ""))[-200:],
            },
            ensure_ascii=False,
        )
        for s in recorder.steps
        if s.get("action", {}).get("action") in ("edit_file", "create_file", "run_command")
    ]
    while len(kept) > 1 and sum(map(len, kept)) > RUN_CHARACTERS:
        del kept[0]
    return f"{query_of(recorder.init)}\nReward: {recorder.reward}\nSteps: [{', '.join(kept)}]"


class GMemory(MemoStructure):
    def __init__(self) -> None:
        super().__init__()
        self.queries, self.insights = QueryLayer(), InsightLayer()
        self.database = [self.queries, self.insights]
        self.lock = asyncio.Lock()

    async def general_retrieve(self, recorder: Basic_Recorder) -> dict[str, Any]:
        tasks = await self.queries.retrieve(query=query_of(recorder.init))
        nodes = [self.queries.graph.nodes[task] for task in tasks]
        memory = {
            "insights": await self.insights.retrieve(tasks=tasks),
            "successful_runs": "\n\n".join([n["run"] for n in nodes if n["solved"]][:SUCCESSES]),
            "failed_run": "\n\n".join([n["run"] for n in nodes if not n["solved"]][:FAILURES]),
        }
        return {name: text for name, text in memory.items() if text}

    async def general_update(self, recorder: Basic_Recorder) -> None:
        async with self.lock:
            task = await self.queries.update(
                query=query_of(recorder.init), run=run_in_short(recorder), solved=recorder.reward == 1.0
            )
            insights = self.insights.listed() or "(none)"
            request = f"# Existing insights\n{insights}\n\n# Finished run\n{record_of(recorder)}"
            reply = await Agent(CRITIC, OPERATIONS).ask(request)
            await self.insights.update(operations=reply.get("operations", []), task=task)
