"""Dynamic Cheatsheet: one sheet of solutions and strategies, rewritten after every task and shown whole.

Suzgun et al. 2025, arXiv 2504.07952, its cumulative variant: a curator gets the sheet and the finished task and
writes the new sheet, at most about 2,500 words, between <cheatsheet> tags. The sheet is all there is: what the curator
leaves out is lost, so a reply without a sheet, or with one that has shrunk to less than half, changes nothing.
"""

import asyncio
import json
import re
from dataclasses import dataclass
from typing import Any

from agents.memo_structure import MemoStructure, Sub_memo_layer
from eval_envs.base_envs import Basic_Recorder
from utils.hire_agent import Agent

WORDS = 2_500
OBSERVATION_CHARACTERS = 1_200

CURATOR = f"""You are the curator of a cheatsheet for a coding agent that repairs bugs in Python projects. You get the
cheatsheet as it is and the record of a finished task, and you write the cheatsheet anew.

- First judge whether the task was solved (reward 1.0). Only solutions that worked are kept as solutions.
- Keep what is correct and useful in the old sheet: whatever you do not copy is lost.
- Add reusable solutions with exact code: - In `path` `function`: test failed with `error`; fixed by changing `before`
  to `after`; then edge cases and traps, then general strategies.
- Each entry counts how often it was used. Entries that came up more often stand first.
- The sheet is no longer than {WORDS} words. Drop the least used entries first.

Wrap the whole new cheatsheet in the tags <cheatsheet> and </cheatsheet>, and write nothing else."""


@dataclass
class CheatsheetLayer(Sub_memo_layer):
    layer_intro: str = (
        "One text, the cheatsheet. Update: an LLM rewrites all of it after each task; a reply that holds no sheet is "
        "not taken over. Retrieve: all of it."
    )
    database: str = ""

    async def retrieve(self, **kwargs: Any) -> str:
        return self.database

    async def update(self, record: str = "", **kwargs: Any) -> None:
        sheet = self.database or "(empty)"
        reply = await Agent(CURATOR).ask(
            f"## Previous cheatsheet\n<cheatsheet>\n{sheet}\n</cheatsheet>\n\n## Finished task\n{record}"
        )
        self.accept(reply)

    def accept(self, reply: Any) -> None:
        """Take over the sheet in a reply, if there is one."""
        found = re.findall(
            r"<cheatsheet>(.*?)</cheatsheet>", reply if isinstance(reply, str) else "", re.DOTALL
        )
        sheet = limited(found[-1].strip()) if found else ""
        if sheet and sheet != "(empty)" and len(sheet) >= 0.5 * len(self.database):
            self.database = sheet


def limited(sheet: str) -> str:
    """Whole lines from the top, up to the limit: the curator puts what is used most in front."""
    kept, words = [], 0
    for line in sheet.split("\n"):
        words += len(line.split())
        if words > WORDS:
            break
        kept.append(line)
    return "\n".join(kept)


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


class DynamicCheatsheet(MemoStructure):
    def __init__(self) -> None:
        super().__init__()
        self.sheet = CheatsheetLayer()
        self.database = self.sheet
        self.lock = asyncio.Lock()

    async def general_retrieve(self, recorder: Basic_Recorder) -> dict[str, Any]:
        sheet = await self.sheet.retrieve()
        return {"cheatsheet": sheet} if sheet else {}

    async def general_update(self, recorder: Basic_Recorder) -> None:
        async with self.lock:
            await self.sheet.update(record=record_of(recorder))
