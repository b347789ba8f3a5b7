"""The jobs of the command line: evolve, evaluate, h1, h2, h3. Each checks everything first, then opens its run."""

from __future__ import annotations

import asyncio
import dataclasses
import random
import sys
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

from core.adopting import adoption_problem
from core.design_file import Design, DesignError
from core.eval_in_container import InfraError
from core.experiments import grouped, h1, h2, h3
from core.experiments.evaluate import Row, evaluate_designs
from core.experiments.plan import plan as plan_of
from core.experiments.plan import read_pilot
from core.experiments.promises import beside, promises_in
from core.gateway.gateway import ModelUnavailable
from core.gateway.preflight import ProviderDown, check_models
from core.inputs import Inputs
from core.memo_manager import Memo_Manager
from core.meta_agent import Event, MetaAgent, ProposalEnded, StepStarted
from core.next_commands import evolve_on_command, score_command
from core.options import MEMO_ARCHIVE, Options, UsageError, log_dir
from core.pareto import design_points, front
from core.preview import episodes_of, expected, refuse_unknown_cost, refuse_unknown_price
from core.progress import Progress
from core.report import h1 as h1_report
from core.report import h2 as h2_report
from core.report import h3 as h3_report
from core.report import tables
from core.report.promises import CAUTION, promises_table
from core.report.write import leave_report
from core.run import Run, find_design, gateway_settings, open_run, split_of, state_of, tasks_of
from core.saved_memory import check_memories, save_memories
from envs_archive.coding.tasks import Task, split_tasks
from evals.utils import gateway_client
from evals.utils.sandbox import NO_BOUNDARY, SandboxKind, SandboxUnavailable, probe

EXIT_DONE, EXIT_FAILED, EXIT_BUDGET = 0, 1, 3


async def execute(options: Options, resume: bool = False, plan: str | None = None) -> int:
    """Do what the options say; returns the exit code.

    Args:
        resume: go on with the run of that name.
        plan: only print the plan of an experiment, estimated from the run of this name if it is not empty.

    Raises:
        UsageError: it cannot be done as asked; nothing has been written.
        asyncio.CancelledError: interrupted; the run can be resumed.
    """
    folder = log_dir() / options.name
    inputs = Inputs(folder)
    tasks = tasks_of(options, inputs, _tell)
    if options.kind == "h2":
        tasks = h2.select(options, tasks)
    designs = _designs(options, lambda name: find_design(name, inputs, MEMO_ARCHIVE, options.task_type))
    projects = {task.instance_id: task.project for task in tasks.values()}
    if options.kind == "h1":
        h1.check(options, projects, designs)
    elif options.kind == "h2":
        h2.check(options, designs)
    elif options.kind == "h3":
        h3.check(options, tasks, designs)
    if options.kind in ("evolve", "evaluate") or options.grouped:
        split_of(options, tasks)
    check_memories(options, designs, tasks)
    if options.history_ckpt_path is not None and inputs.history is None:
        _check_checkpoint(options, tasks)
    if plan is not None:
        labels = [design.sha for design in designs]
        pilot = read_pilot(plan, labels[1:], options.kind) if plan else None
        print("\n".join(plan_of(options, projects, labels, pilot)))
        return EXIT_DONE
    kind = sandbox_of(options)
    settings = gateway_settings(options)
    refuse_unknown_price(options, settings)
    refuse_unknown_cost(options)
    with Progress() as progress:
        try:
            if not (resume and state_of(folder) == "done"):  # a finished run is told again without any model
                await check_models(settings, options.models, progress.say)
        except ModelUnavailable as error:
            raise UsageError(str(error)) from error
        except ProviderDown as error:
            progress.say(f"run_main.py: {error}")
            return EXIT_FAILED
        async with open_run(options, folder, tasks, kind, progress, reopen=resume) as run:
            progress.say(f"run {options.name}: {options.kind}, seed {options.seed}; {kind.note}")
            if kind.kind == "process":
                progress.say(f"warning: {NO_BOUNDARY}")
            if settings.offline:
                progress.say(
                    "model: offline (embedded repair program, no key needed; --execution_model takes another)"
                )
            for line in expected(run):
                progress.say(line)
            progress.plan(episodes_of(run))
            try:
                code = await KINDS[options.kind](run)
            except (*OUTAGES, OSError) as error:
                code = await _stopped(run, error)
            except asyncio.CancelledError:
                run.summarise("interrupted")
                progress.say(f"interrupted; go on with: python run_main.py --resume {options.name}")
                leave_report(folder, progress.say, in_haste=True)
                raise
            leave_report(folder, progress.say)
            return code


def _tell(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


OUTAGES = (InfraError, gateway_client.InfraError, gateway_client.RequestRejected)
"""How work ends for reasons outside the designs: in evaluations, and in the meta agent's own calls."""


async def _stopped(run: Run, error: Exception) -> int:
    """Leave a run that cannot go on so that it can be resumed; returns the exit code."""
    answers, again = run.gateway.answers, f"python run_main.py --resume {run.options.name}"
    if answers.paid_calls:
        run.progress.say(f"waiting for {answers.paid_calls} model calls under way (Ctrl-C drops them)")
        await answers.finish_paid_calls()
    reached = answers.budget.exhausted
    try:
        run.summarise("budget" if reached else "interrupted", error=reached or str(error))
    except OSError as full:
        run.progress.say(f"summary.json could not be written: {full}")
    if reached:
        unit = "--max_tokens" if "tokens" in reached else "--max_cost_usd"
        run.progress.say(f"stopped: {reached}\ngo on with a larger budget: {again} {unit} N")
        return EXIT_BUDGET
    run.progress.say(f"stopped: {error}\ngo on with: {again}")
    return EXIT_FAILED


def _check_checkpoint(options: Options, tasks: dict[str, Task]) -> None:
    path = Path(options.history_ckpt_path)
    path = path / "archive.json" if path.is_dir() else path
    if path.name != "archive.json" or not path.is_file():
        raise UsageError(
            f"--history_ckpt_path takes another run's archive.json, not {options.history_ckpt_path}"
        )
    try:
        archive = Memo_Manager.load(path.parent, MEMO_ARCHIVE / options.task_type)
    except ValueError as error:
        raise UsageError(str(error)) from error
    unseen = [task for half in split_tasks(list(tasks), "test", options.train_size) for task in half]
    problem = adoption_problem(archive, split_of(options, tasks).retrieve, unseen, tasks)
    if problem:
        raise UsageError(f"--history_ckpt_path {options.history_ckpt_path}: {problem}")


def sandbox_of(options: Options) -> SandboxKind:
    """The sandbox that was asked for.

    Raises:
        UsageError: it does not work here.
    """
    try:
        return probe(options.sandbox)
    except SandboxUnavailable as error:
        raise UsageError(str(error)) from error


def _designs(options: Options, find: Callable[[str], Design]) -> list[Design]:
    """The designs to compare; those of an experiment behind its control.

    Raises:
        UsageError: one of them there is not.
    """
    control = [options.baseline] if options.has_control else []
    names = control + [name for name in options.memo_SHA if name not in control]
    try:
        return [find(name) for name in names]
    except DesignError as error:
        raise UsageError(str(error)) from error


async def _evaluate(run: Run) -> int:
    designs = _designs(run.options, run.design)
    split = split_of(run.options, run.tasks)
    names = [design.sha for design in designs if design.path.parent.name != "baseline"]
    promises = run.inputs.from_around(
        "promises", lambda: promises_in(log_dir(), names, run.options, run.inputs.tasks, split.retrieve)
    )
    rows = await evaluate_designs(run, run.evaluator(split, designs), designs)
    n = next((r.score.n_tasks for r in rows if r.score), 0)
    title = (
        f"{run.options.name}: {n} tasks x {run.options.repeats} repeats, {run.options.rollout_type}"
        f" ({'memory read-only' if run.options.rollout_type == 'batched' else 'memory learns on'})"
    )
    code = _report(run, rows, title, searches=[beside(promise, rows) for promise in promises])
    for line in save_memories(run.options, run.folder, designs):
        run.progress.say(line)
    return code


async def _h1(run: Run) -> int:
    designs = _designs(run.options, run.design)
    if run.options.grouped:
        return await _h1_grouped(run, designs)
    outcomes = await h1.run_arms(run, [h1.Arm(design.sha, design) for design in designs])
    return EXIT_DONE if h1_report.finish(run, outcomes) else EXIT_FAILED


async def _h2(run: Run) -> int:
    arms = [h1.Arm(design.sha, design) for design in _designs(run.options, run.design)]
    outcomes, steps = await h2.run_streams(run, arms)
    return EXIT_DONE if h2_report.finish(run, outcomes, steps) else EXIT_FAILED


async def _h3(run: Run) -> int:
    def on_event(event: Event) -> None:
        line = describe(event)
        if line:
            run.progress.say(line)

    designs = _designs(run.options, run.design)
    return EXIT_DONE if h3_report.finish(run, await h3.run_searches(run, designs, on_event)) else EXIT_FAILED


async def _h1_grouped(run: Run, designs: Sequence[Design]) -> int:
    options = run.options
    rows = await evaluate_designs(run, run.evaluator(split_of(options, run.tasks), designs), designs)
    said = [
        grouped.sentence(
            r.design, rows[0].design, grouped.compare(r.episodes, rows[0].episodes), options.repeats
        )
        for r in rows[1:]
        if r.score and rows[0].score
    ]
    return _report(run, rows, f"{options.name}: H1, grouped by repeat: {grouped.LABEL}", said)


def _report(
    run: Run,
    rows: Sequence[Row],
    title: str,
    said: Sequence[str] = (),
    searches: Sequence[dict[str, Any]] = (),
) -> int:
    pairs = {
        r.design: {
            "control": rows[0].design,
            "unit": "task",
            **dataclasses.asdict(r.versus),
            "p_holm": r.p_holm,
            "resolved": {**dataclasses.asdict(r.versus_resolved), "p_holm": r.p_holm_resolved},
        }
        for r in rows
        if r.versus
    }
    run.designs = [r.summary() for r in rows]
    run.summarise("done", paired=pairs, searches=list(searches))
    if searches:
        title_of = f"what searches promised of these designs, and what this test kept {CAUTION}"
        tables.console().print(promises_table(searches, title_of))
    notes = [*said, "SE over tasks (repeats averaged first); delta, interval and p paired by task."]
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
        if isinstance(event, StepStarted):
            run.progress.step(event.step - archive.origin, options.steps)
        if isinstance(event, ProposalEnded):
            run.designs = _archived(run, archive)
            run.summarise("interrupted")

    archive = Memo_Manager.restore(run.folder, run.memo_archive / options.task_type, run.progress.say)
    try:
        agent = _meta_agent(run, archive, on_event)
    except ValueError as error:
        raise UsageError(str(error)) from error
    run.progress.step(max(0, archive.step - archive.origin), options.steps)
    await agent.forward(options.steps)
    run.designs = _archived(run, archive)
    summary = run.summarise("done")
    title = (
        f"{options.name}: {options.steps} steps of evolution, seed {options.seed}, {summary['wall_s']:.0f} s"
    )
    notes = [*_evolution_notes(run, archive), *tables.model_note(options)]
    tables.archive(archive, title, notes, options.objective)
    return EXIT_DONE


def _meta_agent(run: Run, archive: Memo_Manager, on_event: Callable[[Event], None]) -> MetaAgent:
    options = run.options
    return MetaAgent(
        options.task_type,
        options.meta_model,
        options.execution_model,
        options.status,
        run.inputs.history,
        evaluator=run.evaluator(split_of(options, run.tasks)),
        archive=archive,
        rng=random.Random(options.seed),
        hints=options.hints,
        selection=options.selection,
        evaluation=options.evaluation,
        confirm=options.confirm,
        objective=options.objective,
        proposer=options.proposer,
        usd_of_run=run.usd_of_run,
        on_event=on_event,
    )


def _evolution_notes(run: Run, archive: Memo_Manager) -> list[str]:
    best = archive.best(run.options.objective)
    if best is None:
        return ["No design could be scored; the reasons are in the last column."]
    return [
        "Rewards are means over the training tasks that chose these designs: the best one is flattered by that.",
        "What to do next:",
        f"  score the best on unseen tasks  {score_command(run.options, best.sha)}",
        f"  read it                         {archive.path(best)}",
        f"  evolve on from here             {evolve_on_command(run.options, run.folder / 'archive.json')}",
    ]


def _archived(run: Run, archive: Memo_Manager) -> list[dict[str, Any]]:
    """The archive's designs as ``summary.json`` lists them."""
    spent = run.spent()
    on_front = front(design_points(archive.records, run.options.objective))
    return [
        {
            "sha": r.sha,
            "parent": r.parent,
            "second_parent": r.second,
            "status": r.status,
            "reward": r.reward,
            "reward_se": r.reward_se,
            "resolved": r.resolved,
            "tasks": r.tasks,
            "episodes": r.episodes,
            "infra_errors": r.infra_errors,
            "tokens": r.tokens,
            "cost_usd": spent.get(r.sha, (0, 0.0))[1],
            "generation": r.generation,
            "improve_score": r.improve_score,
            "judged": r.judged,
            "hypothesis": r.hypothesis,
            "compared": dataclasses.asdict(r.compared) if r.compared else None,
            "on_front": r.sha in on_front,
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
        other = f", second parent {record.second}" if record.second else ""
        origin = f" (parent {record.parent}{other})" if record.parent else ""
        return f"  {record.sha}{origin}: reward {record.reward:.3f}, resolved {record.resolved:.0%}"
    return None


KINDS: dict[str, Callable[[Run], Awaitable[int]]] = {
    "evaluate": _evaluate,
    "h1": _h1,
    "h2": _h2,
    "h3": _h3,
    "evolve": _evolve,
}
