"""H2: does memory accumulate within one project? The tasks of one repository, one after the other, learning on.

Every arm goes through the same tasks in the same random orders under the same seeds, side by side. A design begins
each order with an empty memory, is asked before every task and told of it afterwards; the control does the same
without one. At the end of an order its first tasks are asked once more with the memory of all the other tasks.
"""

from __future__ import annotations

import asyncio
import dataclasses
import random
from collections.abc import Sequence
from typing import Any

from core.design_file import Design
from core.eval_in_container import Evaluator
from core.experiments.h1 import Arm, Outcome, derived_seed, in_turn, leave_unfinished, tokens
from core.experiments.lockstep import Lockstep
from core.experiments.stream import REVISIT, Part, Step
from core.options import Options, UsageError
from core.run import Run
from core.together import together
from envs_archive.coding.tasks import Split, Task
from evals.contract import Episode, EvalResult, Updates

AGAIN = 4
"""Tasks of an order's beginning that are asked once more at its end."""
SHORTEST, LONG = 3, 20
"""Tasks that a trend takes, and those that make a series."""
WINDOW = 1
"""Positions an arm may be ahead of the slowest one."""


def select(options: Options, tasks: dict[str, Task]) -> dict[str, Task]:
    """The tasks of the project that was asked for.

    Raises:
        UsageError: none was, or it is not there, or too short.
    """
    projects = list(dict.fromkeys(task.project for task in tasks.values()))
    if options.project is None:
        raise UsageError(f"--experiment h2 needs --project: one of {', '.join(projects)} in {options.tasks}")
    own = {name: task for name, task in tasks.items() if task.project == options.project}
    if not own:
        raise UsageError(
            f"{options.tasks} has no project {options.project}: choose one of {', '.join(projects)}"
        )
    if len(own) < SHORTEST:
        raise UsageError(
            f"project {options.project} has {len(own)} task{'s' * (len(own) > 1)} in {options.tasks}: a series takes "
            f"{SHORTEST} at least, and {LONG} to be worth it"
        )
    return own


def check(options: Options, designs: Sequence[Design]) -> None:
    """Whether these designs can be compared in a series.

    Raises:
        UsageError: they cannot.
    """
    if len(designs) < 2:
        raise UsageError(
            f"--memo_SHA names only the control {options.baseline}: name a design to compare with it"
        )
    if any(design.sha.startswith("other_project") for design in designs):
        raise UsageError("other_project needs tasks of two projects, and a series has one")


def orders(tasks: Sequence[str], seed: int, count: int) -> list[tuple[int, list[str]]]:
    """(seed, order of the tasks) of every stream.

    Each order is drawn on its own, so that where a task stands says nothing about the task.
    """
    found = []
    for number in range(1, count + 1):
        own = derived_seed(seed, number)
        order = sorted(tasks)
        random.Random(f"order {own}").shuffle(order)
        found.append((own, order))
    return found


def runs_of(options: Options, tasks: int, arms: int, memories: int) -> tuple[int, int]:
    """(runs of the streams, runs of first tasks asked again) with so many arms, of which so many learn."""
    again = AGAIN * options.orders * memories if tasks > AGAIN else 0
    return tasks * options.orders * options.repeats * arms, again


async def run_streams(run: Run, arms: Sequence[Arm]) -> tuple[list[Outcome], list[Step]]:
    """Run all arms through all orders, as many at a time as retrieve episodes may run. An arm whose design fails
    stops; the others go on, unless it is the first one, the control: then orders not yet begun are not run, and arms
    that miss one have no score.

    Returns:
        outcome of each arm, control first, one build per order; all runs.

    Raises:
        InfraError: an evaluation could not be finished for reasons outside the designs.
    """
    options = run.options
    streams = orders(list(run.tasks), options.seed, options.orders)
    outcomes = {arm.label: Outcome(arm.label, builds=[[] for _ in streams]) for arm in arms}
    steps: dict[tuple[int, str], list[Step]] = {}
    slots = asyncio.Semaphore(max(1, options.batch_max_retrieve_concurrent // (len(arms) * options.repeats)))
    locksteps: dict[str, Lockstep] = {}

    async def turn(scope: dict[str, Any], body: dict[str, Any]) -> None:
        mode = scope["evaluation"].rsplit("_", 2)[1]
        if mode in locksteps:  # else the order has ended
            await locksteps[mode].turn(scope, body)

    async def one_order(number: int, seed: int, order: list[str]) -> None:
        async with slots:
            alive = [arm for arm in arms if outcomes[arm.label].status == "ok"]
            if arms[0] not in alive:
                return
            mode = f"order{number}"
            turns = in_turn(order, options.repeats, "sequential")
            lockstep = locksteps[mode] = Lockstep(
                turns, [arm.label for arm in alive], (WINDOW + 1) * options.repeats
            )
            streamed, asked = (_evaluator(run, arms, seed, rollout) for rollout in ("sequential", "batched"))
            try:
                await together(
                    _one_stream(
                        run, streamed, asked, lockstep, number, order, arm, outcomes[arm.label], steps
                    )
                    for arm in alive
                )
            finally:
                del locksteps[mode]
            run.progress.say(f"order {number} of {len(streams)} is through")

    run.gateway.set_turnstile(turn)
    try:
        await together(one_order(number, *stream) for number, stream in enumerate(streams, 1))
    finally:
        run.gateway.set_turnstile(None)
    done = list(outcomes.values())
    if done[0].status != "ok":
        leave_unfinished((o for o in done[1:] if o.status == "ok" and not all(o.builds)), arms[0].label)
    for outcome in done:
        if outcome.status != "ok":
            outcome.builds = []
    kept = [
        step
        for outcome in done
        if outcome.status == "ok"
        for number in range(1, len(streams) + 1)
        for step in steps.get((number, outcome.arm), [])
    ]
    return done, kept


def _evaluator(run: Run, arms: Sequence[Arm], seed: int, rollout: str) -> Evaluator:
    return run.evaluator(
        Split(list(run.tasks), []),
        [dataclasses.replace(arm.design, sha=arm.label) for arm in arms],
        seed=seed,
        rollout=rollout,
        concurrent_evaluations=len(arms),  # all arms at a time, whatever else is asked for
        interleaved=rollout == "sequential",
    )


async def _one_stream(
    run: Run,
    streamed: Evaluator,
    asked: Evaluator,
    lockstep: Lockstep,
    number: int,
    order: list[str],
    arm: Arm,
    outcome: Outcome,
    steps: dict[tuple[int, str], list[Step]],
) -> None:
    """One arm through one order, then its first tasks once more."""
    label, path = arm.label, arm.design.path
    try:
        result = await streamed.evaluate_on(label, path, f"order{number}", [], order, run.options.repeats)
    finally:
        await lockstep.leave(label)
    if _failed(result, outcome):
        return
    episodes = [e for e in result.episodes if e.phase == "retrieve"]
    outcome.builds[number - 1] = episodes
    outcome.updates = _sum(outcome.updates, result.updates)
    seen = [step_of(run.tasks, order, arm.label, number, e, "stream") for e in episodes]
    if arm.learns and len(order) > AGAIN:
        first = {e.task: e for e in episodes if e.repeat == 1}
        learned = [first[task] for task in order]
        # The batched rollout leaves a task out of the memory it is asked with.
        again = await asked.evaluate_on(label, path, f"{REVISIT}{number}", order, order[:AGAIN], 1, learned)
        if _failed(again, outcome):
            return
        seen += [step_of(run.tasks, order, label, number, e, "again") for e in again.episodes]
    steps[number, label] = seen


def _failed(result: EvalResult, outcome: Outcome) -> bool:
    if result.status != "ok":
        outcome.status, outcome.error = result.status, result.error
    return result.status != "ok"


def _sum(one: Updates, other: Updates) -> Updates:
    return Updates(one.tasks + other.tasks, one.calls + other.calls, one.seconds + other.seconds)


def opposites(tasks: dict[str, Task]) -> dict[str, set[str]]:
    """For each task those whose lesson contradicts its own, whichever of the two says so."""
    found: dict[str, set[str]] = {name: set() for name in tasks}
    for name, task in tasks.items():
        for other in set(task.contradicts) & set(tasks):
            found[name].add(other)
            found[other].add(name)
    return found


def step_of(
    tasks: dict[str, Task], order: Sequence[str], arm: str, number: int, episode: Episode, part: Part
) -> Step:
    """The line of ``stream.csv`` for an episode of an order."""
    place, task = list(order).index(episode.task), tasks[episode.task]
    met = order[:place] if part == "stream" else [name for name in order if name != episode.task]
    against = opposites(tasks)[episode.task]
    relatives = [n for n in met if task.family and tasks[n].family == task.family and n not in against]
    return Step(
        arm=arm,
        order=number,
        repeat=episode.repeat,
        part=part,
        position=place + 1,
        task=episode.task,
        family=task.family,
        relatives=len(relatives),
        contradicted=len(against & set(met)),
        reward=episode.reward,
        resolved=episode.resolved,
        memory_tokens=episode.memory_tokens,
        steps=episode.steps,
        tokens=tokens(episode),
    )
