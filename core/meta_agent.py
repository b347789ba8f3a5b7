"""The outer loop (ALMA, arXiv 2602.07755): select -> analyze -> generate -> examine -> evaluate -> archive.

Everything random is drawn when a proposal is begun and stored with it, and each proposal sees the archive as it was
then. Proposals are begun and entered into the archive in one order, whichever finishes first, and when one is begun
is fixed by how many have been entered. So they may run at any concurrency, or in another process after a kill, with the
same archive in the end.

There are two schedules. ``alma`` keeps the original's: up to five parents are drawn together, without replacement, and
the next ones when all of those are scored; each is rewritten. Every other policy takes one parent at a time, ``WINDOW``
proposals ahead of what has been entered, so that nothing waits for the slowest of a step; chance decides whether it is
rewritten, edited, or crossed with a second one (``core.selection.WAYS``).
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from core.design_file import NO_MEMORY
from core.exploring import NothingSubmitted
from core.memo_manager import Memo_Manager
from core.meta_agent_prompt import Hints
from core.pareto import Objective
from core.proposing import Proposer
from core.records import Proposal, Record
from core.selection import ORIGINAL, Candidate, Way, draw_way, get_policy
from core.trials import Trials
from evals.utils.gateway_client import ContextOverflow, Refused

if TYPE_CHECKING:
    from core.eval_in_container import Evaluates

BASELINES = (NO_MEMORY, "claude_md")
PARENTS = 5
WINDOW = 8
"""How many proposals are under way. A parent is chosen without the results of those before it, so that a larger window
searches more blindly; a smaller one waits for the slowest more often (tests/bench/steady_state.py)."""


@dataclass(frozen=True)
class StepStarted:
    """Proposals were begun: ``parents`` in order, None for a design from scratch. Step 0 is the start."""

    step: int
    parents: list[str | None]


@dataclass(frozen=True)
class ProposalEnded:
    """A proposal was entered into the archive; ``record`` is None for one without a new design."""

    proposal: Proposal
    record: Record | None


Event = StepStarted | ProposalEnded


class MetaAgent:
    """Evolves memory designs.

    Args:
        task_type: ``coding``, the one domain there are prompts for.
        meta_model: writes the designs.
        execution_model: works on the tasks; named to the meta model.
        status: the split; ``train`` only, so that nothing of the sealed test tasks reaches the meta model.
        history_ckpt_path: archive of another run to start from. Not read when ``archive`` has begun already.
        evaluator: scores designs; raises when it cannot (the run stops there, resumable).
        archive: this run's archive; one that has begun is continued.
        rng: source of all randomness; its state is restored from the archive when there is one.
        hints: ``none`` leaves the domain's hints out of the prompts.
        selection: name of the parent-selection policy.
        evaluation: ``race`` scores a rewrite on more tasks only while it is not probably worse.
        confirm: score a design that would be the best once more before it is.
        objective: what designs are chosen by; ``alma`` knows ``reward`` alone.
        proposer: ``prompt`` shows the meta model what to judge and asks it twice; ``agent`` lets it look around in the
            archive by itself until it submits.
        usd_of_run: what one run with a design costs, None when not known; asked for the objective ``cost``.
        on_event: told what happens, in the order of happening.

    Raises:
        ValueError: a value that cannot be used, in one line.
    """

    def __init__(
        self,
        task_type: str,
        meta_model: str,
        execution_model: str,
        status: str,
        history_ckpt_path: str | Path | None = None,
        *,
        evaluator: Evaluates,
        archive: Memo_Manager,
        rng: random.Random,
        hints: Hints = "full",
        selection: str = ORIGINAL,
        evaluation: Literal["full", "race"] = "full",
        confirm: bool = False,
        objective: Objective = "reward",
        proposer: Literal["prompt", "agent"] = "prompt",
        usd_of_run: Callable[[str, Sequence[str]], float | None] = lambda sha, modes: None,
        on_event: Callable[[Event], None] = lambda event: None,
    ) -> None:
        if task_type != "coding":
            raise ValueError(f"no meta prompts for task type '{task_type}' (available: coding)")
        if status != "train":
            raise ValueError(f"designs evolve on the 'train' split, not on '{status}'")
        if hints not in ("full", "none"):
            raise ValueError(f"unknown hints '{hints}' (available: full, none)")
        if proposer not in ("prompt", "agent"):
            raise ValueError(f"unknown proposer '{proposer}' (available: prompt, agent)")
        if objective != "reward" and selection == ORIGINAL:
            raise ValueError(
                f"the selection policy {ORIGINAL} is defined on the reward, not on '{objective}'"
            )
        self._archive = archive
        self._rng = rng
        self._objective = objective
        self._select = get_policy(selection)
        self._barrier = selection == ORIGINAL
        self._tell = on_event
        trials = Trials(evaluator, archive, evaluation == "race", confirm, objective, usd_of_run)
        explores = proposer == "agent"
        self._proposer = Proposer(meta_model, execution_model, hints, archive, trials, objective, explores)
        self._stopping = False
        if archive.rng_state is not None:
            rng.setstate(archive.rng_state)
        elif history_ckpt_path is not None:
            archive.adopt(Path(history_ckpt_path))

    async def forward(
        self, steps: int = 10, maximum_size: int = PARENTS, max_concurrent: int = WINDOW
    ) -> Memo_Manager:
        """Evolve until the run has made ``steps`` steps, those before an interruption included.

        Args:
            maximum_size: parents per step.
            max_concurrent: proposals worked on at once.

        Raises:
            Exception: whatever the evaluator or the model raised. What was under way beside it is finished
                first and nothing is lost: another ``forward`` on the saved archive goes on from there.
        """
        self._stopping = False
        slots = asyncio.Semaphore(max_concurrent)

        async def one(proposal: Proposal) -> None:
            async with slots:
                if not self._stopping:
                    await self._carry_out(proposal)

        self._settle(steps, maximum_size)
        waiting = self._archive.pending()
        if waiting and waiting[0].parent == NO_MEMORY:  # every other score is read against this one
            await self._carry_out(waiting.pop(0))
            waiting += self._settle(steps, maximum_size)
        running = {asyncio.ensure_future(one(p)) for p in waiting}
        failed: list[BaseException] = []
        try:
            while running:
                ended, running = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
                failed += [e for e in (task.exception() for task in ended) if e is not None]
                running |= {asyncio.ensure_future(one(p)) for p in self._settle(steps, maximum_size)}
        finally:
            for task in running:
                task.cancel()
            await asyncio.gather(*running, return_exceptions=True)
        if failed:
            raise failed[0]
        return self._archive

    async def _carry_out(self, proposal: Proposal) -> None:
        try:
            proposal.outcome = await self._proposer.carry_out(proposal)
        except NothingSubmitted as error:
            proposal.reason = str(error)
        except (Refused, ContextOverflow) as error:
            proposal.reason = f"the meta model gave no design: {error}"
        except BaseException:
            self._stopping = True
            raise

    def _settle(self, steps: int, size: int) -> list[Proposal]:
        """Enter what is finished in its turn, and after each begin what then is due; returns what was begun."""
        begun: list[Proposal] = []
        ended: Proposal | None = None
        while True:
            batches = []
            while due := self._due(steps, size):
                self._archive.begin(due)
                batches.append(due)
            self._archive.save(self._rng)
            if ended is not None:
                record = self._archive.find(ended.child) if ended.has_record else None
                self._tell(ProposalEnded(ended, record))
            for due in batches:
                begun += due
                self._tell(StepStarted(due[0].step, [p.parent for p in due]))
            ended = self._archive.enter()
            if ended is None:
                return begun

    def _due(self, steps: int, size: int) -> list[Proposal]:
        """The proposals to begin next, by what has been begun and entered so far and by nothing else."""
        archive = self._archive
        if archive.step < 0:
            start = [Proposal(0, "baseline", name, 0) for name in BASELINES]
            return [*start, Proposal(0, "scratch", None, self._rng.getrandbits(31))]
        waiting = len(archive.proposals) - archive.entered
        own = sum(p.step > archive.origin for p in archive.proposals)
        if self._barrier or not own:
            step, k, ahead = archive.step + 1, size if self._barrier else 1, 1
        else:
            step, k, ahead = archive.origin + 1 + own // size, 1, WINDOW
        if step - archive.origin > steps or waiting >= ahead:
            return []
        candidates = archive.candidates(None if self._barrier else self._objective)
        chosen = self._select(candidates, archive.no_memo_reward, k, self._rng)
        rewrites = []
        for sha in chosen:
            way, second = self._way(candidates, sha)
            seed = self._rng.getrandbits(31)
            rewrites.append(Proposal(step, "rewrite", sha, seed, way=way, second=second))
        return rewrites or [Proposal(step, "scratch", None, self._rng.getrandbits(31))]

    def _way(self, candidates: list[Candidate], parent: str) -> tuple[Way, str | None]:
        if self._barrier:  # the paper's algorithm knows rewrites alone
            return "rewrite", None
        return draw_way(self._select, candidates, self._archive.no_memo_reward, parent, self._rng)
