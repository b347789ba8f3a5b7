"""Finds out what a source is worth: examines it, then scores it.

An evaluation depends on nothing but the source and what it is evaluated on. Proposals that come to the same source at
the same time share it, and one that was finished is read by the evaluator, not run again.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import math
import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from core.examples import sample_examples
from core.experiments.statistics import score
from core.memo_manager import Memo_Manager
from evals.contract import Episode, EvalResult
from evals.workflows.memory_calls import render

if TYPE_CHECKING:
    from core.eval_in_container import Evaluates


@dataclass(frozen=True)
class Trial:
    """What trying one source came to: an error, or the fields of a record."""

    error: str | None
    fields: dict[str, Any] = field(default_factory=dict)


class Trials:
    """Args:
    evaluator: raises when it cannot evaluate (the run stops there, resumable).
    archive: keeps examples, and why sources failed the examination.
    """

    def __init__(self, evaluator: Evaluates, archive: Memo_Manager) -> None:
        self._evaluator = evaluator
        self._archive = archive
        self._under_way: dict[tuple[str, str], asyncio.Task[EvalResult]] = {}

    async def examine(self, content: str, path: Path) -> Trial:
        """Try a source on a few tasks."""
        if content not in self._archive.failures:
            result = await self._evaluate(content, path, "test")
            error = reason(result)
            if error is None:
                return Trial(None, {"behaviour": behaviour(result.episodes)})
            self._archive.failures[content] = error
        return Trial(self._archive.failures[content])

    async def score(self, sha: str, path: Path) -> Trial:
        result = await self._evaluate(sha, path, "eval")
        error = reason(result)
        if error is not None:
            return Trial(error)
        scored = score(result.episodes)
        shown = [e for e in result.episodes if e.phase == "retrieve"]
        examples = sample_examples(result.episodes, random.Random(sha))
        fields = {
            "reward": scored.reward,
            "reward_se": None if math.isnan(scored.reward_se) else scored.reward_se,
            "resolved": scored.resolved,
            "tasks": scored.n_tasks,
            "episodes": len(shown),
            "infra_errors": sum(e.infra_error is not None for e in shown),
            "tokens": sum(e.prompt_tokens + e.completion_tokens for e in shown),
            "examples": self._archive.keep_examples(sha, examples),
        }
        return Trial(None, fields)

    async def _evaluate(self, sha: str, path: Path, mode: Literal["test", "eval"]) -> EvalResult:
        key = (sha, mode)
        if key not in self._under_way:
            self._under_way[key] = asyncio.ensure_future(self._evaluator.evaluate(sha, path, mode))
        running = self._under_way[key]
        try:
            return await asyncio.shield(running)
        except asyncio.CancelledError:
            # Its subprocess is ended before the run's gateway is.
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
            raise
        finally:
            if running.done() and self._under_way.get(key) is running:
                del self._under_way[key]


def behaviour(episodes: Sequence[Episode]) -> str | None:
    """16 hex digits, the same for designs that hand out the same texts; None when they hand out nothing, which many do
    for want of anything learned about these tasks."""
    texts = {f"{e.task} {e.repeat}": render(e.memory_retrieved) for e in episodes if e.phase == "retrieve"}
    if not any(texts.values()):
        return None
    return hashlib.sha256(json.dumps(texts, sort_keys=True).encode("utf-8")).hexdigest()[:16]


def reason(result: EvalResult) -> str | None:
    """Why a design failed; None when it did not.

    Raises:
        RuntimeError: the evaluation failed for a reason outside the design.
    """
    if result.status == "ok":
        return None
    if result.status == "infra_error":
        raise RuntimeError(f"evaluation could not be finished: {result.error}")
    return result.error or "the evaluation failed without a message"
