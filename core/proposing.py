"""One proposal from its parent to its end: analyze -> generate -> examine, repair -> score."""

from __future__ import annotations

import dataclasses
import hashlib
from pathlib import Path
from typing import Any

from core import meta_agent_prompt as prompts
from core.design_file import NO_MEMORY, content_sha, resolve_design, source_problem
from core.memo_manager import Attempt, Memo_Manager, Objective, Proposal, Record
from core.meta_agent_prompt import Case, Hints, Origin, Prompt, Tried
from core.novelty import Known
from core.trials import Trial, Trials
from evals.utils.gateway_client import call_purpose, call_scope, call_seed
from evals.utils.hire_agent import Agent

EXAMINATIONS = 3
JUDGED = {
    "reward": "Designs are judged by one number, the reward: the mean share of a task's tests that pass when the agent "
    "works with that memory.",
    "resolved": "Designs are judged by one number, resolved: the share of tasks in which all tests pass when the agent "
    "works with that memory.",
}


async def ask_model(model: str, prompt: Prompt, seed: int, scope: dict[str, Any]) -> Any:
    """Ask the meta model through the gateway: text, or the object of ``prompt.schema``."""
    labels = [(call_purpose, prompt.purpose), (call_scope, scope), (call_seed, seed)]
    tokens = [variable.set(value) for variable, value in labels]
    try:
        return await Agent(prompt.system, output_schema=prompt.schema, model=model).ask(prompt.user)
    finally:
        for (variable, _), token in zip(labels, tokens, strict=True):
            variable.reset(token)


class Proposer:
    """Carries proposals out. What it does depends on the proposal and on the archive as that knows it, and on nothing
    that happens beside it."""

    def __init__(
        self,
        meta_model: str,
        execution_model: str,
        hints: Hints,
        archive: Memo_Manager,
        trials: Trials,
        objective: Objective = "reward",
    ) -> None:
        self._meta_model = meta_model
        self._hints = hints
        self._archive = archive
        self._trials = trials
        self._given = f"{JUDGED[objective]}\n\nThe agent that uses the memory runs on `{execution_model}`."

    async def carry_out(self, proposal: Proposal) -> Record:
        """The finished design: scored, or failed with its reason.

        Raises:
            ValueError: a baseline is missing, or it is ``no_mem`` and failed: without that score there is no
                evolution.
        """
        return await (self._baseline(proposal) if proposal.kind == "baseline" else self._propose(proposal))

    async def _baseline(self, proposal: Proposal) -> Record:
        """Unlike a generated design it is not examined first."""
        design = resolve_design(proposal.parent, self._archive.designs_dir.parent)
        content = content_sha(design.path.read_text(encoding="utf-8"))
        trial = await self._trials.score(design.sha, design.path)
        record = self._record(proposal, None, content, design.path)
        record.sha = design.sha
        if trial.error is None:
            return dataclasses.replace(record, status="ok", **trial.fields)
        if design.sha == NO_MEMORY:
            raise ValueError(f"the score of {NO_MEMORY} could not be had: {trial.error}")
        record.error = trial.error
        return record

    async def _propose(self, proposal: Proposal) -> Record:
        known = Known(self._archive, proposal)
        parent = self._archive.find(proposal.parent) if proposal.kind == "rewrite" else None
        analysis = None
        if parent is None:
            prompt = prompts.scratch_prompt(known.tried, self._hints)
        else:
            case = self._case(parent, known.tried)
            analysis = await self._analyze(proposal, case)
            prompt = prompts.generate_prompt(case, analysis, self._hints)
        reply = await self._ask(proposal, prompt, 1)
        attempts: list[Attempt] = []
        sent_back = False
        while True:
            source = prompts.extract_code(reply)
            problem = self._problem(source, known)
            source = source or reply
            content, path = self._archive.keep_source(source)
            trial = Trial(problem) if problem else await self._trials.examine(content, path)
            if trial.error is None and not sent_back:
                trial = Trial(known.seems_like(trial.fields["behaviour"]), trial.fields)
                sent_back = trial.error is not None
            if trial.error is None:
                scored = await self._trials.score(content, path, parent, known.records)
                trial = Trial(scored.error, trial.fields | scored.fields)
            attempts.append(Attempt(content, trial.error))
            if trial.error is None or len(attempts) - sent_back == EXAMINATIONS:
                break
            prompt = prompts.repair_prompt(source, trial.error, known.tried, self._hints)
            reply = await self._ask(proposal, prompt, len(attempts))
        record = self._record(proposal, parent, content, path)
        record.suggestion, record.attempts, record.error = analysis, attempts, trial.error
        if trial.error is None:
            record = dataclasses.replace(record, status="ok", **trial.fields)
            record.improve_score = record.reward - parent.reward if parent else None
        return record

    def _problem(self, source: str | None, known: Known) -> str | None:
        if source is None:
            return "The reply holds no Python code; the whole design is expected in one ```python fence."
        return known.problem(source) or source_problem(source)

    async def _analyze(self, proposal: Proposal, case: Case) -> Any:
        """The analysis; asked for once more when it does not fit its schema, then taken as it is."""
        prompt = prompts.analyze_prompt(case, self._hints)
        analysis = await self._ask(proposal, prompt, 1)
        if isinstance(analysis, dict) and "error" in analysis:
            analysis = await self._ask(proposal, prompt, 2)
        return analysis

    async def _ask(self, proposal: Proposal, prompt: Prompt, number: int) -> Any:
        """The ``number``-th call of its purpose in a proposal; its seed depends on nothing else."""
        digest = hashlib.sha256(f"{proposal.seed}/{prompt.purpose}/{number}".encode()).digest()
        at = self._archive.proposals.index(proposal) + 1
        scope = {"phase": "evolve", "task": f"proposal {at}: {proposal.parent}", "repeat": number}
        prompt = dataclasses.replace(
            prompt,
            system=f"{prompt.system}\n\n{self._given}",
        )
        return await ask_model(self._meta_model, prompt, int.from_bytes(digest[:4], "big") >> 1, scope)

    def _record(self, proposal: Proposal, parent: Record | None, content: str, path: Path) -> Record:
        return Record(
            sha=content,
            content=content,
            path=str(path.relative_to(self._archive.designs_dir.parent)),
            parent=parent.sha if parent else None,
            step=proposal.step,
            generation=parent.generation + 1 if parent else 0,
            status="design_error",
        )

    def _case(self, record: Record, tried: list[Tried]) -> Case:
        origin = None
        above = self._archive.find(record.parent) if record.parent else None
        if above is not None:
            origin = Origin(above.sha, self._archive.source(above), record.suggestion, record.improve_score)
        return Case(
            sha=record.sha,
            source=self._archive.source(record),
            reward=record.reward,
            reward_se=record.reward_se,
            resolved=record.resolved,
            tasks=record.tasks,
            no_memo_reward=self._archive.no_memo_reward,
            origin=origin,
            examples=self._archive.examples(record),
            tried=tried,
        )
