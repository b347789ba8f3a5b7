"""The jobs of the command line: evolve, evaluate, h1. Each checks everything first, then opens its run."""

from __future__ import annotations

import asyncio
import dataclasses
import random
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

from core.design_file import Design, DesignError, resolve_design
from core.eval_in_container import InfraError
from core.experiments import h1
from core.experiments.evaluate import Row, evaluate_designs, row, with_pairs
from core.gateway.gateway import GatewaySettings, ModelUnavailable
from core.memo_manager import Memo_Manager
from core.meta_agent import Event, MetaAgent, ProposalEnded, StepStarted
from core.options import PROJECT_ROOT, Options, UsageError, log_dir
from core.progress import Progress
from core.report import tables
from core.run import Run, open_run, split_of, tasks_of
from envs_archive.coding.tasks import Split
from evals.utils import gateway_client
from evals.utils.sandbox import NO_BOUNDARY, SandboxKind, SandboxUnavailable, probe

MEMO_ARCHIVE = PROJECT_ROOT / "memo_archive"
EXIT_DONE, EXIT_FAILED = 0, 1


async def execute(options: Options) -> int:
    """Do what the options say; returns the exit code.

    Raises:
        UsageError: it cannot be done as asked; nothing has been written.
        asyncio.CancelledError: interrupted; the run can be resumed.
    """
    tasks = tasks_of(options)
    if options.kind != "h1":
        split_of(options, tasks)
    _designs(options)
    if options.history_ckpt_path is not None:
        _check_checkpoint(options)
    kind = _sandbox(options)
    settings = GatewaySettings.from_environment(options.execution_model)
    for model in (options.execution_model, options.meta_model):
        try:
            settings.check_model(model)
        except ModelUnavailable as error:
            raise UsageError(str(error)) from error
    with Progress() as progress:
        async with open_run(options, log_dir() / options.name, tasks, kind, progress) as run:
            progress.say(f"run {options.name}: {options.kind}, seed {options.seed}; {kind.note}")
            if kind.kind == "process":
                progress.say(f"warning: {NO_BOUNDARY}")
            if settings.offline:
                progress.say(
                    "model: offline (embedded repair program, no key needed; --execution_model takes another)"
                )
            try:
                return await KINDS[options.kind](run)
            except InfraError as error:
                run.summarise("interrupted", error=str(error))
                progress.say(f"stopped: {error}\ngo on with: python run_main.py --resume {options.name}")
                return EXIT_FAILED
            except asyncio.CancelledError:
                run.summarise("interrupted")
                progress.say(f"interrupted; go on with: python run_main.py --resume {options.name}")
                raise


def _check_checkpoint(options: Options) -> None:
    path = Path(options.history_ckpt_path)
    path = path / "archive.json" if path.is_dir() else path
    if path.name != "archive.json" or not path.is_file():
        raise UsageError(
            f"--history_ckpt_path takes another run's archive.json, not {options.history_ckpt_path}"
        )
    try:
        Memo_Manager.load(path.parent, MEMO_ARCHIVE / options.task_type)
    except ValueError as error:
        raise UsageError(str(error)) from error


def _sandbox(options: Options) -> SandboxKind:
    try:
        return probe(options.sandbox)
    except SandboxUnavailable as error:
        raise UsageError(str(error)) from error


def _designs(options: Options) -> list[Design]:
    """The designs to compare; those of an experiment behind its control."""
    control = [options.baseline] if options.kind == "h1" else []
    names = control + [name for name in options.memo_SHA if name not in control]
    try:
        return [resolve_design(name, MEMO_ARCHIVE, options.task_type) for name in names]
    except DesignError as error:
        raise UsageError(str(error)) from error


async def _evaluate(run: Run) -> int:
    evaluator = run.evaluator(split_of(run.options, run.tasks))
    rows = await evaluate_designs(run, evaluator, _designs(run.options))
    n = next((r.score.n_tasks for r in rows if r.score), 0)
    title = (
        f"{run.options.name}: {n} tasks x {run.options.repeats} repeats, {run.options.rollout_type}"
        f" ({'memory read-only' if run.options.rollout_type == 'batched' else 'memory learns on'})"
    )
    return _report(run, rows, title)


async def _h1(run: Run) -> int:
    options = run.options
    ids = list(run.tasks)
    evaluator = run.evaluator(Split(ids, ids))
    sides = h1.halves(ids, run.projects, random.Random(options.seed))
    arms = await asyncio.gather(
        *(h1.cross_fitted(evaluator, d.sha, d.path, sides, options.repeats) for d in _designs(options))
    )
    rows = [row(run, arm.label, arm.status, arm.episodes, arm.error) for arm in arms]
    rows = with_pairs(rows, run.projects, options.seed)
    if arms[0].status == "ok":
        h1.write_pairs(
            run.folder / "pairs.csv", arms[0], [a for a in arms[1:] if a.status == "ok"], run.projects
        )
    title = (
        f"{options.name}: H1, {len(ids)} tasks x {options.repeats} repeats, memory cross-fitted, read-only"
    )
    return _report(run, rows, title)


def _report(run: Run, rows: Sequence[Row], title: str) -> int:
    pairs = {
        r.design: {
            "control": rows[0].design,
            "unit": "task",
            **dataclasses.asdict(r.versus),
            "resolved": dataclasses.asdict(r.versus_resolved),
        }
        for r in rows
        if r.versus
    }
    run.designs = [r.summary() for r in rows]
    run.summarise("done", paired=pairs)
    notes = ["SE over tasks (repeats averaged first); delta, interval and p paired by task."]
    tables.comparison(
        rows, title, [*notes, *tables.model_note(run.options), f"Everything is in {run.folder}"]
    )
    return EXIT_DONE if all(r.status == "ok" for r in rows) else EXIT_FAILED


async def _evolve(run: Run) -> int:
    options = run.options
    gateway_client.connect(run.gateway.socket_path, run.gateway.issue_token({"design": "meta agent"}))

    def on_event(event: Event) -> None:
        line = describe(event)
        if line:
            run.progress.say(line)
        if isinstance(event, ProposalEnded):
            run.designs = _archived(run, archive)
            run.summarise("interrupted")

    try:
        archive = Memo_Manager.load(run.folder, MEMO_ARCHIVE / options.task_type)
        agent = _meta_agent(run, archive, on_event)
    except ValueError as error:
        raise UsageError(str(error)) from error
    await agent.forward(options.steps)
    run.designs = _archived(run, archive)
    summary = run.summarise("done")
    title = (
        f"{options.name}: {options.steps} steps of evolution, seed {options.seed}, {summary['wall_s']:.0f} s"
    )
    tables.archive(archive, title, [*_evolution_notes(run, archive), *tables.model_note(options)])
    return EXIT_DONE


def _meta_agent(run: Run, archive: Memo_Manager, on_event: Callable[[Event], None]) -> MetaAgent:
    options = run.options
    return MetaAgent(
        options.task_type,
        options.meta_model,
        options.execution_model,
        options.status,
        options.history_ckpt_path,
        evaluator=run.evaluator(split_of(options, run.tasks)),
        archive=archive,
        rng=random.Random(options.seed),
        hints=options.hints,
        selection=options.selection,
        on_event=on_event,
    )


def _evolution_notes(run: Run, archive: Memo_Manager) -> list[str]:
    best = archive.best()
    if best is None:
        return ["No design could be scored; the reasons are in the last column."]
    return [
        "Rewards are means over the training tasks that chose these designs: the best one is flattered by that.",
        "What to do next:",
        f"  score the best on unseen tasks  python run_main.py --status test --memo_SHA no_mem,{best.sha}",
        f"  read it                         {archive.path(best)}",
        f"  evolve on from here             python run_main.py --history_ckpt_path {run.folder / 'archive.json'}",
    ]


def _archived(run: Run, archive: Memo_Manager) -> list[dict[str, Any]]:
    """The archive's designs as ``summary.json`` lists them."""
    spent = run.spent()
    return [
        {
            "sha": r.sha,
            "parent": r.parent,
            "status": r.status,
            "reward": r.reward,
            "reward_se": r.reward_se,
            "resolved": r.resolved,
            "episodes": r.episodes,
            "infra_errors": r.infra_errors,
            "tokens": r.tokens,
            "cost_usd": spent.get(r.sha, (0, 0.0))[1],
            "generation": r.generation,
            "improve_score": r.improve_score,
            "error": r.error,
        }
        for r in archive.records
    ]


def describe(event: Event) -> str | None:
    """A line for people about what the evolution is doing; None for what the table will tell anyway."""
    if isinstance(event, StepStarted):
        return f"step {event.step}: from {', '.join(parent or 'scratch' for parent in event.parents)}"
    if isinstance(event, ProposalEnded):
        proposal, record = event.proposal, event.record
        if record is None:
            return f"  {proposal.child or 'a proposal'}: dropped, {proposal.reason}"
        if record.reward is None:
            return f"  {record.sha}: {record.status}: {(record.error or '').splitlines()[-1]}"
        origin = f" (parent {record.parent})" if record.parent else ""
        return f"  {record.sha}{origin}: reward {record.reward:.3f}, resolved {record.resolved:.0%}"
    return None


KINDS: dict[str, Callable[[Run], Awaitable[int]]] = {"evaluate": _evaluate, "h1": _h1, "evolve": _evolve}
