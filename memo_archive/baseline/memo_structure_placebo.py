"""Control: text about something else, as long as what a real design would have handed out.

Wraps a design (`placebo:ace`; `placebo` alone wraps claude_md). The design learns and retrieves as always, but the
agent gets prose about gardens with as many tokens, under the same headings. What remains of an effect is the
effect of having a longer prompt.
"""

import random
from collections.abc import Callable
from typing import Any

from agents.base import count_tokens
from agents.memo_structure import MemoStructure
from eval_envs.base_envs import Basic_Recorder

SUBJECTS = [
    "The old gardener",
    "A patch of clover",
    "Every second spring",
    "The northern hedge",
    "A wet April",
]
VERBS = ["shelters", "follows", "colours", "feeds", "outlives", "hides", "softens"]
OBJECTS = ["the early tulips", "a row of pears", "the stone path", "three kinds of moss", "the sleepy pond"]
ENDINGS = [
    "until the frost",
    "while it rains",
    "in the morning light",
    "as in other years",
    "without any haste",
]


class Placebo(MemoStructure):
    def __init__(self, inner: Callable[[], MemoStructure]) -> None:
        super().__init__()
        self.real = inner()
        self.database = self.real.database

    async def general_retrieve(self, recorder: Basic_Recorder) -> dict[str, Any]:
        memory = await self.real.general_retrieve(recorder)
        rng = random.Random(str(recorder.init.get("problem_statement", "")))
        return {name: prose(count_tokens(str(value)), rng) for name, value in (memory or {}).items() if value}

    async def general_update(self, recorder: Basic_Recorder) -> None:
        await self.real.general_update(recorder)


def prose(tokens: int, rng: random.Random) -> str:
    """Sentences with this many tokens in all; the last one may break off."""
    words: list[str] = []
    size = 0
    while size < tokens:
        sentence = f"{' '.join(map(rng.choice, (SUBJECTS, VERBS, OBJECTS, ENDINGS)))}."
        for word in sentence.split():
            size += count_tokens(f" {word}")
            if size > tokens:
                return " ".join(words)
            words.append(word)
    return " ".join(words)
