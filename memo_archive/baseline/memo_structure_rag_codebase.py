"""RAG over the codebase's history: earlier runs and the code changes that worked, found by the embedding of the task.

The usual retrieval-augmented agent: no language model writes the memory, two vector stores are filled with what
happened (`TrajectoryRAGLayer`: issue -> how the run went; `CodePatternLayer`: change of code -> where it helped), and
the top k of each are put into the prompt.
"""

import asyncio
import json
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Any

from agents.memo_structure import MemoStructure, Sub_memo_layer
from eval_envs.base_envs import Basic_Recorder
from langchain_chroma import Chroma
from utils.hire_agent import Embedding

RUNS, PATTERNS = 2, 4
CODE_CHARACTERS = 600
STEP_CHARACTERS = 160


@dataclass
class TrajectoryRAGLayer(Sub_memo_layer):
    layer_intro: str = (
        "A Chroma collection of finished runs: the text is project and issue, the metadata hold the run in short. "
        "Update: append. Retrieve: the runs whose issue is closest to the task's."
    )
    database: Any = None

    def __post_init__(self) -> None:
        self.database = Chroma(embedding_function=Embedding())

    async def retrieve(self, query: str = "", **kwargs: Any) -> str:
        found = await asyncio.to_thread(self.database.similarity_search, query, RUNS)
        return "\n\n".join(f"{d.page_content}\n{d.metadata['run']}" for d in found)

    async def update(self, recorder: Basic_Recorder, **kwargs: Any) -> None:
        await asyncio.to_thread(
            self.database.add_texts, [query_of(recorder.init)], [{"run": run_in_short(recorder)}]
        )


@dataclass
class CodePatternLayer(Sub_memo_layer):
    layer_intro: str = (
        "A Chroma collection of the edits that were in force when a task was solved: the text is the change with its "
        "issue. Update: the net change of a solved run. Retrieve: the changes closest to the task."
    )
    database: Any = None

    def __post_init__(self) -> None:
        self.database = Chroma(embedding_function=Embedding())

    async def retrieve(self, query: str = "", **kwargs: Any) -> str:
        found = await asyncio.to_thread(self.database.similarity_search, query, PATTERNS)
        return "\n".join(d.metadata["change"] for d in found)

    async def update(self, recorder: Basic_Recorder, **kwargs: Any) -> None:
        changes = changes_of(recorder) if recorder.reward == 1.0 else []
        if changes:
            texts = [f"{query_of(recorder.init)}\n{change}" for change in changes]
            await asyncio.to_thread(
                self.database.add_texts, texts, [{"change": change} for change in changes]
            )


def query_of(init: dict[str, Any]) -> str:
    return f"Project: {init.get('project', '')}\n{init.get('problem_statement', '')}"


def changes_of(recorder: Basic_Recorder) -> list[str]:
    """The net change of a run, line by line: what one edit brought in and a later one took out is left out."""
    net: list[dict[str, str]] = []
    for step in recorder.steps:
        action = step.get("action", {})
        if action.get("action") != "edit_file" or "error" in str(step.get("observation", ""))[:20]:
            continue
        for before, after in differing_lines(str(action.get("old", "")), str(action.get("new", ""))):
            earlier = next(
                (c for c in net if c["path"] == action.get("path") and c["after"].strip() == before.strip()),
                None,
            )
            if earlier is None:
                net.append({"path": action.get("path", ""), "before": before, "after": after})
            else:
                earlier["after"] = after
    return [
        json.dumps(change, ensure_ascii=False)
        for change in net
        if change["before"].strip() != change["after"].strip()
        and sum(map(len, change.values())) <= CODE_CHARACTERS
    ]


def differing_lines(old: str, new: str) -> list[tuple[str, str]]:
    """(before, after) of each place where two texts differ: line by line where as many lines went as came."""
    before, after = old.split("\n"), new.split("\n")
    pairs: list[tuple[str, str]] = []
    for tag, i, j, k, m in SequenceMatcher(None, before, after, autojunk=False).get_opcodes():
        if tag != "equal" and j - i == m - k:
            pairs += zip(before[i:j], after[k:m], strict=True)
        elif tag != "equal":
            pairs.append(("\n".join(before[i:j]), "\n".join(after[k:m])))
    return pairs


def run_in_short(recorder: Basic_Recorder) -> str:
    lines = [f"Reward: {recorder.reward} (1.0 means that the task was solved)"]
    for step in recorder.steps:
        action = step.get("action", {})
        what = action.get("path") or action.get("command") or action.get("pattern") or ""
        seen = str(step.get("observation", "")).strip().rpartition("\n")[2]
        lines.append(f"{step.get('step')}. {action.get('action')} {what} -> {seen}"[:STEP_CHARACTERS])
    return "\n".join(lines)


class RagCodebase(MemoStructure):
    def __init__(self) -> None:
        super().__init__()
        self.runs, self.patterns = TrajectoryRAGLayer(), CodePatternLayer()
        self.database = [self.runs, self.patterns]
        self.lock = asyncio.Lock()

    async def general_retrieve(self, recorder: Basic_Recorder) -> dict[str, Any]:
        query = query_of(recorder.init)
        memory = {
            "changes_that_worked": await self.patterns.retrieve(query=query),
            "similar_earlier_runs": await self.runs.retrieve(query=query),
        }
        return {name: text for name, text in memory.items() if text}

    async def general_update(self, recorder: Basic_Recorder) -> None:
        async with self.lock:
            await self.runs.update(recorder=recorder)
            await self.patterns.update(recorder=recorder)
