"""H3: does evolution without hints find designs that beat those made by hand, and are they other designs?

Several searches, independent of each other, evolve designs with every piece of advice on memory stripped from the
prompts. The best design of each is scored on the test half, which no search has seen, beside the designs made by
hand. That half is opened once: what was scored on it is written down before it is.
"""

from __future__ import annotations

import dataclasses
import json
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from core.design_file import CONTROLS, NO_MEMORY, Design, content_sha
from core.experiments.contrasts import Measure, measure
from core.experiments.evaluate import Row, evaluate_designs
from core.experiments.h1 import derived_seed
from core.experiments.promises import is_evolved
from core.inputs import Inputs
from core.memo_manager import Memo_Manager
from core.meta_agent import Event, MetaAgent, StepStarted
from core.options import Options, UsageError
from core.pareto import Objective, best_design
from core.records import Record
from core.run import Run, split_of
from envs_archive.coding.tasks import Split, Task, split_tasks
from evals.contract import write_json_atomic
from evals.utils import gateway_client

SEAL = "test_split.json"
NOT_BY_HAND = (NO_MEMORY, "raw_last", *CONTROLS)
"""Baselines that are controls and no designs."""


@dataclass(frozen=True)
class Search:
    """One evolution. ``best`` is the evolved design believed to be the best; None when none could be scored."""

    number: int
    seed: int
    archive: Memo_Manager
    best: Record | None


@dataclass(frozen=True)
class Found:
    """What came of the experiment. ``rows`` are scores on the test half: control, designs by hand, winners;
    ``opened_before`` are runs that had scored designs on it before."""

    searches: list[Search]
    by_hand: list[Design]
    winners: list[Design]
    rows: list[Row]
    opened_before: list[str] = field(default_factory=list)


def check(options: Options, tasks: dict[str, Task], designs: Sequence[Design]) -> None:
    """Whether there are tasks for the searches and for the test, and designs to compare with.

    Raises:
        UsageError: there are not.
    """
    for design in designs[1:]:
        kind = design.sha.partition(":")[0]
        if kind in NOT_BY_HAND:
            raise UsageError(
                f"--memo_SHA names designs made by hand to compare with; {design.sha} is a control"
            )
    if len(designs) < 2:
        raise UsageError(f"--memo_SHA names only the control {options.baseline}: name designs made by hand")
    for status in ("train", "test"):
        _split(options, tasks, status)


def _split(options: Options, tasks: dict[str, Task], status: str) -> Split:
    return split_of(dataclasses.replace(options, status=status), tasks)


async def run_searches(run: Run, designs: Sequence[Design], tell: Callable[[Event], None]) -> Found:
    """Search, then score on the test half.

    Args:
        designs: control first, then those made by hand.
        tell: told what happens in the searches.

    Raises:
        UsageError: the test half was opened for other designs.
        InfraError: an evaluation could not be finished for reasons outside the designs.
    """
    options = run.options
    searches = []
    for number in range(1, options.search_seeds + 1):
        seed = derived_seed(options.seed, number)
        on_event = _with_progress(run, number, tell)
        run.progress.say(f"search {number} of {options.search_seeds}, seed {seed}")
        searches.append(await _search(run, number, seed, on_event))
        run.designs = [
            {
                "sha": s.best.sha,
                "parent": s.best.parent,
                "status": "ok",
                "search": s.number,
                "reward": s.best.reward,
            }
            for s in searches
            if s.best
        ]
        run.summarise("interrupted")
    best = {s.best.sha: s for s in reversed(searches) if s.best}
    winners = [Design(sha, s.archive.path(s.best)) for sha, s in reversed(best.items())]
    if not winners:
        return Found(searches, list(designs[1:]), [], [])
    compared = [*designs, *winners]
    split = _split(options, run.tasks, "test")
    before = run.inputs.from_around("opened_before", lambda: openings(run.folder, run.inputs.tasks, split))
    open_test_split(run.folder, compared, split)
    run.progress.say(f"the test half is opened for {', '.join(d.sha for d in compared)}")
    if before:
        run.progress.say(f"it was opened before, in {', '.join(before)}")
    rows = await evaluate_designs(run, run.evaluator(split, compared), compared)
    return Found(searches, list(designs[1:]), winners, rows, before)


def _with_progress(run: Run, number: int, tell: Callable[[Event], None]) -> Callable[[Event], None]:
    """Tells of a search, and shows how far all of them are."""
    steps = run.options.steps + 1
    run.progress.step((number - 1) * steps, run.options.search_seeds * steps)

    def on_event(event: Event) -> None:
        tell(event)
        if isinstance(event, StepStarted):
            run.progress.step((number - 1) * steps + event.step, run.options.search_seeds * steps)

    return on_event


async def _search(run: Run, number: int, seed: int, on_event: Callable[[Event], None]) -> Search:
    """One evolution in ``searches/<number>``, as ``run_main.py --hints none --seed SEED`` makes it."""
    options = run.options
    designs_dir = run.memo_archive / options.task_type
    archive = Memo_Manager.restore(run.folder / "searches" / str(number), designs_dir, run.progress.say)
    token = run.gateway.issue_token({"design": "meta agent"})
    gateway_client.connect(run.gateway.socket_path, token)
    agent = MetaAgent(
        options.task_type,
        options.meta_model,
        options.execution_model,
        "train",
        evaluator=run.evaluator(_split(options, run.tasks, "train"), seed=seed),
        archive=archive,
        rng=random.Random(seed),
        hints="none",
        selection=options.selection,
        evaluation=options.evaluation,
        confirm=options.confirm,
        objective=options.objective,
        proposer=options.proposer,
        usd_of_run=run.usd_of_run,
        on_event=on_event,
    )
    await agent.forward(options.steps)
    return Search(number, seed, archive, _best(archive, options.objective))


def _best(archive: Memo_Manager, objective: Objective) -> Record | None:
    """The best of the evolved designs, believed by all that was scored; a tie goes to the earliest."""
    own = {r.sha for r in archive.records if is_evolved(r)}
    return best_design(archive.records, objective, own)


def open_test_split(folder: Path, designs: Sequence[Design], split: Split) -> None:
    """Write down what is scored on the test half, before it is.

    Raises:
        UsageError: it was opened before, for something else.
    """
    path = folder / SEAL
    asked = {
        "designs": {d.sha: content_sha(d.path.read_text(encoding="utf-8")) for d in designs},
        "update_tasks": split.update,
        "retrieve_tasks": split.retrieve,
    }
    if path.exists():
        opened = json.loads(path.read_text(encoding="utf-8"))
        if {name: opened.get(name) for name in asked} != asked:
            other = sorted(opened["designs"].keys() ^ asked["designs"].keys()) or ["other tasks or sources"]
            raise UsageError(
                f"the test half was opened before, see {path}: it is not opened again for {', '.join(other)}; begin a "
                "new run, and say in its report that this half is no longer unseen"
            )
        return
    write_json_atomic(path, {"opened": datetime.now(UTC).isoformat(timespec="seconds"), **asked})


def openings(folder: Path, tasks_file: Path, split: Split) -> list[str]:
    """Other runs beside this one in which designs were scored on tasks of the test half, by name.

    Those of H3 and evaluations of the test half count: whoever chose designs by what they showed is not blind to it any
    more.
    """
    found = []
    ids = [json.loads(row)["instance_id"] for row in tasks_file.read_text(encoding="utf-8").splitlines()]
    for path in sorted(folder.parent.glob("*/options.json")):
        other = path.parent
        try:
            if other == folder or not Inputs(other).has_tasks_of(tasks_file):
                continue
            if (other / SEAL).exists():
                met = json.loads((other / SEAL).read_text(encoding="utf-8"))["retrieve_tasks"]
            else:
                asked = json.loads(path.read_text(encoding="utf-8"))
                if asked["kind"] != "evaluate" or not any(other.glob("evaluations/*_eval_1/episodes.jsonl")):
                    continue
                met = split_tasks(ids, asked["status"], asked["train_size"]).retrieve
            if set(met) & set(split.retrieve):
                found.append(other.name)
        except (OSError, ValueError, TypeError, KeyError, AttributeError):
            continue  # what cannot be read has shown nothing
    return found


def evolved_against_by_hand(found: Found, projects: dict[str, str], seed: int, value: str) -> Measure | None:
    """The mean over the designs made by hand against the winner of each search, by task; searches are the builds.

    None when a design failed, or there are too few tasks.
    """
    rows = {row.design: row for row in found.rows}
    hand = [rows[d.sha] for d in found.by_hand if rows[d.sha].score]
    won = [rows[s.best.sha] for s in found.searches if s.best and rows[s.best.sha].score]
    tasks = sorted({e.task for row in hand for e in row.episodes})
    if not hand or not won or len(tasks) < 2:
        return None
    by_hand = np.mean([_grid(row, tasks, value) for row in hand], axis=0)
    d = np.stack([_grid(row, tasks, value) - by_hand for row in won], axis=1)
    return measure(d, tasks, projects, seed)


def _grid(row: Row, tasks: Sequence[str], value: str) -> np.ndarray:
    """Shape (tasks, repeats)."""
    repeats = max(e.repeat for e in row.episodes)
    grid = np.full((len(tasks), repeats), np.nan)
    for e in row.episodes:
        grid[tasks.index(e.task), e.repeat - 1] = float(getattr(e, value))
    return grid
