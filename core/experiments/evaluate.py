"""Scores designs on one split, side by side, and pairs each with the first by task."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from core.design_file import Design
from core.eval_in_container import Evaluator
from core.experiments.statistics import Paired, Score, holm, paired, score, task_means
from core.run import Run
from core.together import together
from evals.contract import Episode, Updates


@dataclass(frozen=True)
class Row:
    """One design of a comparison. ``score`` is None when it has none; then ``error`` says why.

    Attributes:
        updates: what it took to build the memory.
        versus, versus_resolved: reward and resolved against the first design, paired by task.
        p_holm, p_holm_resolved: what a claim on each has to pass, adjusted for all designs that were compared with the
            first one (Holm); None where it is the only one.
    """

    design: str
    status: str
    episodes: list[Episode]
    score: Score | None
    error: str | None
    tokens: int
    usd: float | None
    updates: Updates = field(default_factory=Updates)
    versus: Paired | None = None
    versus_resolved: Paired | None = None
    p_holm: float | None = None
    p_holm_resolved: float | None = None

    @property
    def p_shown_resolved(self) -> float:
        """What a claim on resolved has to pass; for a row that was compared."""
        p = self.versus_resolved.p_shown
        return p if self.p_holm_resolved is None else self.p_holm_resolved

    @property
    def memory_tokens(self) -> float:
        """Mean size of the memory text in the prompt, in tokens."""
        return self._mean("memory_tokens")

    @property
    def memory_calls(self) -> float:
        """Model calls the memory makes for one task, which is retrieved for once and learned from once."""
        return self._mean("memory_calls") + self.updates.calls / max(1, self.updates.tasks)

    @property
    def memory_seconds(self) -> float:
        """Seconds of retrieving for one task and of learning from one."""
        return self._mean("memory_seconds") + self.updates.seconds / max(1, self.updates.tasks)

    @property
    def seconds(self) -> float:
        """Mean seconds of a run, memory and grading included."""
        return self._mean("seconds")

    def _mean(self, field: str) -> float:
        return sum(getattr(e, field) for e in self.episodes) / max(1, len(self.episodes))

    @property
    def flagged(self) -> int:
        """Episodes whose diff looks like tampering with the tests."""
        return sum(bool(e.flags) for e in self.episodes)

    def summary(self, parent: str | None = None) -> dict[str, Any]:
        """The design's entry in ``summary.json``."""
        return {
            "sha": self.design,
            "parent": parent,
            "status": self.status,
            "reward": self.score.reward if self.score else None,
            "reward_se": self.score.reward_se if self.score else None,
            "resolved": self.score.resolved if self.score else None,
            "episodes": len(self.episodes),
            "infra_errors": 0,
            "tokens": self.tokens,
            "cost_usd": self.usd,
            "memory_tokens": round(self.memory_tokens, 1),
            "memory_calls": {
                "retrieve": round(self._mean("memory_calls"), 2),
                "update": round(self.updates.calls / max(1, self.updates.tasks), 2),
            },
            "memory_seconds": round(self.memory_seconds, 3),
            "seconds": round(self.seconds, 2),
            "flagged": self.flagged,
            "error": self.error,
        }


def row(
    run: Run,
    design: str,
    status: str,
    episodes: Sequence[Episode],
    error: str | None,
    updates: Updates | None = None,
) -> Row:
    """Score the retrieve episodes of one design and look up what it cost."""
    scored = [e for e in episodes if e.phase == "retrieve"]
    tokens, usd = run.spent().get(design, (0, 0.0))
    return Row(
        design,
        status,
        scored,
        score(scored) if status == "ok" else None,
        error,
        tokens,
        usd,
        updates or Updates(),
    )


def with_pairs(rows: Sequence[Row], projects: dict[str, str], seed: int) -> list[Row]:
    """Pair every row with the first one, task by task, and adjust p for the number of pairs."""
    control = rows[0]

    def against(row: Row, value: str) -> Paired:
        rng = np.random.default_rng(seed)
        return paired(task_means(row.episodes, value), task_means(control.episodes, value), projects, rng)

    done = [control]
    for row in rows[1:]:
        if control.score is not None and row.score is not None and row.score.n_tasks > 1:
            row = dataclasses.replace(
                row, versus=against(row, "reward"), versus_resolved=against(row, "resolved")
            )
        done.append(row)
    return _adjusted(done)


def _adjusted(rows: Sequence[Row]) -> list[Row]:
    compared = [row for row in rows if row.versus and row.versus_resolved]
    if len(compared) < 2:
        return list(rows)
    p_reward = holm([row.versus.p_shown for row in compared])
    p_resolved = holm([row.versus_resolved.p_shown for row in compared])
    p = {row.design: both for row, *both in zip(compared, p_reward, p_resolved, strict=True)}
    return [
        dataclasses.replace(row, p_holm=p[row.design][0], p_holm_resolved=p[row.design][1])
        if row.design in p
        else row
        for row in rows
    ]


async def evaluate_designs(run: Run, evaluator: Evaluator, designs: Sequence[Design]) -> list[Row]:
    """Evaluate all designs on the evaluator's split.

    Raises:
        InfraError: a design could not be evaluated for reasons outside it.
    """

    async def one(design: Design) -> Row:
        result = await evaluator.evaluate(design.sha, design.path, "eval")
        run.progress.say(f"{design.sha}: {result.status}")
        return row(run, design.sha, result.status, result.episodes, result.error, result.updates)

    # no_mem learns nothing, so it waits for no collection and can start at once.
    order = sorted(designs, key=lambda design: design.has_memory)
    rows = {r.design: r for r in await together(one(design) for design in order)}
    return with_pairs([rows[design.sha] for design in designs], run.projects, run.options.seed)
