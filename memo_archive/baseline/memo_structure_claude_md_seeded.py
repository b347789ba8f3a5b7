"""CLAUDE.md, pre-seeded: the design `claude_md` with general advice in its document from the start."""

import asyncio
import json
import re
from dataclasses import dataclass
from typing import Any

from agents.memo_structure import MemoStructure, Sub_memo_layer
from eval_envs.base_envs import Basic_Recorder
from utils.hire_agent import Agent

DOCUMENT_CHARACTERS = 12_000
OBSERVATION_CHARACTERS = 1_500

SEED = """\
# Working on a Python bug

## Workflow
1. Read the issue, then run the tests and read the failing ones first: they say what is expected.
2. Follow the traceback from the test to the function that returns the wrong value.
3. Read that whole function and its callers before you touch it.
4. Say in one sentence what is wrong and why the test shows it.
5. Make the smallest edit that repairs the cause.
6. Run the failing test, then the whole suite.
7. Submit only when everything passes; otherwise take the edit back and look again.

## Changes
- Keep them minimal: no renaming, no reformatting, no new dependency.
- Never edit tests to make them pass, and never special-case a test's input.
- Fix the cause in one place; do not patch each caller.
- Look at sibling functions: a project does the same thing the same way everywhere, so the odd one out is suspect.
- Hidden tests check other inputs: think of empty, single, negative and repeated values.

## Common Python pitfalls
- Ranges and slices leave out their end: off-by-one at the last item or page.
- `<` where `<=` is meant, and the reverse, at limits.
- `and` / `or` mixed up, or a negation lost.
- `/` gives a float, `//` rounds down, also for negative numbers.
- Sample statistics divide by n - 1.
- A mutable default argument is shared between calls.
- A list changed while it is iterated skips items; copy it first.
- Methods that change in place (sort, append, update) return None.
- Strings are immutable: the result of strip, lower or replace must be used.
- Keys are compared exactly: normalise case and whitespace on writing and on reading.
- `if value:` is also false for 0, "" and []; test `is None` when that is meant.
- dict.get hides a missing key; indexing raises KeyError.
- An early return inside a loop ends it at the first item.
- Shallow copies share nested lists.
- Do not catch exceptions wider than needed.
- Round once, at the end.
- Compare floats with a tolerance; keep all dates in the same time zone."""

CURATOR = f"""You maintain one conventions document for a coding agent that fixes bugs in Python projects.
After each finished task you get the document as it is and the record of the task, and you answer with the whole
updated document as Markdown, nothing else.

What belongs into it: how things are done in each project, and what future tasks of the same project can reuse.
State fixes exactly, one line each, with the file, the function, the failing test and the code before and after:
- In `path` `function`: test_name failed with `error`; fixed by changing `before` to `after`
Keep general advice at the top and one section per project under a heading "## Project: <name>".
When the same kind of fix comes up again, say so in one line that counts it. Never present an edit as a fix when the
task was not solved (reward below 1); say shortly what was tried in vain. Keep every line that is still true.
The document must stay under {DOCUMENT_CHARACTERS} characters: drop the oldest and least supported lines first."""


@dataclass
class ConventionsLayer(Sub_memo_layer):
    layer_intro: str = (
        "One Markdown document of conventions (the database is its text). Update: an LLM rewrites it after each task. "
        "Retrieve: the whole document, with the section of the task's project in front."
    )
    database: str = SEED

    async def retrieve(self, project: str = "", **kwargs: Any) -> str:
        sections = re.split(r"(?m)^(?=## Project: )", self.database)
        own = [s for s in sections if s.partition("\n")[0].removeprefix("## Project: ").strip() == project]
        document = "\n".join(part.strip("\n") for part in [*own, *(s for s in sections if s not in own)])
        if len(document) > DOCUMENT_CHARACTERS:
            document = document[:DOCUMENT_CHARACTERS].rpartition("\n")[0]
        return document.strip()

    async def update(self, recorder: Basic_Recorder, **kwargs: Any) -> None:
        reply = await Agent(CURATOR).ask(self.request(recorder))
        if isinstance(reply, str):
            self.accept(reply)

    def request(self, recorder: Basic_Recorder) -> str:
        steps = [
            {**step, "observation": shorten(str(step.get("observation", "")))} for step in recorder.steps
        ]
        return (
            f"# Current conventions document\n<document>\n{self.database or '(empty)'}\n</document>\n\n"
            f"# Finished task\nProject: {recorder.init.get('project', '')}\n"
            f"Reward: {recorder.reward} (1.0 means that the task was solved)\n"
            f"Issue: {recorder.init.get('problem_statement', '')}\n\n"
            f"Trajectory:\n{json.dumps(steps, ensure_ascii=False)}\n\n"
            "# Your answer\nThe whole updated document."
        )

    def accept(self, reply: str) -> None:
        """Take over a new document, unless it is no document or has lost most of the old one."""
        fenced = re.fullmatch(r"\s*```\w*\n(.*?)\n?```\s*", reply, re.DOTALL)
        document = (fenced.group(1) if fenced else reply).strip()
        document = re.sub(r"\A<document>\s*|\s*</document>\Z", "", document)
        has_notes = re.search(r"(?m)^\s*(?:#|[-*] |\d+\. )", document)
        if has_notes and len(document) >= 0.5 * min(len(self.database), DOCUMENT_CHARACTERS):
            self.database = document


def shorten(text: str) -> str:
    """Keep both ends of an observation: a test run names its first failure early and sums up last."""
    if len(text) <= OBSERVATION_CHARACTERS:
        return text
    half = OBSERVATION_CHARACTERS // 2
    return f"{text[:half]}\n[...]\n{text[-half:]}"


class ClaudeMdSeeded(MemoStructure):
    def __init__(self) -> None:
        super().__init__()
        self.conventions = ConventionsLayer()
        self.database = self.conventions
        self.lock = asyncio.Lock()

    async def general_retrieve(self, recorder: Basic_Recorder) -> dict[str, Any]:
        document = await self.conventions.retrieve(project=str(recorder.init.get("project", "")))
        return {"conventions": document} if document else {}

    async def general_update(self, recorder: Basic_Recorder) -> None:
        async with self.lock:  # the document is read, sent to the model and overwritten
            await self.conventions.update(recorder=recorder)
