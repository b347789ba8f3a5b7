"""ExpeL: a short list of counted insights, and the most similar successful trajectories.

Zhao et al. 2023, arXiv 2308.10144. Insights are edited by operations of a language model: ADD starts one at 2, EDIT
rewrites one and AGREE (the paper's UPVOTE) confirms one, both +1, REMOVE (DOWNVOTE) -1; at 0 an insight goes. There are
at most 20. Retrieval: all insights, the best supported first, and the nearest successful trajectories.

Chosen here: the model sees one finished run at a time, where the paper compares a failure with a success of the same
task, which no memory here ever has; a full list makes room for a new insight by dropping its lowest; two trajectories
are retrieved, as their edits and test results.
"""

import asyncio
import json
from dataclasses import dataclass, field
from typing import Any

from agents.memo_structure import MemoStructure, Sub_memo_layer
from eval_envs.base_envs import Basic_Recorder
from langchain_chroma import Chroma
from utils.hire_agent import Agent, Embedding

INSIGHTS = 20
INSIGHT_CHARACTERS = 500
TRAJECTORIES = 2
RUN_CHARACTERS = 3_000
OBSERVATION_CHARACTERS = 1_200

CRITIC = f"""You keep a list of at most {INSIGHTS} numbered insights for a coding agent that repairs bugs. You get the
list and the record of a finished run (reward 1.0: solved). Answer with at most four operations:
- AGREE with the id of an insight that the run confirms,
- REMOVE with the id of an insight that the run contradicts or that another one says as well,
- EDIT with the id of an insight and a text that makes it more general or more exact,
- ADD with the text of a new insight (id 0), when the run teaches what no insight says. For a solved run quote place
  and change: In `path` `function`: test_name failed with `error`; fixed by changing `before` to `after`"""
OPERATIONS = {
    "type": "object",
    "properties": {
        "operations": {
            "type": "array",
            "maxItems": 4,
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
class InsightLayer(Sub_memo_layer):
    layer_intro: str = (
        "At most 20 insights by number, each a text and a count. Update: operations of an LLM move counts; at 0 an "
        "insight goes, and a full list drops its lowest for a new one. Retrieve: all, the best supported first."
    )
    database: dict[int, dict[str, Any]] = field(default_factory=dict)
    made: int = 0

    async def retrieve(self, **kwargs: Any) -> str:
        ranked = sorted(self.database.values(), key=lambda insight: -insight["count"])
        return "\n".join(f"- ({insight['count']}) {insight['text']}" for insight in ranked)

    def listed(self) -> str:
        return "\n".join(f"[{number}] {insight['text']}" for number, insight in self.database.items())

    async def update(self, operations: Any = (), **kwargs: Any) -> None:
        for operation in operations:
            kind = operation.get("operation")
            text = " ".join(str(operation.get("text", "")).split())[:INSIGHT_CHARACTERS]
            insight = self.database.get(operation.get("id"))
            if kind == "ADD" and text:
                self.add(text)
            elif insight is None:
                continue
            elif kind == "REMOVE":
                insight["count"] -= 1
                if insight["count"] <= 0:
                    del self.database[operation["id"]]
            elif kind in ("AGREE", "EDIT"):
                insight["count"] += 1
                if kind == "EDIT" and text:
                    insight["text"] = text

    def add(self, text: str) -> None:
        if len(self.database) >= INSIGHTS:
            del self.database[min(self.database, key=lambda number: (self.database[number]["count"], number))]
        self.made += 1
        self.database[self.made] = {"text": text, "count": 2}


@dataclass
class TrajectoryLayer(Sub_memo_layer):
    layer_intro: str = (
        "A Chroma collection of solved tasks: the text is project and issue, the metadata hold the run in short. "
        "Update: append when solved. Retrieve: the nearest."
    )
    database: Any = None

    def __post_init__(self) -> None:
        self.database = Chroma(embedding_function=Embedding())

    async def retrieve(self, query: str = "", **kwargs: Any) -> str:
        found = await asyncio.to_thread(self.database.similarity_search, query, TRAJECTORIES)
        return "\n\n".join(f"{document.page_content}\n{document.metadata['run']}" for document in found)

    async def update(self, query: str = "", run: str = "", **kwargs: Any) -> None:
        await asyncio.to_thread(self.database.add_texts, [query], [{"run": run}])


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
    return f"Reward: {recorder.reward}\nSteps: [{', '.join(kept)}]"


class ExpeL(MemoStructure):
    def __init__(self) -> None:
        super().__init__()
        self.insights, self.trajectories = InsightLayer(), TrajectoryLayer()
        self.database = [self.insights, self.trajectories]
        self.lock = asyncio.Lock()

    async def general_retrieve(self, recorder: Basic_Recorder) -> dict[str, Any]:
        memory = {
            "insights": await self.insights.retrieve(),
            "similar_solved_tasks": await self.trajectories.retrieve(query=query_of(recorder.init)),
        }
        return {name: text for name, text in memory.items() if text}

    async def general_update(self, recorder: Basic_Recorder) -> None:
        async with self.lock:
            if recorder.reward == 1.0:
                await self.trajectories.update(query=query_of(recorder.init), run=run_in_short(recorder))
            insights = self.insights.listed() or "(none)"
            request = f"# Existing insights\n{insights}\n\n# Finished run\n{record_of(recorder)}"
            reply = await Agent(CRITIC, OPERATIONS).ask(request)
            await self.insights.update(operations=reply.get("operations", []))
