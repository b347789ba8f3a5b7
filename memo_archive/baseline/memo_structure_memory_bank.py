"""Memory bank: five documents per project, each with its own role, all of them read at the start of a task.

After Cline's memory bank (https://docs.cline.bot/prompting/cline-memory-bank): project brief, system patterns, tech
context, active context and progress (its sixth file, the product context, says nothing about repairing bugs and is
left out). Where Cline lets the agent edit the files itself, here an LLM updates each file after every task.
"""

import asyncio
from dataclasses import dataclass, field
from typing import Any

from agents.memo_structure import MemoStructure, Sub_memo_layer
from eval_envs.base_envs import Basic_Recorder
from utils.hire_agent import Agent

FILE_CHARACTERS = 2_400
OBSERVATION_CHARACTERS = 1_200

ROLES = {
    "project_brief": "what the project is and what its parts are for; changes rarely",
    "system_patterns": "how this project does things: conventions, helpers to use, and the fixes that followed from "
    "them, each with file, function, failing test and the code before and after",
    "tech_context": "how to work on it: test command, layout, tools, constraints",
    "active_context": "what the last few tasks were about and what they found out; old entries are dropped",
    "progress": "one line per finished task: what it was about and whether it was solved; what still fails and why",
}

EDITOR = """You keep one file of a coding agent's memory bank for one project: {name}. Its role: {role}.
You get the file as it is and the record of a task that was just finished. Answer with the whole updated file as
Markdown, in the field "{name}". Write only what belongs to the role of this file. State fixes exactly, like
- In `path` `function`: test_name failed with `error`; fixed by changing `before` to `after`
and never call an edit a fix when the reward is below 1. Keep what is still true. At most {characters} characters."""


@dataclass
class MemoryBankLayer(Sub_memo_layer):
    name: str = ""
    layer_intro: str = ""
    database: dict[str, str] = field(default_factory=dict)  # project -> text of the file

    def __post_init__(self) -> None:
        self.layer_intro = (
            f"The file {self.name} of each project: {ROLES[self.name]}. Update: an LLM rewrites the project's file "
            "after each task. Retrieve: the whole file of the task's project."
        )

    async def retrieve(self, project: str = "", **kwargs: Any) -> str:
        return self.database.get(project, "")

    async def update(self, project: str = "", record: str = "", **kwargs: Any) -> None:
        schema = {
            "type": "object",
            "properties": {self.name: {"type": "string", "description": ROLES[self.name]}},
            "required": [self.name],
            "additionalProperties": False,
        }
        editor = EDITOR.format(name=self.name, role=ROLES[self.name], characters=FILE_CHARACTERS)
        current = self.database.get(project, "")
        reply = await Agent(editor, schema).ask(
            f"# Current {self.name} document\n<document>\n{current or '(empty)'}\n</document>\n\n{record}"
        )
        self.accept(project, reply.get(self.name))

    def accept(self, project: str, text: Any) -> None:
        """Take over a new file, unless it is none or has lost most of the old one."""
        old = self.database.get(project, "")
        if isinstance(text, str) and text.strip() and len(text) >= 0.4 * len(old):
            self.database[project] = tail(text.strip())


def tail(text: str) -> str:
    """The headings and as many of the last lines as fit: what is newest stays."""
    lines = text.split("\n")
    while len("\n".join(lines)) > FILE_CHARACTERS and len(lines) > 1:
        del lines[next((i for i, line in enumerate(lines) if not line.startswith("#")), 0)]
    return "\n".join(lines)[:FILE_CHARACTERS]


def record_of(recorder: Basic_Recorder) -> str:
    steps = "\n".join(
        str({**step, "observation": str(step.get("observation", ""))[:OBSERVATION_CHARACTERS]})
        for step in recorder.steps
    )
    return (
        f"# Finished task\nProject: {recorder.init.get('project', '')}\n"
        f"Test command: {recorder.init.get('test_command', '')}\n"
        f"Files: {', '.join(map(str, recorder.init.get('files', [])))[:600]}\n"
        f"Reward: {recorder.reward} (1.0 means that the task was solved)\n"
        f"Issue: {recorder.init.get('problem_statement', '')}\n\n"
        f"Trajectory:\n{steps}"
    )


class MemoryBank(MemoStructure):
    def __init__(self) -> None:
        super().__init__()
        self.files = {name: MemoryBankLayer(name=name) for name in ROLES}
        self.database = self.files
        self.lock = asyncio.Lock()

    async def general_retrieve(self, recorder: Basic_Recorder) -> dict[str, Any]:
        project = str(recorder.init.get("project", ""))
        texts = {name: await layer.retrieve(project=project) for name, layer in self.files.items()}
        return {name: text for name, text in texts.items() if text}

    async def general_update(self, recorder: Basic_Recorder) -> None:
        project, record = str(recorder.init.get("project", "")), record_of(recorder)
        async with self.lock:
            await asyncio.gather(
                *(layer.update(project=project, record=record) for layer in self.files.values())
            )
