"""The outer loop (ALMA, arXiv 2602.07755): select -> analyze -> generate -> examine -> evaluate -> archive.

Everything random is drawn when a step begins and stored with the step, and each proposal sees the archive as
it was then. So proposals may run in any order, at any concurrency, or in another process after a kill, with
the same archive in the end.
"""

from __future__ import annotations

import asyncio
import dataclasses
import hashlib
import math
import random
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from core import meta_agent_prompt as prompts
from core.design_file import NO_MEMORY, content_sha, resolve_design, source_problem
from core.examples import sample_examples
from core.experiments.statistics import score
from core.memo_manager import Attempt, Memo_Manager, Proposal, Record
from core.meta_agent_prompt import Case, Hints, Origin, Prompt, Tried
from core.selection import get_policy
from evals.utils.gateway_client import ContextOverflow, Refused, call_purpose, call_scope, call_seed
from evals.utils.hire_agent import Agent

if TYPE_CHECKING:
    from core.eval_in_container import Evaluates

EXAMINATIONS = 3
BASELINES = (NO_MEMORY, "claude_md")

Stage = Literal["analyze", "generate", "repair", "examine", "evaluate"]


@dataclass(frozen=True)
class StepStarted:
    """A step has its proposals: ``parents`` in order, None for a design from scratch. Step 0 is the start."""

    step: int
    parents: list[str | None]


@dataclass(frozen=True)
class StageStarted:
    """A proposal goes on. ``attempt`` counts examinations from 1; ``sha`` is None before there is a
    source."""

    step: int
    parent: str | None
    stage: Stage
    attempt: int
    sha: str | None


@dataclass(frozen=True)
class ProposalEnded:
    """A proposal was entered into the archive; ``record`` is None for one without a new design."""

    proposal: Proposal
    record: Record | None


@dataclass(frozen=True)
class StepEnded:
    step: int
    best: Record | None


Event = StepStarted | StageStarted | ProposalEnded | StepEnded


async def ask_model(model: str, prompt: Prompt, seed: int, scope: dict[str, Any]) -> Any:
    """Ask the meta model through the gateway: text, or the object of ``prompt.schema``."""
    labels = [(call_purpose, prompt.purpose), (call_scope, scope), (call_seed, seed)]
    tokens = [variable.set(value) for variable, value in labels]
    try:
        return await Agent(prompt.system, output_schema=prompt.schema, model=model).ask(prompt.user)
    finally:
        for (variable, _), token in zip(labels, tokens, strict=True):
            variable.reset(token)


@dataclass(frozen=True)
class _Trial:
    """What examining and evaluating one source came to: an error, or the fields of a record."""

    error: str | None
    fields: dict[str, Any] = dataclasses.field(default_factory=dict)


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
        selection: str = "alma",
        on_event: Callable[[Event], None] = lambda event: None,
    ) -> None:
        if task_type != "coding":
            raise ValueError(f"no meta prompts for task type '{task_type}' (available: coding)")
        if status != "train":
            raise ValueError(f"designs evolve on the 'train' split, not on '{status}'")
        if hints not in ("full", "none"):
            raise ValueError(f"unknown hints '{hints}' (available: full, none)")
        self._meta_model = meta_model
        self._execution_model = execution_model
        self._evaluator = evaluator
        self._archive = archive
        self._rng = rng
        self._hints = hints
        self._select = get_policy(selection)
        self._tell = on_event
        self._trials: dict[str, asyncio.Task[_Trial]] = {}
        self._stopping = False
        if archive.rng_state is not None:
            rng.setstate(archive.rng_state)
        elif history_ckpt_path is not None:
            archive.adopt(Path(history_ckpt_path))

    async def forward(self, steps: int = 10, maximum_size: int = 5, max_concurrent: int = 5) -> Memo_Manager:
        """Evolve until the run has made ``steps`` steps, those before an interruption included.

        Args:
            maximum_size: parents per step.
            max_concurrent: proposals worked on at once.

        Raises:
            Exception: whatever the evaluator or the model raised. What was under way beside it is finished
                first and nothing is lost: another ``forward`` on the saved archive goes on from there.
        """
        archive = self._archive
        self._stopping = False
        if archive.step < 0:
            start = [Proposal(0, "baseline", name, 0) for name in BASELINES]
            self._begin([*start, Proposal(0, "scratch", None, self._rng.getrandbits(31))])
        await self._finish_step(max_concurrent)
        while archive.step - archive.origin < steps:
            step = archive.step + 1
            chosen = self._select(archive.candidates(), archive.no_memo_reward, maximum_size, self._rng)
            rewrites = [Proposal(step, "rewrite", sha, self._rng.getrandbits(31)) for sha in chosen]
            self._begin(rewrites or [Proposal(step, "scratch", None, self._rng.getrandbits(31))])
            await self._finish_step(max_concurrent)
        return archive

    def _begin(self, proposals: list[Proposal]) -> None:
        self._archive.begin_step(proposals[0].step, proposals)
        self._archive.save(self._rng)
        self._tell(StepStarted(proposals[0].step, [p.parent for p in proposals]))

    async def _finish_step(self, max_concurrent: int) -> None:
        pending = self._archive.pending()
        if not pending:
            return
        self._trials.clear()
        if pending[0].parent == NO_MEMORY:  # every other score is read against this one
            await self._carry_out(pending.pop(0))
        slots = asyncio.Semaphore(max_concurrent)

        async def one(proposal: Proposal) -> None:
            async with slots:
                if not self._stopping:
                    await self._carry_out(proposal)

        ends = await asyncio.gather(*(one(p) for p in pending), return_exceptions=True)
        failed = [end for end in ends if isinstance(end, BaseException)]
        if failed:
            raise failed[0]
        self._tell(StepEnded(self._archive.step, self._archive.best()))

    async def _carry_out(self, proposal: Proposal) -> None:
        try:
            if proposal.kind == "baseline":
                proposal.outcome = await self._baseline(proposal)
            else:
                proposal.outcome = await self._propose(proposal)
        except (Refused, ContextOverflow) as error:
            proposal.reason = f"the meta model gave no design: {error}"
        except BaseException:
            self._stopping = True
            raise
        entered = self._archive.enter()
        self._archive.save(self._rng)
        for done in entered:
            record = self._archive.find(done.child) if done.end != "duplicate" and done.child else None
            self._tell(ProposalEnded(done, record))

    async def _baseline(self, proposal: Proposal) -> Record:
        """Score a baseline; unlike a generated design it is not examined first.

        Raises:
            ValueError: it is missing, or it is ``no_mem`` and failed: without that score there is no
                evolution.
        """
        design = resolve_design(proposal.parent, self._archive.designs_dir.parent)
        content = content_sha(design.path.read_text(encoding="utf-8"))
        self._tell(StageStarted(proposal.step, None, "evaluate", 1, design.sha))
        trial = await self._evaluate(design.sha, design.path)
        record = self._record(proposal, None, content, design.path)
        record.sha = design.sha
        if trial.error is None:
            return dataclasses.replace(record, status="ok", **trial.fields)
        if design.sha == NO_MEMORY:
            raise ValueError(f"the score of {NO_MEMORY} could not be had: {trial.error}")
        record.error = trial.error
        return record

    async def _propose(self, proposal: Proposal) -> Record:
        """From a parent (or from nothing) to a finished design: evaluated, or failed with its reason."""
        known = self._archive.before(proposal.step)
        tried = [self._tried(r) for r in known if r.sha != NO_MEMORY]
        parent = self._archive.find(proposal.parent) if proposal.kind == "rewrite" else None
        analysis = None
        if parent is None:
            prompt = prompts.scratch_prompt(tried, self._hints)
        else:
            case = self._case(parent, tried)
            analysis = await self._analyze(proposal, case)
            prompt = prompts.generate_prompt(case, analysis, self._hints)
        reply = await self._ask(proposal, prompt, 1)
        taken = {r.content: r.sha for r in known}
        attempts: list[Attempt] = []
        while True:
            source = prompts.extract_code(reply)
            problem = self._known_problem(source, taken)
            source = source or reply
            content, path = self._archive.keep_source(source)
            trial = (
                _Trial(problem) if problem else await self._trial(proposal, content, path, len(attempts) + 1)
            )
            attempts.append(Attempt(content, trial.error))
            if trial.error is None or len(attempts) == EXAMINATIONS:
                break
            prompt = prompts.repair_prompt(source, trial.error, tried, self._hints)
            reply = await self._ask(proposal, prompt, len(attempts))
        record = self._record(proposal, parent, content, path)
        record.suggestion, record.attempts, record.error = analysis, attempts, trial.error
        if trial.error is None:
            record = dataclasses.replace(record, status="ok", **trial.fields)
            record.improve_score = record.reward - parent.reward if parent else None
        return record

    def _known_problem(self, source: str | None, taken: dict[str, str]) -> str | None:
        if source is None:
            return "The reply holds no Python code; the whole design is expected in one ```python fence."
        content = content_sha(source)
        if content in taken:
            return f"This is exactly the source of {taken[content]}. It must differ from the designs tried."
        return source_problem(source)

    async def _analyze(self, proposal: Proposal, case: Case) -> Any:
        """The analysis; asked for once more when it does not fit its schema, then taken as it is."""
        prompt = prompts.analyze_prompt(case, self._hints)
        analysis = await self._ask(proposal, prompt, 1)
        if isinstance(analysis, dict) and "error" in analysis:
            analysis = await self._ask(proposal, prompt, 2)
        return analysis

    async def _ask(self, proposal: Proposal, prompt: Prompt, number: int) -> Any:
        """The ``number``-th call of its purpose in a proposal; its seed depends on nothing else."""
        self._tell(StageStarted(proposal.step, proposal.parent, prompt.purpose, number, None))
        digest = hashlib.sha256(f"{proposal.seed}/{prompt.purpose}/{number}".encode()).digest()
        scope = {"phase": "evolve", "task": f"step {proposal.step}: {proposal.parent}", "repeat": number}
        prompt = dataclasses.replace(
            prompt,
            system=f"{prompt.system}\n\nThe agent that uses the memory runs on `{self._execution_model}`.",
        )
        return await ask_model(self._meta_model, prompt, int.from_bytes(digest[:4], "big") >> 1, scope)

    async def _trial(self, proposal: Proposal, content: str, path: Path, attempt: int) -> _Trial:
        """Examine and evaluate a source, once, whoever proposes it how often."""
        if content in self._archive.failures:
            return _Trial(self._archive.failures[content])
        twin = self._archive.scored_source(content)
        if twin is not None:
            return _Trial(None, {name: getattr(twin, name) for name in SCORED})
        if content not in self._trials:
            self._trials[content] = asyncio.ensure_future(self._examine(proposal, content, path, attempt))
        try:
            return await asyncio.shield(self._trials[content])
        except asyncio.CancelledError:
            # Its subprocess is ended before the run's gateway is.
            self._trials[content].cancel()
            await asyncio.gather(self._trials[content], return_exceptions=True)
            raise

    async def _examine(self, proposal: Proposal, content: str, path: Path, attempt: int) -> _Trial:
        self._tell(StageStarted(proposal.step, proposal.parent, "examine", attempt, content))
        result = await self._evaluator.evaluate(content, path, "test")
        if result.status == "ok":
            self._tell(StageStarted(proposal.step, proposal.parent, "evaluate", attempt, content))
            trial = await self._evaluate(content, path)
        else:
            trial = _Trial(_reason(result))
        if trial.error is not None:
            self._archive.failures[content] = trial.error
            self._archive.save(self._rng)
        return trial

    async def _evaluate(self, sha: str, path: Path) -> _Trial:
        result = await self._evaluator.evaluate(sha, path, "eval")
        if result.status != "ok":
            return _Trial(_reason(result))
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
        return _Trial(None, fields)

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

    def _tried(self, record: Record) -> Tried:
        note = prompts.first_sentence(self._archive.source(record))
        if record.error is not None:
            note += " It failed: " + record.error.strip().splitlines()[-1][:200]
        return Tried(record.sha, record.status, record.reward, note)


SCORED = ("reward", "reward_se", "resolved", "tasks", "episodes", "infra_errors", "tokens", "examples")


def _reason(result: Any) -> str:
    """Why a design failed.

    Raises:
        RuntimeError: the evaluation failed for a reason outside the design.
    """
    if result.status == "infra_error":
        raise RuntimeError(f"evaluation could not be finished: {result.error}")
    return result.error or "the evaluation failed without a message"
