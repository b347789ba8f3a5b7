"""Which of a design's episodes the meta agent gets to see, and in how much detail."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from typing import Any

from evals.contract import Episode
from evals.workflows.memory_calls import render

BINS = ((0.0, 0.33), (0.33, 0.66), (0.66, 1.01))
PER_BIN = 3
ERRORS = 3
STATEMENT_CHARS = 900
MEMORY_CHARS = 4000
ACTION_CHARS = 500
OBSERVATION_CHARS = 600
KEPT_STEPS = 8


def sample_examples(episodes: Sequence[Episode], rng: random.Random) -> list[dict[str, Any]]:
    """Up to three episodes of each reward bin, then up to three that broke off with an error, all shortened.

    Only episodes of the retrieve phase: those of the update phase ran without the design's memory.
    """
    ordered = sorted((e for e in episodes if e.phase == "retrieve"), key=lambda e: (e.task, e.repeat))
    graded = [e for e in ordered if e.infra_error is None]
    failed = [e for e in ordered if e.infra_error is not None]
    chosen: list[Episode] = []
    for low, high in BINS:
        group = [e for e in graded if low <= e.reward < high]
        chosen += rng.sample(group, min(PER_BIN, len(group)))
    chosen += rng.sample(failed, min(ERRORS, len(failed)))
    return [_shorten(episode) for episode in chosen]


def clip(text: str, limit: int) -> str:
    """Keep the head and the tail of a text and say how much is left out; short texts stay as they are."""
    if len(text) <= limit:
        return text
    head = limit * 2 // 3
    tail = limit - head
    return f"{text[:head]}\n[... {len(text) - limit} characters left out ...]\n{text[-tail:]}"


def _shorten(episode: Episode) -> dict[str, Any]:
    memory = render(episode.memory_retrieved)
    steps = episode.trajectory
    kept = steps if len(steps) <= KEPT_STEPS else [*steps[:2], *steps[2 - KEPT_STEPS :]]
    return {
        "project": str(episode.init.get("project", "")),
        "problem_statement": clip(str(episode.init.get("problem_statement", "")), STATEMENT_CHARS),
        "reward": round(episode.reward, 4),
        "resolved": episode.resolved,
        "ended": episode.ended,
        "n_steps": len(steps),
        "memory_chars": len(memory),
        "memory": clip(memory, MEMORY_CHARS),
        "error": episode.infra_error,
        "steps": [
            {
                "step": step.get("step"),
                "action": clip(json.dumps(step.get("action"), ensure_ascii=False), ACTION_CHARS),
                "observation": clip(str(step.get("observation", "")), OBSERVATION_CHARS),
            }
            for step in kept
        ],
    }
