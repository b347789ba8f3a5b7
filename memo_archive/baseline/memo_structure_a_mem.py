"""A-MEM: notes in the manner of a Zettelkasten, which link to each other and are rewritten as new ones arrive.

Xu et al. 2025, arXiv 2502.12110. A note has content, keywords, tags, a context sentence and links. A new note is
written by a language model; then its five nearest neighbours are shown to the model, which says to which of them it
should be linked and how their context and tags should be rewritten in its light. What is embedded is the whole note
(content, context, keywords, tags), so a rewritten neighbour is embedded again. Retrieval: the five nearest notes and
what they link to. The paper's content is a turn of a conversation; here the model states the lesson of a run.
"""

import asyncio
import json
from dataclasses import dataclass, field
from typing import Any

from agents.memo_structure import MemoStructure, Sub_memo_layer
from eval_envs.base_envs import Basic_Recorder
from langchain_chroma import Chroma
from utils.hire_agent import Agent, Embedding

K = 5
LINKED = 5
OBSERVATION_CHARACTERS = 1_200

WRITER = """You write one note about a finished run of a coding agent on a bug. `content`: the lesson; for a solved run
(reward 1.0) the place, the failing test and the change, like
In `path` `function`: test_name failed with `error`; fixed by changing `before` to `after`; for an unsolved one what was
tried in vain. `context`: one sentence on what kind of problem it is and when to think of it. `keywords`: the names that
matter most. `tags`: broad categories."""
EVOLVER = """A new note joins a collection of notes. You get it and its nearest neighbours, each with an id. Say which
neighbours it should be linked to because they are about the same kind of problem, and for neighbours whose meaning
changes in its light give the rewritten context sentence and tags."""

STRINGS = {"type": "array", "items": {"type": "string"}, "maxItems": 8}
NOTE = {
    "type": "object",
    "properties": {
        "content": {"type": "string"},
        "context": {"type": "string"},
        "keywords": STRINGS,
        "tags": STRINGS,
    },
    "required": ["content", "context", "keywords", "tags"],
    "additionalProperties": False,
}
EVOLUTION = {
    "type": "object",
    "properties": {
        "links": {"type": "array", "items": {"type": "string"}, "description": "ids of neighbours"},
        "updates": {
            "type": "array",
            "maxItems": K,
            "items": {
                "type": "object",
                "properties": {"id": {"type": "string"}, "context": {"type": "string"}, "tags": STRINGS},
                "required": ["id", "context", "tags"],
                "additionalProperties": False,
            },
        },
    },
    "required": ["links", "updates"],
    "additionalProperties": False,
}


@dataclass
class Note:
    content: str
    context: str
    keywords: list[str]
    tags: list[str]
    links: list[str] = field(default_factory=list)

    def text(self) -> str:
        return (
            f"{self.content}\nContext: {self.context}\nKeywords: {', '.join(self.keywords)}\n"
            f"Tags: {', '.join(self.tags)}"
        )


@dataclass
class NoteLayer(Sub_memo_layer):
    layer_intro: str = (
        "Notes by id (`notes`) and a Chroma collection of their whole texts under the same ids. Update: a new note is "
        "linked with its neighbours, which may be rewritten. Retrieve: the five nearest notes, then those they link to."
    )
    database: Any = None
    notes: dict[str, Note] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.database = Chroma(embedding_function=Embedding())

    async def nearest(self, query: str) -> list[str]:
        found = await asyncio.to_thread(self.database.similarity_search, query, K)
        return [document.metadata["note"] for document in found]

    async def retrieve(self, query: str = "", **kwargs: Any) -> str:
        near = await self.nearest(query)
        linked = [link for id in near for link in self.notes[id].links if link not in near]
        chosen = [*near, *list(dict.fromkeys(linked))[:LINKED]]
        return "\n\n".join(f"- {self.notes[id].content}\n  ({self.notes[id].context})" for id in chosen)

    async def update(self, record: str = "", **kwargs: Any) -> None:
        reply = await Agent(WRITER, NOTE).ask(record)
        if not reply.get("content"):
            return
        note, id = Note(**{name: reply[name] for name in NOTE["required"]}), f"n{len(self.notes) + 1}"
        near = await self.nearest(note.text())
        if near:
            await self.evolve(note, id, near)
        self.notes[id] = note
        await self.embed([id])

    async def evolve(self, note: Note, id: str, near: list[str]) -> None:
        """Link the new note both ways and rewrite neighbours, as the model says."""
        listed = "\n".join(f"[{other}] {self.notes[other].text()!r}" for other in near)
        request = f"# New note\nContent: {note.text()}\n\n# Neighbours\n{listed}"
        reply = await Agent(EVOLVER, EVOLUTION).ask(request)
        for other in dict.fromkeys(reply.get("links", [])):
            if other in near:
                note.links.append(other)
                self.notes[other].links.append(id)
        changed = []
        for update in reply.get("updates", []):
            other = self.notes.get(update["id"]) if update["id"] in near else None
            if other is not None and update["context"].strip():
                other.context, other.tags = update["context"].strip(), update["tags"] or other.tags
                changed.append(update["id"])
        if changed:
            await self.embed(list(dict.fromkeys(changed)))

    async def embed(self, ids: list[str]) -> None:
        texts = [self.notes[id].text() for id in ids]
        await asyncio.to_thread(self.database.add_texts, texts, [{"note": id} for id in ids], ids)


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


class AMem(MemoStructure):
    def __init__(self) -> None:
        super().__init__()
        self.notes = NoteLayer()
        self.database = self.notes
        self.lock = asyncio.Lock()

    async def general_retrieve(self, recorder: Basic_Recorder) -> dict[str, Any]:
        init = recorder.init
        text = await self.notes.retrieve(
            query=f"Project: {init.get('project', '')}\n{init.get('problem_statement', '')}"
        )
        return {"notes": text} if text else {}

    async def general_update(self, recorder: Basic_Recorder) -> None:
        async with self.lock:
            await self.notes.update(record=record_of(recorder))
