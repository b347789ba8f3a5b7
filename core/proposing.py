"""One proposal from its parent to its end: analyze -> generate -> examine, repair -> score."""

from __future__ import annotations

import dataclasses
import hashlib
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

from core import meta_agent_prompt as prompts
from core.archive_folder import with_folders, write_folder
from core.design_file import NO_MEMORY, content_sha, resolve_design, source_problem
from core.exploring import HOW_TO, explore
from core.hypotheses import compare
from core.memo_manager import Memo_Manager
from core.meta_agent_past import Child, Origin, Second
from core.meta_agent_prompt import Case, Hints, Prompt
from core.meta_agent_reply import (
    EditError,
    apply_edits,
    extract_code,
    extract_edits,
    extract_hypothesis,
)
from core.novelty import Known
from core.pareto import OUTCOME, Objective
from core.records import Attempt, Proposal, Record, task_means_of
from core.trials import Trial, Trials
from evals.utils.gateway_client import call_purpose, call_scope, call_seed
from evals.utils.hire_agent import Agent

EXAMINATIONS = 3
_REWARD = "the mean share of a task's tests that pass when the agent works with that memory"
JUDGED: dict[Objective, str] = {
    "reward": f"Designs are judged by one number, the reward: {_REWARD}.",
    "resolved": "Designs are judged by one number, resolved: the share of tasks in which all tests pass when the agent "
    "works with that memory.",
    "tokens": f"Designs are judged by two numbers: the reward, {_REWARD}, and the tokens of memory text in the agent's "
    "prompt. Worth having is a design that no other beats in both: more reward, or fewer tokens at the same.",
    "cost": f"Designs are judged by two numbers: the reward, {_REWARD}, and what all model calls of a task cost, those "
    "of the memory and those of the agent, which memory may save. Worth having is what no other design beats in both.",
}


async def ask_model(model: str, prompt: Prompt) -> Any:
    """Ask the meta model through the gateway: text, or the object of ``prompt.schema``."""
    return await Agent(prompt.system, output_schema=prompt.schema, model=model).ask(prompt.user)


class Given(NamedTuple):
    """What a reply came to: a source, or the reply itself, why it holds none, and what it was to edit."""

    source: str
    problem: str | None
    edited: str | None = None


class First(NamedTuple):
    """The first version of a proposal, and what it goes back to."""

    given: Given
    hypothesis: str | None
    analysis: Any


class Proposer:
    """Carries proposals out. What it does depends on the proposal and on the archive as that knows it, and on nothing
    that happens beside it. With ``explores`` the meta agent looks around in the archive by itself; otherwise it is
    shown what to judge, and asked twice."""

    def __init__(
        self,
        meta_model: str,
        execution_model: str,
        hints: Hints,
        archive: Memo_Manager,
        trials: Trials,
        objective: Objective = "reward",
        explores: bool = False,
    ) -> None:
        self._explores = explores
        self._meta_model = meta_model
        self._hints = hints
        self._archive = archive
        self._trials = trials
        self._objective = objective
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
        known = Known(self._archive, proposal, self._objective)
        parents = [self._archive.find(sha) for sha in proposal.parents]
        parent = parents[0] if parents else None
        first = await (self._explored if self._explores else self._generated)(proposal, parent, known)
        given, hypothesis = first.given, first.hypothesis
        attempts: list[Attempt] = []
        sent_back = False
        while True:
            problem = given.problem or known.problem(given.source) or source_problem(given.source)
            content, path = self._archive.keep_source(given.source)
            trial = Trial(problem) if problem else await self._trials.examine(content, path)
            alike = False
            if trial.error is None and not sent_back:
                trial = Trial(known.seems_like(trial.fields["behaviour"]), trial.fields)
                sent_back = alike = trial.error is not None
            if trial.error is None:
                scored = await self._trials.score(content, path, parents, known.records)
                trial = Trial(scored.error, trial.fields | scored.fields)
            attempts.append(Attempt(content, trial.error, alike))
            if trial.error is None or len(attempts) - sent_back == EXAMINATIONS:
                break
            prompt = prompts.repair_prompt(given.source, trial.error, known.tried, self._hints, given.edited)
            reply = await self._ask(proposal, prompt, len(attempts))
            given, hypothesis = self._source(reply, None), extract_hypothesis(reply) or hypothesis
        record = self._record(proposal, parent, content, path)
        record.suggestion, record.attempts, record.error = first.analysis, attempts, trial.error
        record.hypothesis = hypothesis
        if trial.error is None:
            record = dataclasses.replace(record, status="ok", **trial.fields)
            if parent is not None:
                record.improve_score = record.reward - parent.reward
                outcome = OUTCOME[self._objective]
                record.compared = compare(record.runs[outcome], parent.runs.get(outcome, {}))
        return record

    async def _generated(self, proposal: Proposal, parent: Record | None, known: Known) -> First:
        """Analyze the parent, then ask for its successor."""
        analysis = None
        if parent is None:
            prompt = prompts.scratch_prompt(known.tried, self._hints)
        else:
            case = dataclasses.replace(self._case(parent, known), second=self._second(proposal, parent))
            analysis = await self._analyze(proposal, case)
            prompt = prompts.generate_prompt(case, analysis, self._hints, proposal.way)
        reply = await self._ask(proposal, prompt, 1)
        edited = parent if proposal.way == "edit" else None
        return First(self._source(reply, edited), extract_hypothesis(reply), analysis)

    async def _explored(self, proposal: Proposal, parent: Record | None, known: Known) -> First:
        """Let the meta agent look around in the archive, and take what it submits."""
        folder = self._archive.run_dir / "explored" / str(proposal.number)
        records = with_folders(known.records, proposal.parents)
        cases = (self._case(record, known) for record in records)
        task = prompts.explore_task(
            self._case(parent, known) if parent else None, proposal.way, proposal.second
        )
        system = f"{prompts.system_prompt(self._hints)}\n\n{HOW_TO}\n\n{self._given}"
        agent = Agent(system, model=self._meta_model)

        async def ask(message: str, number: int) -> str:
            with self._labelled(proposal, "explore", number):
                return await agent.ask(message, with_history=True)

        try:
            write_folder(folder, self._archive, known, cases)
            found = await explore(ask, folder, task, self._archive.source(parent) if parent else None)
        finally:
            shutil.rmtree(folder, ignore_errors=True)
            with suppress(OSError):  # others look around beside it
                folder.parent.rmdir()
        return First(Given(found.source, None), found.hypothesis, {"looked_at": found.looked})

    def _source(self, reply: str, edited: Record | None) -> Given:
        """The source that a reply gives: a file, or edits of a design."""
        edits = extract_edits(reply) if edited is not None else []
        if edits:
            before = self._archive.source(edited)
            try:
                return Given(apply_edits(before, edits), None)
            except EditError as error:
                return Given(reply, str(error), before)
        source = extract_code(reply)
        if source is None:
            return Given(
                reply, "The reply holds no Python code; the whole design is expected in one ```python fence."
            )
        return Given(source, None)

    def _second(self, proposal: Proposal, parent: Record) -> Second | None:
        """The other parent of a crossover."""
        if proposal.second is None:
            return None
        other = self._archive.find(proposal.second)
        outcome = OUTCOME[self._objective]
        runs = [task_means_of(r.runs.get(outcome, {})) for r in (parent, other)]
        ahead = {task: runs[1][task] - runs[0][task] for task in runs[0].keys() & runs[1].keys()}
        gains = {task: gain for task, gain in ahead.items() if gain > 0}
        source = self._archive.source(other)
        return Second(other.sha, source, other.reward, other.resolved, gains, other.memory_tokens, other.usd)

    async def _analyze(self, proposal: Proposal, case: Case) -> Any:
        """The analysis; asked for once more when it does not fit its schema, then taken as it is."""
        prompt = prompts.analyze_prompt(case, self._hints)
        analysis = await self._ask(proposal, prompt, 1)
        if isinstance(analysis, dict) and "error" in analysis:
            analysis = await self._ask(proposal, prompt, 2)
        return analysis

    async def _ask(self, proposal: Proposal, prompt: Prompt, number: int) -> Any:
        """The ``number``-th call of its purpose in a proposal."""
        prompt = dataclasses.replace(prompt, system=f"{prompt.system}\n\n{self._given}")
        with self._labelled(proposal, prompt.purpose, number):
            return await ask_model(self._meta_model, prompt)

    @contextmanager
    def _labelled(self, proposal: Proposal, purpose: str, number: int) -> Iterator[None]:
        """What the ledger is told of a call; its seed depends on the proposal, the purpose and the number alone."""
        digest = hashlib.sha256(f"{proposal.seed}/{purpose}/{number}".encode()).digest()
        at = self._archive.proposals.index(proposal) + 1
        scope = {"phase": "evolve", "task": f"proposal {at}: {proposal.parent}", "repeat": number}
        labels = [
            (call_purpose, purpose),
            (call_scope, scope),
            (call_seed, int.from_bytes(digest[:4], "big") >> 1),
        ]
        tokens = [variable.set(value) for variable, value in labels]
        try:
            yield
        finally:
            for (variable, _), token in zip(labels, tokens, strict=True):
                variable.reset(token)

    def _record(self, proposal: Proposal, parent: Record | None, content: str, path: Path) -> Record:
        return Record(
            sha=content,
            content=content,
            path=str(path.relative_to(self._archive.designs_dir.parent)),
            parent=parent.sha if parent else None,
            step=proposal.step,
            generation=parent.generation + 1 if parent else 0,
            status="design_error",
            way=proposal.way,
            second=proposal.second,
        )

    def _case(self, record: Record, known: Known) -> Case:
        origin = None
        above = self._archive.find(record.parent) if record.parent else None
        if above is not None:
            origin = Origin(
                above.sha,
                self._archive.source(above),
                record.suggestion,
                record.improve_score,
                record.hypothesis,
                record.compared,
            )
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
            tried=known.tried,
            memory_tokens=record.memory_tokens,
            usd=record.usd,
            children=[
                self._child(r, known.worth[r.sha])
                for r in known.records
                if r.parent == record.sha and r.status == "ok"
            ],
        )

    def _child(self, record: Record, worth: float) -> Child:
        change = record.compared.difference if record.compared else record.improve_score or 0.0
        return Child(
            record.sha,
            self._archive.source(record),
            change,
            record.hypothesis,
            record.compared,
            record.judged,
            record.memory_tokens,
            record.usd,
            worth,
        )
