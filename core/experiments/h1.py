"""H1: does memory help? Every task is paired with itself, once with each arm, under the same seeds, side by side.

A design that learns is *cross-fitted*: memory built on one half of each project's tasks is scored on the other half,
then the reverse, so that all tasks are paired and none is in the memory it meets. With more *folds* than two it learns
from all but one of them and is scored on that one, each in turn. A *build* is one such pass: another cut, another order
of learning, other seeds, its own collection of finished tasks. All arms of a build learn from the same collection.
"""

from __future__ import annotations

import csv
import dataclasses
import random
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from string import ascii_lowercase

from core.design_file import Design
from core.eval_in_container import Evaluator
from core.experiments.lockstep import Lockstep
from core.options import Options, UsageError
from core.run import Run
from core.together import together
from envs_archive.coding.tasks import Split
from evals.contract import Episode, Updates

UNFINISHED = "unfinished"
"""Status of an arm that ran on part of the tasks only."""
LEAST_WINDOW = 4
"""Episodes an arm may be ahead: fewer, and one long episode stops the other arms."""

PAIR_COLUMNS = ["arm", "project", "task", "build", "repeat", "reward", "resolved", "control_reward"]
PAIR_COLUMNS += ["control_resolved", "memory_tokens", "steps", "control_steps", "tokens", "control_tokens"]


@dataclass(frozen=True)
class Arm:
    """One arm of the experiment. ``seed_shift`` gives it other seeds than the others have (for A/A checks)."""

    label: str
    design: Design
    seed_shift: int = 0

    @property
    def learns(self) -> bool:
        """Whether it needs finished tasks to learn from."""
        return self.design.has_memory


@dataclass
class Outcome:
    """What came of one arm: the scored episodes of each build, or why there are none."""

    arm: str
    status: str = "ok"
    builds: list[list[Episode]] = field(default_factory=list)
    error: str | None = None
    updates: Updates = field(default_factory=Updates)

    @property
    def episodes(self) -> list[Episode]:
        return [episode for build in self.builds for episode in build]


@dataclass(frozen=True)
class Block:
    """One fold of one build: memories learn from ``update`` and are scored on ``retrieve``, in these orders."""

    build: int
    fold: str
    seed: int
    update: list[str]
    retrieve: list[str]


def folds(tasks: Sequence[str], projects: dict[str, str], number: int, rng: random.Random) -> list[list[str]]:
    """Deal the tasks of every project out at random, so that each fold has its share of each project.

    Args:
        tasks: task ids.
        projects: project of each task.
        number: of folds. Their sizes differ by one task at most, in all and in each project.
    """
    dealt: list[list[str]] = [[] for _ in range(number)]
    turn = 0
    for project in sorted({projects[task] for task in tasks}):
        own = sorted(task for task in tasks if projects[task] == project)
        rng.shuffle(own)
        for task in own:
            dealt[turn % number].append(task)
            turn += 1
    return dealt


def check(options: Options, projects: dict[str, str], designs: Sequence[Design]) -> None:
    """Whether these designs can be compared on these tasks.

    Args:
        projects: project of each task.
        designs: control first.

    Raises:
        UsageError: they cannot.
    """
    if len(designs) < 2:
        raise UsageError(
            f"--memo_SHA names only the control {options.baseline}: name a design to compare with it"
        )
    if options.grouped:
        if options.repeats < 2 or options.builds > 1 or options.folds > 2:
            raise UsageError(
                "--grouped compares the means of repeats: it takes --repeats 2 or more, no --builds and no --folds"
            )
        return
    most = min(len(projects), len(ascii_lowercase))
    if options.folds > most:
        raise UsageError(f"--folds {options.folds}: {options.tasks} can be cut into {most} parts at most")
    if len(set(projects.values())) < 2 and any(d.sha.startswith("other_project") for d in designs):
        raise UsageError(f"other_project needs tasks of two projects, and {options.tasks} has one")


def derived_seed(seed: int, number: int) -> int:
    """The seed of the ``number``-th build, order or search of a run; the first one's is the run's own."""
    return seed if number == 1 else random.Random(f"{seed}/{number}").getrandbits(31)


def in_turn(tasks: Sequence[str], repeats: int, rollout: str) -> list[tuple[str, int]]:
    """(task, repeat) in the order in which an arm begins them: streams that learn on go through the tasks together."""
    every = range(1, repeats + 1)
    if rollout == "sequential":
        return [(task, repeat) for task in tasks for repeat in every]
    return [(task, repeat) for repeat in every for task in tasks]


def blocks(
    projects: dict[str, str], seed: int, builds: int = 1, number: int = 2, update_size: int | None = None
) -> Iterator[Block]:
    """The blocks of an experiment, in the order they are run.

    Args:
        projects: project of each task.
        number: of folds in a build.
        update_size: learn from at most so many tasks.
    """
    for build in range(1, builds + 1):
        own = derived_seed(seed, build)
        rng = random.Random(own)
        cut = folds(list(projects), projects, number, rng)
        for name, scored in zip(ascii_lowercase, cut, strict=False):
            learned = [task for fold in cut if fold is not scored for task in fold]
            rng.shuffle(learned)
            rng.shuffle(scored)
            yield Block(build, name, own, learned[:update_size], scored)


def learned_from(planned: Sequence[Block]) -> dict[int, set[str]]:
    """The tasks that some fold learns from, by the seed of its build: all that has to be collected."""
    found: dict[int, set[str]] = {}
    for block in planned:
        found.setdefault(block.seed, set()).update(block.update)
    return found


def runs_of(options: Options, projects: dict[str, str], arms: int, memories: int) -> tuple[int, int, int]:
    """(runs that are scored, runs to learn from, updates of memories) of an experiment.

    Args:
        projects: project of each task.
        arms: how many, the control included; memories: how many of them learn.
    """
    planned = list(blocks(projects, options.seed, options.builds, options.folds, options.update_size))
    updates = memories * sum(len(block.update) for block in planned)
    shared = sum(len(tasks) for tasks in learned_from(planned).values())
    scored = len(projects) * options.repeats * options.builds * arms
    return scored, updates if options.fresh_collection else shared, updates


async def run_arms(run: Run, arms: Sequence[Arm]) -> list[Outcome]:
    """Run all arms through all blocks. An arm whose design fails stops there; the others go on, unless it is the
    first one, the control: without it nothing can be compared, and what they have not finished has no score.

    Raises:
        InfraError: an evaluation could not be finished for reasons outside the designs.
    """
    options = run.options
    outcomes = {arm.label: Outcome(arm.label) for arm in arms}
    share = max(1, options.batch_max_retrieve_concurrent // len(arms))
    evaluators: dict[int, Evaluator] = {}
    planned = list(blocks(run.projects, options.seed, options.builds, options.folds, options.update_size))
    learned = learned_from(planned)

    def evaluator(block: Block, shift: int) -> Evaluator:
        seed = block.seed + shift
        if seed not in evaluators:
            evaluators[seed] = run.evaluator(
                Split([task for task in run.tasks if task in learned[block.seed]], []),
                [dataclasses.replace(arm.design, sha=arm.label) for arm in arms],  # found by the arm's label
                seed=seed,
                concurrent_evaluations=len(arms),  # all arms at a time, whatever else is asked for
                retrieve_concurrency=share,
                interleaved=True,
            )
        return evaluators[seed]

    for block in planned:
        alive = [arm for arm in arms if outcomes[arm.label].status == "ok"]
        if arms[0] not in alive:
            leave_unfinished([outcomes[arm.label] for arm in alive], arms[0].label)
            break
        lockstep = Lockstep(
            in_turn(block.retrieve, options.repeats, options.rollout_type),
            [arm.label for arm in alive],
            max(LEAST_WINDOW, 2 * share),
        )
        run.gateway.set_turnstile(lockstep.turn)
        try:
            await together(
                _run_block(
                    evaluator(block, arm.seed_shift),
                    lockstep,
                    block,
                    arm,
                    options.repeats,
                    outcomes[arm.label],
                )
                for arm in alive
            )
        finally:
            run.gateway.set_turnstile(None)
    return list(outcomes.values())


def leave_unfinished(outcomes: Iterable[Outcome], control: str) -> None:
    """Take back what arms have run so far: the control failed, so they are not run to the end."""
    for outcome in outcomes:
        outcome.status, outcome.builds = UNFINISHED, []
        outcome.error = f"{control}, the control, failed: nothing can be compared, and the rest was not run"


async def _run_block(
    evaluator: Evaluator, lockstep: Lockstep, block: Block, arm: Arm, repeats: int, outcome: Outcome
) -> None:
    try:
        result = await evaluator.evaluate_on(
            arm.label,
            arm.design.path,
            f"{block.build}{block.fold}",
            block.update if arm.learns else [],
            block.retrieve,
            repeats,
        )
    finally:
        await lockstep.leave(arm.label)
    if result.status != "ok":
        outcome.status, outcome.error, outcome.builds = result.status, result.error, []
        return
    so_far, more = outcome.updates, result.updates
    outcome.updates = Updates(
        so_far.tasks + more.tasks, so_far.calls + more.calls, so_far.seconds + more.seconds
    )
    if block.build > len(outcome.builds):
        outcome.builds.append([])
    outcome.builds[-1] += [e for e in result.episodes if e.phase == "retrieve"]


def write_pairs(path: Path, control: Outcome, arms: Sequence[Outcome], projects: dict[str, str]) -> None:
    """``pairs.csv``: one line per arm, build, task and repeat, with the control's outcome beside it."""
    with open(path, "w", newline="", encoding="utf-8") as handle:
        writer = csv.writer(handle)
        writer.writerow(PAIR_COLUMNS)
        for arm in arms:
            for build, (episodes, base) in enumerate(zip(arm.builds, control.builds, strict=True), 1):
                beside = {(e.task, e.repeat): e for e in base}
                for e in sorted(episodes, key=lambda e: (e.task, e.repeat)):
                    c = beside[(e.task, e.repeat)]
                    key = [arm.arm, projects[e.task], e.task, build, e.repeat]
                    outcome = [e.reward, int(e.resolved), c.reward, int(c.resolved)]
                    effort = [e.memory_tokens, e.steps, c.steps, tokens(e), tokens(c)]
                    writer.writerow([*key, *outcome, *effort])


def tokens(episode: Episode) -> int:
    """Tokens the agent itself used in an episode."""
    return episode.prompt_tokens + episode.completion_tokens
