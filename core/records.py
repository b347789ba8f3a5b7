"""What the archive keeps of a design, and of every attempt to make one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import fmean
from typing import Any, Literal

from core.hypotheses import Compared
from core.selection import Way

OUTCOMES = ("reward", "resolved", "memory_tokens")
"""What is kept of every run of a scored design."""


@dataclass
class Attempt:
    """One version of a proposed design on its way through the examination. ``error`` is None when it
    passed. ``alike``: it was only asked whether it is meant, since it behaves as a known design; it may come again."""

    content: str
    error: str | None
    alike: bool = False


@dataclass
class Record:
    """One design of the archive.

    Attributes:
        sha: baseline name, or the content SHA of an evolved design.
        content: content SHA of the source (the same as ``sha`` for evolved designs).
        path: the design's file, relative to ``memo_archive``.
        step: step of the search that made it; 0 is the start.
        generation: 0 for designs without a parent, else the parent's plus 1.
        suggestion: the analysis of the parent that led to this design.
        reward, reward_se, resolved: over tasks; None for a design that was never scored. Of one that ran on some of
            the tasks: its parent's reward and resolved, and by how much it differs on those.
        improve_score: reward minus the parent's reward.
        attempts: every version that was examined, in order; the last one is this design.
        visits: how often the design was taken as a parent, as the second one too.
        examples: file of sampled trajectories, relative to the run's folder.
        behaviour: digest of the texts that it handed out in the examination; None when those were empty.
        tasks: how many tasks the score stands on.
        runs: outcome of every run that was scored: by ``reward``, ``resolved``, ``memory_tokens``, then by task.
        judged: how a race against its parent ended, and why.
        hypothesis: what the change was meant to improve, as the meta model put it; None when it did not say.
        compared: the design's score beside its parent's, task by task: whether that came true.
        way: how its parent was to be changed; ``second`` is the other parent of a crossover.
        confirmed: the same as ``runs`` of those that confirmed it, with another seed; not part of its score.
        usd: of all model calls of its scoring, for one run; None when it was not asked for or is not known.
    """

    sha: str
    content: str
    path: str
    parent: str | None
    step: int
    generation: int
    status: Literal["ok", "design_error"]
    suggestion: Any = None
    reward: float | None = None
    reward_se: float | None = None
    resolved: float | None = None
    improve_score: float | None = None
    error: str | None = None
    attempts: list[Attempt] = field(default_factory=list)
    visits: int = 0
    examples: str | None = None
    tasks: int = 0
    episodes: int = 0
    infra_errors: int = 0
    tokens: int = 0
    behaviour: str | None = None
    runs: dict[str, dict[str, list[float]]] = field(default_factory=dict)
    judged: str | None = None
    hypothesis: str | None = None
    compared: Compared | None = None
    way: Way = "rewrite"
    second: str | None = None
    usd: float | None = None
    confirmed: dict[str, dict[str, list[float]]] = field(default_factory=dict)

    def blocks(self, outcome: str) -> dict[str, list[float]]:
        """Outcomes of all runs, by task and by seed: luck with a seed is common to the designs that ran with it."""
        again = {f"{task}, confirmed": values for task, values in self.confirmed.get(outcome, {}).items()}
        return self.runs.get(outcome, {}) | again

    @property
    def parents(self) -> list[str]:
        """The designs it was made of: one, two, or none."""
        return [sha for sha in (self.parent, self.second) if sha]

    @property
    def memory_tokens(self) -> float | None:
        """Mean size of its memory text over all runs; None when no runs were kept."""
        sizes = [value for of_task in self.runs.get("memory_tokens", {}).values() for value in of_task]
        return sum(sizes) / len(sizes) if sizes else None


@dataclass
class Proposal:
    """One use of a parent (or of none: a design from scratch) and its end. Every visit has one, failed ones
    too.

    Attributes:
        parent: SHA of the parent; a baseline's name with ``kind`` ``baseline``; None from scratch.
        seed: seeds this proposal's model calls.
        number: its place among all proposals, from 1; the order in which they are entered.
        known: how many proposals had been entered when this one was begun: it knows what came of those.
        outcome: the finished design; None while it is under way.
        end: ``duplicate`` when the same program was in the archive by the time this one was entered.
        reason: why it failed; without an ``outcome`` there never was a design.
        attempts: the versions of one that ended without a record of its own.
        way: how the parent is changed; ``second`` is the other parent of a crossover.
    """

    step: int
    kind: Literal["baseline", "scratch", "rewrite"]
    parent: str | None
    seed: int
    number: int = 0
    known: int = 0
    outcome: Record | None = None
    end: Literal["ok", "design_error", "duplicate"] | None = None
    child: str | None = None
    reason: str | None = None
    attempts: list[Attempt] = field(default_factory=list)
    way: Way = "rewrite"
    second: str | None = None

    @property
    def parents(self) -> list[str]:
        """The designs it changes: one, two, or none."""
        return [sha for sha in (self.parent, self.second) if sha and self.kind == "rewrite"]

    @property
    def has_record(self) -> bool:
        """Whether it brought a new design into the archive."""
        return self.child is not None and self.end in ("ok", "design_error")


def task_means_of(runs: Mapping[str, Sequence[float]]) -> dict[str, float]:
    """The mean of each task's runs."""
    return {task: fmean(values) for task, values in runs.items()}


def record_of(data: dict[str, Any]) -> Record:
    """A record as ``archive.json`` holds it.

    Raises:
        TypeError, KeyError, ValueError, AttributeError: it is none.
    """
    runs, confirmed = (_runs_of(data, name) for name in ("runs", "confirmed"))
    compared = Compared(**data["compared"]) if data.get("compared") else None
    attempts = [Attempt(**a) for a in data["attempts"]]
    return Record(
        **{**data, "runs": runs, "confirmed": confirmed, "attempts": attempts, "compared": compared}
    )


def _runs_of(data: dict[str, Any], name: str) -> dict[str, dict[str, list[float]]]:
    runs = {
        outcome: {task: [float(value) for value in values] for task, values in of_task.items()}
        for outcome, of_task in data.get(name, {}).items()
    }
    if runs and (
        set(runs) != set(OUTCOMES) or not all(v for of_task in runs.values() for v in of_task.values())
    ):
        raise ValueError(f"the {name} of {data['sha']} are not {', '.join(OUTCOMES)} by task")
    return runs
