# ruff: noqa: F821 (names of other parts)
from __future__ import annotations

import json

from agents.memo_structure import Sub_memo_layer
from eval_envs.base_envs import Basic_Recorder
from utils.hire_agent import Agent

CURATOR = """You keep the notes on a software project for an agent that repairs it. You are given the notes so far and
one finished run. Answer with the complete new notes and nothing else: short lines that start with "- ", each a
convention of the code or a change that fixed a failure, with the code before and after in backticks. Keep what is still
right, merge what says the same, add what this run shows, leave out what is only about this one issue."""


class ConventionsLayer(Sub_memo_layer):
    """Curated documents of conventions, rewritten by a model after each run."""

    def __init__(self) -> None:
        super().__init__(layer_intro="Conventions of the code, curated by a model.", database={})

    async def update(self, recorder: Basic_Recorder) -> None:
        """Have the document rewritten; an answer without notes leaves it as it was."""
        name = shelf(str(recorder.init.get("project", "")))
        run = {"issue": recorder.init.get("problem_statement", ""), "reward": recorder.reward}
        answer = await Agent(CURATOR).ask(
            f"Notes so far:\n{self.database.get(name, '(none)')}\n\nThe run: {json.dumps(run, ensure_ascii=False)}\n"
            f"Its steps:\n{json.dumps(recorder.steps, ensure_ascii=False)[-24000:]}"
        )
        if isinstance(answer, str) and answer.strip().startswith("-"):
            self.database[name] = answer.strip()

    async def retrieve(self, recorder: Basic_Recorder) -> str:
        """The document, as many of its lines as fit; empty when there is none."""
        text = self.database.get(shelf(str(recorder.init.get("project", ""))), "")
        return text if len(text) <= ROOM else text[:ROOM].rsplit("\n", 1)[0]
