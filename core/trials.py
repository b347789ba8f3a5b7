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
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from statistics import stdev
from typing import TYPE_CHECKING, Any

from core.design_file import NO_MEMORY
from core.examples import sample_examples
from core.experiments.racing import Decision, decide, looks
from core.experiments.statistics import score
from core.memo_manager import Memo_Manager
from core.novelty import as_read
from core.pareto import OUTCOME, Objective
from core.posterior import beliefs
from core.records import OUTCOMES, Record, task_means_of
from core.together import of_shared
from evals.contract import Episode, EvalResult
from evals.workflows.memory_calls import render

if TYPE_CHECKING:
    from core.eval_in_container import Evaluates


class DesignFailed(Exception):
    """The design did not get through an evaluation; the message says why."""


@dataclass(frozen=True)
class Trial:
    """What trying one source came to: an error, or the fields of a record."""

    error: str | None
    fields: dict[str, Any] = field(default_factory=dict)


class Trials:
    """Args:
    evaluator: raises when it cannot evaluate (the run stops there, resumable).
    archive: keeps examples, and why sources failed the examination.
    race: score a rewrite on more tasks only while it is not probably worse than its parent.
    confirm: score a design that would be the best once more, with another seed, before it is; no_mem and the first
        designs too, since luck with that seed is common to all.
    objective: what races and the best are judged by: its gain, whatever the price.
    usd_of_run: what one run with a design costs in the evaluations of these modes, None when not known; asked with
        ``cost`` alone.
    """

    def __init__(
        self,
        evaluator: Evaluates,
        archive: Memo_Manager,
        race: bool = False,
        confirm: bool = False,
        objective: Objective = "reward",
        usd_of_run: Callable[[str, Sequence[str]], float | None] = lambda sha, modes: None,
    ) -> None:
        self._evaluator = evaluator
        self._archive = archive
        self._race = race
        self._confirm = confirm
        self._outcome = OUTCOME[objective]
        self._usd_of_run = usd_of_run if objective == "cost" else None
        self._under_way: dict[tuple[Any, ...], asyncio.Task[EvalResult]] = {}

    async def examine(self, content: str, path: Path) -> Trial:
        """Try a source on a few tasks."""
        if content not in self._archive.failures:
            try:
                episodes = await self._run(content, path, "test")
                return Trial(None, {"behaviour": behaviour(episodes)})
            except DesignFailed as error:
                self._archive.failures[content] = str(error)
        return Trial(self._archive.failures[content])

    async def score(
        self,
        sha: str,
        path: Path,
        parents: Sequence[Record] = (),
        known: Sequence[Record] = (),
    ) -> Trial:
        """Score a design.

        Args:
            parents: what it rewrites, then the other parent of a crossover.
            known: the archive as its proposal knows it.
        """
        try:
            decision, confirmed = None, []
            parent = parents[0] if parents else None
            modes = ["eval"]
            if self._race and parent is not None and parent.runs:
                episodes, decision, modes = await self._against(parent, sha, path)
            else:
                episodes = await self._run(sha, path, "eval")
            stopped = decision is not None and decision.verdict == "reject"
            if self._confirm and not stopped and self._would_be_best(episodes, parents, known):
                confirmed = await self._run(sha, path, "confirm", again=1)
                modes = [*modes, "confirm"]
        except DesignFailed as error:
            return Trial(str(error))
        fields = self._fields(sha, episodes, parent, decision)
        if confirmed:
            fields |= {
                "confirmed": runs_of(confirmed),
                "episodes": len(episodes) + len(confirmed),
            }
        if self._usd_of_run is not None and (usd := self._usd_of_run(sha, modes)) is not None:
            fields["usd"] = round(usd, 8)
        return Trial(None, fields)

    async def _against(
        self, parent: Record, sha: str, path: Path
    ) -> tuple[list[Episode], Decision, list[str]]:
        """Run beside the parent until it is decided; what is accepted is run on all tasks, for it may be a parent, and
        the best. The order of the tasks is chance, so that no line of designs fits a few of them, and the same for
        every race of a source."""
        before = task_means_of(parent.runs[self._outcome])
        shared = [task for task in self._evaluator.tasks if task in before]
        shared = random.Random(sha).sample(shared, len(shared))
        planned = looks(len(shared))
        episodes: list[Episode] = []
        modes: list[str] = []
        for number, (begin, end) in enumerate(pairwise([0, *planned]), 1):
            modes.append("eval" if number == 1 else f"eval{number}")
            episodes += await self._run(sha, path, modes[-1], shared[begin:end])
            means = task_means_of(runs_of(episodes)[self._outcome])  # rounded as those of the parent are
            decision = decide([means[task] - before[task] for task in shared[:end]], planned)
            if decision.verdict != "continue":
                break
        left = [task for task in self._evaluator.tasks if task not in means]
        if decision.verdict == "accept" and left:
            modes.append("rest")
            episodes += await self._run(sha, path, "rest", left)
        return episodes, decision, modes

    def _would_be_best(
        self, episodes: Sequence[Episode], parents: Sequence[Record], known: Sequence[Record]
    ) -> bool:
        """Whether a design would be believed to be better than all those known; no_mem is none of them, but what they
        all are read against."""
        rivals = {r.sha: r.blocks(self._outcome) for r in known if r.runs}
        descent = {r.sha: r.parents for r in known} | {"": [parent.sha for parent in parents]}
        found = beliefs(rivals | {"": runs_of(episodes)[self._outcome]}, descent)
        others = [b.mean for sha, b in found.items() if sha not in ("", NO_MEMORY)]
        return not others or found[""].mean > max(others)

    def _fields(
        self, sha: str, episodes: list[Episode], parent: Record | None, decision: Decision | None
    ) -> dict[str, Any]:
        scored = score(episodes)
        runs = runs_of(episodes)
        # Another proposal of this source, beside other designs, may take more or fewer runs, and has other examples.
        name = f"{sha}-{len(episodes)}" if self._race or self._confirm else sha
        fields = {
            "reward": scored.reward,
            "reward_se": None if math.isnan(scored.reward_se) else scored.reward_se,
            "resolved": scored.resolved,
            "tasks": scored.n_tasks,
            "episodes": len(episodes),
            "infra_errors": sum(e.infra_error is not None for e in episodes),
            "tokens": sum(e.prompt_tokens + e.completion_tokens for e in episodes),
            "examples": self._archive.keep_examples(name, sample_examples(episodes, random.Random(sha))),
            "runs": runs,
            "judged": f"{decision.verdict}: {decision.reason}" if decision else None,
        }
        if scored.n_tasks < len(self._evaluator.tasks) and parent is not None:
            fields |= _beside(parent, runs)
        return fields

    async def _run(
        self, sha: str, path: Path, mode: str, tasks: Sequence[str] | None = None, again: int = 0
    ) -> list[Episode]:
        """The scored episodes of one evaluation.

        Raises:
            DesignFailed: by the design's fault.
            RuntimeError: for a reason outside the design.
        """
        key = (sha, mode, tuple(tasks or ()), again)
        if key not in self._under_way:
            evaluation = self._evaluator.evaluate(sha, path, mode, tasks, again)
            self._under_way[key] = asyncio.ensure_future(evaluation)
        running = self._under_way[key]
        try:
            result = await of_shared(running)
        finally:
            if running.done() and self._under_way.get(key) is running:
                del self._under_way[key]
        if result.status == "infra_error":
            raise RuntimeError(f"evaluation could not be finished: {result.error}")
        if result.status != "ok":
            raise DesignFailed(result.error or "the evaluation failed without a message")
        return [e for e in result.episodes if e.phase == "retrieve"]


def runs_of(episodes: Sequence[Episode]) -> dict[str, dict[str, list[float]]]:
    """Outcomes of all runs, by kind and task."""
    runs: dict[str, dict[str, list[float]]] = {name: {} for name in OUTCOMES}
    for e in sorted(episodes, key=lambda e: (e.task, e.repeat)):
        for name in OUTCOMES:
            runs[name].setdefault(e.task, []).append(round(float(getattr(e, name)), 6))
    return runs


def _beside(parent: Record, runs: dict[str, dict[str, list[float]]]) -> dict[str, float | None]:
    """The score on all tasks of a design that ran on some: its parent's, and by how much it differs on those. The
    standard error takes the two for independent."""
    fields: dict[str, float | None] = {}
    for outcome in ("reward", "resolved"):
        of_parent = task_means_of(parent.runs[outcome])
        d = [mean - of_parent[task] for task, mean in task_means_of(runs[outcome]).items()]
        fields[outcome] = min(1.0, max(0.0, getattr(parent, outcome) + sum(d) / len(d)))
        if outcome == "reward" and len(d) > 1 and parent.reward_se is not None:
            fields["reward_se"] = math.hypot(parent.reward_se, stdev(d) / math.sqrt(len(d)))
    return fields


def behaviour(episodes: Sequence[Episode]) -> str | None:
    """16 hex digits, the same for designs that hand out the same texts; None when they hand out nothing, which many do
    for want of anything learned about these tasks."""
    texts = {f"{e.task} {e.repeat}": as_read(render(e.memory_retrieved)) for e in episodes}
    if not any(texts.values()):
        return None
    return hashlib.sha256(json.dumps(texts, sort_keys=True).encode("utf-8")).hexdigest()[:16]
