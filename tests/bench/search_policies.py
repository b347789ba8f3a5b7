"""Which way of searching finds the better design for the same number of episodes?

Every policy searches with the same seeds on the training half, until the designs in its archive have cost
``--episodes`` runs of the agent, examinations included. What each search believed to be its best design after a
quarter, half, three quarters and all of them is then scored on the sealed test half. ``ours`` is ``--selection greedy
--evaluation race``. ``alma`` names the design with the highest score, as one reads it off the original's archive;
``alma, believed`` is the same search, of which the best is named as everywhere here, by ``core.posterior``. Calls of
the meta model are not counted: a race leaves episodes for more proposals.

    python -m tests.bench.search_policies [--episodes 120] [--seeds 5] [--result_dir search-policies] [--plot FILE.png]
        [--racing]

``--racing`` also asks what racing saves, and whether anything is lost by it: each search of ``ours`` once more in full,
as many proposals.

All searches share one agent seed and one collection, so that a design that several come to is run once; intervals are
over search seeds (t, 95 %) and hold for these tasks and this agent. The same command goes on with a run that was
stopped. Other arguments are those of run_main.py (``--tasks``, ``--train_size``, ``--repeats``, ...).
"""

from __future__ import annotations

import argparse
import asyncio
import csv
import dataclasses
import random
import sys
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from math import inf, isnan, nan
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from core.design_file import Design
from core.eval_in_container import Evaluates
from core.experiments.evaluate import evaluate_designs
from core.experiments.statistics import TTest, paired_t
from core.memo_manager import Memo_Manager
from core.meta_agent import Event, MetaAgent, ProposalEnded
from core.options import log_dir
from core.progress import Progress
from core.run import Run, open_run, split_of, tasks_of
from evals.contract import EvalResult
from evals.utils import gateway_client
from evals.utils.sandbox import probe
from run_main import options_from, parser

POLICIES: dict[str, dict[str, Any]] = {
    "random": {"selection": "random"},
    "alma": {"selection": "alma"},
    "ours": {"selection": "greedy", "evaluation": "race"},
}
BELIEVED = "alma, believed"
UNRACED = "ours, full evaluation"
MANY_STEPS = 1000
BASELINE_EPISODES = ("no_mem", "claude_md")


class Enough(Exception):
    """The search has had its episodes."""


class Counting:
    """Counts the agent's runs that each source took in this search, whether or not another search had paid for them; an
    evaluation that several of its proposals share counts once."""

    def __init__(self, evaluator: Evaluates) -> None:
        self._evaluator = evaluator
        self.tasks = evaluator.tasks
        self._runs: dict[tuple[Any, ...], int] = {}

    async def evaluate(
        self, sha: str, path: Path, mode: str, tasks: Sequence[str] | None = None, again: int = 0
    ) -> EvalResult:
        result = await self._evaluator.evaluate(sha, path, mode, tasks, again)
        key = (sha, mode, tuple(tasks or ()), again)
        self._runs[key] = sum(e.phase == "retrieve" for e in result.episodes)
        return result

    def episodes(self, sources: Collection[str]) -> int:
        return sum(runs for (sha, *_), runs in self._runs.items() if sha in sources)


class Named(NamedTuple):
    """A design that was named the best when so many episodes had been run; ``reward`` is its score in the search."""

    episodes: int
    sha: str
    reward: float


@dataclass(frozen=True)
class Curve:
    """What one search named after each of its proposals: ``best`` by what was believed, ``highest`` by score."""

    policy: str
    seed: int
    archive: Memo_Manager
    best: list[Named]
    highest: list[Named]

    def at(self, episodes: int) -> str:
        """The best design when so many episodes had been run; before the first was named, that."""
        return [b.sha for b in self.best if b.episodes <= episodes or b.episodes == self.best[0].episodes][-1]

    def by_naming(self) -> list[Curve]:
        """Itself; of ``alma`` as the original names its best, and as it is done here."""
        if self.policy != "alma":
            return [self]
        return [
            dataclasses.replace(self, best=self.highest),
            dataclasses.replace(self, policy=BELIEVED),
        ]


async def search(
    archive: Memo_Manager,
    evaluator: Evaluates,
    policy: str,
    settings: dict[str, Any],
    seed: int,
    budget: float,
    proposals: int | None = None,
    models: tuple[str, str] = ("offline", "offline"),
) -> Curve:
    """One search in an empty archive, until it has had ``budget`` episodes, or made so many proposals."""
    counting = Counting(evaluator)
    best: list[Named] = []
    highest: list[Named] = []

    def on_event(event: Event) -> None:
        if not isinstance(event, ProposalEnded) or archive.best() is None or event.proposal.step == 0:
            return
        contents = {a.content for r in archive.records for a in r.attempts} | set(BASELINE_EPISODES)
        contents |= {a.content for p in archive.proposals for a in p.attempts}
        used = counting.episodes(contents)
        if used > budget or len(best) == proposals:
            raise Enough
        scored = [r for r in archive.records if r.reward is not None and r.sha != "no_mem"]
        for named, r in ((best, archive.best()), (highest, max(scored, key=lambda r: r.reward))):
            named.append(Named(used, r.sha, r.reward))

    agent = MetaAgent(
        *("coding", *models, "train"),
        evaluator=counting,
        archive=archive,
        rng=random.Random(seed),
        on_event=on_event,
        **settings,
    )
    try:
        # One at a time, since what is under way when the budget is reached is lost; that changes no archive.
        await agent.forward(MANY_STEPS, max_concurrent=1)
    except Enough:
        pass
    if not best:
        raise ValueError(f"{budget:.0f} episodes are too few for one proposal: take more --episodes")
    return Curve(policy, seed, archive, best, highest)


async def search_in(
    run: Run, policy: str, settings: dict[str, Any], seed: int, budget: float, proposals: int | None = None
) -> Curve:
    # Gone through again from its beginning: finished evaluations and calls are read, and counted, not made.
    archive = Memo_Manager(
        run.folder / "searches" / f"{policy}-{seed}", run.memo_archive / run.options.task_type
    )
    evaluator = run.evaluator(split_of(run.options, run.tasks))
    gateway_client.connect(run.gateway.socket_path, run.gateway.issue_token({"design": f"{policy} {seed}"}))
    models = (run.options.meta_model, run.options.execution_model)
    curve = await search(archive, evaluator, policy, settings, seed, budget, proposals, models)
    used, best, _ = curve.best[-1]
    run.progress.say(f"{policy} {seed}: {len(curve.best)} proposals in {used} episodes, best {best}")
    return curve


async def measure(budget: int, seeds: int, racing: bool, plot: str | None, arguments: list[str]) -> None:
    asked = parser().parse_args(arguments)
    if (log_dir() / asked.result_dir / "options.json").exists():
        asked = parser().parse_args(["--resume", asked.result_dir])
    options = options_from(asked)
    folder = log_dir() / options.name
    tasks = tasks_of(options)
    with Progress() as progress:
        async with open_run(
            options, folder, tasks, probe(options.sandbox), progress, reopen=folder.exists()
        ) as run:
            curves = [
                curve
                for seed in range(1, seeds + 1)
                for policy, settings in POLICIES.items()
                for curve in (await search_in(run, policy, settings, seed, budget)).by_naming()
            ]
            unraced = [
                await search_in(
                    run, UNRACED, POLICIES["ours"] | {"evaluation": "full"}, c.seed, inf, len(c.best)
                )
                for c in curves
                if racing and c.policy == "ours"
            ]
            grid = [round(budget * share) for share in (0.25, 0.5, 0.75, 1.0)]
            found = {c.at(n): c.archive for c in curves for n in grid}
            found |= {c.best[-1].sha: c.archive for c in unraced}
            designs = [Design(sha, archive.path(archive.find(sha))) for sha, archive in found.items()]
            no_mem = curves[0].archive.find("no_mem")
            designs = [Design("no_mem", curves[0].archive.path(no_mem)), *designs]
            split = split_of(dataclasses.replace(options, status="test"), run.tasks)
            rows = await evaluate_designs(run, run.evaluator(split), designs)
    test = {row.design: row.score.reward if row.score else nan for row in rows}
    if failed := [row.design for row in rows if not row.score]:
        print(f"failed on the test half, so that their searches have no end: {', '.join(failed)}")
    report(curves, grid, test, folder, plot)
    if racing:
        report_racing([c for c in curves if c.policy == "ours"], unraced, test)


def with_interval(found: TTest, form: str) -> str:
    """A mean with its interval, which seeds that do not differ do not give."""
    low, high = found.interval
    return f"{found.delta:{form}} " + ("(no spread)" if isnan(low) else f"[{low:{form}}, {high:{form}}]")


def report_racing(raced: list[Curve], full: list[Curve], test: dict[str, float]) -> None:
    """What as many proposals cost and came to, with racing and without, paired by search seed."""
    print("\nracing against full evaluation, as many proposals")
    print(f"{'seed':>6}{'proposals':>11}{'episodes':>16}{'test reward of the best':>26}")
    for a, b in zip(raced, full, strict=True):
        ends = (a.best[-1], b.best[-1])
        episodes, rewards = [end.episodes for end in ends], [test[end.sha] for end in ends]
        print(
            f"{a.seed:>6}{len(a.best):>11}{episodes[0]:>8} / {episodes[1]:<5}{rewards[0]:>18.3f} / {rewards[1]:.3f}"
        )
    used = np.array([[c.best[-1].episodes for c in curves] for curves in (raced, full)])
    kept = np.array([[test[c.best[-1].sha] for c in curves] for curves in (raced, full)])
    report_saved(used, kept, "test reward", "+.3f")


def report_saved(used: np.ndarray, kept: np.ndarray, unit: str, form: str) -> None:
    """Episodes and what they came to, both of the searches with racing first, then of those without."""
    saved, lost = paired_t(1 - used[0] / used[1]), paired_t(kept[0] - kept[1])
    print(f"share of the episodes saved: {with_interval(saved, '.0%')}")
    print(f"{unit}, with racing - without: {with_interval(lost, form)}")


def report(
    curves: list[Curve], grid: list[int], test: dict[str, float], folder: Path, plot: str | None
) -> None:
    scores = {
        policy: np.array([[test[c.at(n)] for n in grid] for c in curves if c.policy == policy])
        for policy in dict.fromkeys(c.policy for c in curves)
    }
    seeds = len(scores["ours"])
    print(f"\ntest reward of the best design so far, {seeds} search seeds; no memory: {test['no_mem']:.3f}")
    print(f"{'episodes':>10}" + "".join(f"{policy:>26}" for policy in scores))
    for at, n in enumerate(grid):
        cells = [paired_t(values[:, at]) for values in scores.values()]
        print(f"{n:>10}" + "".join(f"{with_interval(c, '.3f'):>26}" for c in cells))
    for other in [policy for policy in scores if policy != "ours"]:
        d = paired_t(scores["ours"][:, -1] - scores[other][:, -1])
        print(f"ours - {other} at the end, paired by seed: {with_interval(d, '+.3f')}")
    for policy in scores:
        ends = [c for c in curves if c.policy == policy]
        promised = np.mean([c.best[-1].reward for c in ends])
        kept = np.mean([test[c.at(grid[-1])] for c in ends])
        evaluated = np.mean([sum(r.reward is not None for r in c.archive.records) for c in ends])
        print(
            f"{policy}: {evaluated:.1f} designs scored; the best promised {promised:.3f} in search, kept {kept:.3f}"
        )
    path = folder / "search_policies.csv"
    with open(path, "w", newline="", encoding="utf-8") as handle:
        writer = csv.writer(handle)
        writer.writerow(["policy", "seed", "episodes", "design", "train_reward", "test_reward"])
        for c in curves:
            writer.writerows(
                [c.policy, c.seed, used, sha, reward, test.get(sha, "")] for used, sha, reward in c.best
            )
    print(f"every point: {path}")
    if plot:
        draw(scores, grid, test["no_mem"], "test reward of its best design (offline model)", plot)


def draw(scores: Mapping[str, np.ndarray], grid: Sequence[int], level: float, ylabel: str, path: str) -> None:
    """Means with their intervals over seeds, by policy and episodes; ``level`` is that of no memory."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, ax = pyplot.subplots(figsize=(6, 3.6))
    for shift, (policy, values) in enumerate(scores.items()):
        found = [paired_t(values[:, at]) for at in range(len(grid))]
        half = [f.delta - f.interval[0] for f in found]
        at = np.array(grid) + shift * grid[-1] / 60
        ax.errorbar(at, [f.delta for f in found], half, capsize=3, marker="o", label=policy)
    ax.axhline(level, linestyle=":", color="grey", label="no memory")
    ax.set(xlabel="episodes of the search", ylabel=ylabel)
    ax.legend()
    figure.tight_layout()
    figure.savefig(path, dpi=150)


def main() -> None:
    own = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    own.add_argument("--episodes", type=int, default=120)
    own.add_argument("--seeds", type=int, default=5)
    own.add_argument("--racing", action="store_true")
    own.add_argument("--plot")
    chosen, rest = own.parse_known_args(sys.argv[1:])
    defaults = ["--repeats", "1", *([] if "--result_dir" in rest else ["--result_dir", "search-policies"])]
    asyncio.run(measure(chosen.episodes, chosen.seeds, chosen.racing, chosen.plot, [*defaults, *rest]))


if __name__ == "__main__":
    main()
