"""Which way of searching finds the better design, where it is known what every design is worth?

With real agents an episode takes a second or more, and few of their tasks depend on memory: searches that can be
afforded (tests/bench/search_policies.py) hardly tell policies apart. Here the loop, archive, prompts and offline meta
model are real, and what a design is worth is drawn: every value of every setting has an effect, every pair of settings
another, half of both common to all tasks and half of each task's own. Whether a task is solved is chance, half of that
luck the task's and the seed's, common to all designs, and half the design's own; ``--spread`` is the standard deviation
of the chance to solve one task over designs. So the true worth of what a search comes up with, on tasks that it never
saw, is known without error.

    python -m tests.bench.search_landscape [--episodes 1000] [--first 101] [--seeds 40] [--spread 0.1] [--window 8]
        [--processes 2] [--plot FILE.png]

``--window`` is the number of proposals under way, outside ``alma``. Intervals are over landscapes (t, 95 %), the same
ones for every policy. On landscapes 1 to 100 it was settled how designs are believed, when races end and what ``ours``
is, so that those cannot judge it. As effects add up, children are worth about as much as their parents, which the
belief counts on where scores show it; calls of the meta model are not counted.

Racing is measured by the same searches: what as many proposals cost, and came to, with racing and without.
"""

from __future__ import annotations

import argparse
import asyncio
import tempfile
import zlib
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from itertools import combinations
from multiprocessing import get_context
from pathlib import Path
from typing import NamedTuple

import numpy as np
from scipy.stats import norm

from core import meta_agent
from core.eval_in_container import EXAMINATION
from core.experiments.statistics import paired_t
from core.gateway.gateway import Gateway, GatewaySettings
from core.gateway.offline.design.compose import recover
from core.gateway.offline.design.space import LAYERS, OPTIONS, Params
from core.memo_manager import Memo_Manager
from core.options import MEMO_ARCHIVE
from evals.contract import Episode, EvalResult
from evals.utils import gateway_client
from tests.bench.search_policies import BELIEVED, POLICIES, UNRACED, draw, report_saved, search, with_interval

SEARCHES = {
    **POLICIES,
    UNRACED: POLICIES["ours"] | {"evaluation": "full"},
    "random, race": {"selection": "random", "evaluation": "race"},
    "ours, --confirm": POLICIES["ours"] | {"confirm": True},
    "rank, race": {"selection": "rank", "evaluation": "race"},
    "thompson, race": {"selection": "thompson", "evaluation": "race"},
}
TASKS = 14
"""Of the search, and as many that only tell what a design is worth: the halves of ``--train_size 27``."""
EXAMINED = EXAMINATION["retrieve"]
PAIR = 0.5
"""Standard deviation of the effect of a pair of settings, beside 1 of a setting."""


class Landscape:
    """What designs are worth: the chance that each task is solved, by design."""

    def __init__(self, spread: float, seed: int) -> None:
        self._spread, self._seed = spread, seed
        self._tables: dict[tuple[str, ...], np.ndarray] = {}
        rng = np.random.default_rng([seed, 1])
        self._base = rng.uniform(0.2, 0.8, 2 * TASKS)
        drawn = [self._effects(_random_point(rng)) for _ in range(400)]
        self._mean, self._sd = np.mean(drawn, axis=0), np.std(drawn, axis=0)

    def chances(self, point: Params | None) -> np.ndarray:
        """Of each task, those of the search first; None is no memory, worth as much as designs are on average."""
        if point is None:
            return self._base
        z = (self._effects(point) - self._mean) / self._sd
        return np.clip(self._base + self._spread * z, 0.0, 1.0)

    def differ(self) -> float:
        """Standard deviation of the worth of designs drawn at random."""
        rng = np.random.default_rng([self._seed, 2])
        return float(np.std([self.worth(_random_point(rng)) for _ in range(400)]))

    def worth(self, point: Params | None) -> float:
        """On the tasks that no search sees."""
        return float(self.chances(point)[TASKS:].mean())

    def _effects(self, point: Params) -> np.ndarray:
        """One number for each task."""
        on = [f"{name}={getattr(point, name)}" for name in OPTIONS]
        on += [f"layer={layer}" for layer in LAYERS if layer in point.layers]
        singles = sum(self._drawn((name,), 1.0) for name in on)
        return singles + sum(self._drawn(pair, PAIR) for pair in combinations(on, 2))

    def _drawn(self, names: tuple[str, ...], size: float) -> np.ndarray:
        """The effect of one value, or of two together: half of its variance is the same for all tasks."""
        if names not in self._tables:
            rng = np.random.default_rng([self._seed, zlib.crc32("+".join(names).encode())])
            self._tables[names] = size * (rng.normal() + rng.normal(size=2 * TASKS)) / np.sqrt(2)
        return self._tables[names]


def _random_point(rng: np.random.Generator) -> Params:
    values = {name: options[rng.integers(len(options))] for name, options in OPTIONS.items()}
    layers = rng.permutation(LAYERS)[: rng.integers(1, 4)]
    return Params(layers=tuple(str(layer) for layer in layers), **values)


class Drawn:
    """Evaluates by chance on a landscape; the same evaluation always comes out the same."""

    def __init__(self, landscape: Landscape, seed: int) -> None:
        self._landscape, self._seed = landscape, seed
        self.tasks = [f"t{i:02d}" for i in range(TASKS)]

    async def evaluate(
        self, sha: str, path: Path, mode: str, tasks: Sequence[str] | None = None, again: int = 0
    ) -> EvalResult:
        point = None if sha == "no_mem" else recover(path.read_text(encoding="utf-8"))
        chances = dict(zip(self.tasks, self._landscape.chances(point)[:TASKS], strict=True))
        asked = self.tasks[:EXAMINED] if mode == "test" else tasks or self.tasks
        return EvalResult("ok", [self._episode(sha, task, mode, again, chances[task]) for task in asked])

    def _episode(self, sha: str, task: str, mode: str, again: int, chance: float) -> Episode:
        common, own = (
            np.random.default_rng([self._seed, zlib.crc32(text.encode())]).normal()
            for text in (f"{task} {mode == 'test'} {again}", f"{sha} {task} {mode == 'test'} {again}")
        )
        solved = norm.cdf((common + own) / np.sqrt(2)) < chance
        return Episode(task=task, phase="retrieve", repeat=1, reward=float(solved), resolved=bool(solved))


class Course(NamedTuple):
    """What the best designs of one search are worth beyond no memory: after so many episodes, and how many episodes it
    had taken for so many proposals, with what then was the best."""

    after: list[float]
    proposals: list[tuple[int, float]]


async def courses(policy: str, seed: int, spread: float, grid: Sequence[int]) -> dict[str, Course]:
    """One search, by policy and way of naming the best."""
    landscape = Landscape(spread, seed)
    with tempfile.TemporaryDirectory() as folder:
        designs = Path(folder) / "memo_archive"
        designs.mkdir()
        (designs / "baseline").symlink_to(MEMO_ARCHIVE / "baseline")
        archive = Memo_Manager(Path(folder) / "run", designs / "coding")
        archive.run_dir.mkdir()
        gateway = Gateway(archive.run_dir, GatewaySettings(offline=True))
        await gateway.start()
        try:
            gateway_client.connect(gateway.socket_path, gateway.issue_token({"design": "meta agent"}))
            found = await search(archive, Drawn(landscape, seed), policy, SEARCHES[policy], seed, grid[-1])
        finally:
            await gateway_client.close()
            await gateway.stop()
        curves = found.by_naming()
        named = {b.sha for c in curves for b in c.best}
        points = {sha: recover(archive.source(archive.find(sha))) for sha in named}
    without = landscape.worth(None)
    worth = {sha: landscape.worth(point) - without for sha, point in points.items()}
    return {
        c.policy: Course([worth[c.at(n)] for n in grid], [(b.episodes, worth[b.sha]) for b in c.best])
        for c in curves
    }


def one(case: tuple[str, int], spread: float, grid: Sequence[int], window: int) -> dict[str, Course]:
    meta_agent.WINDOW = window
    return asyncio.run(courses(*case, spread, grid))


def report(worth: dict[str, np.ndarray], grid: Sequence[int]) -> None:
    """``worth``: of each policy, landscapes by episodes, in shares of tasks."""
    print(f"{'episodes':>24}" + "".join(f"{n:>22}" for n in grid))
    for policy, values in worth.items():
        cells = [paired_t(100 * values[:, at]) for at in range(len(grid))]
        print(f"{policy:>24}" + "".join(f"{with_interval(c, '+.1f'):>22}" for c in cells))
    print("\nours less that, paired by landscape")
    for other in [policy for policy in worth if policy != "ours"]:
        cells = [paired_t(100 * (worth["ours"] - worth[other])[:, at]) for at in range(len(grid))]
        print(f"{other:>24}" + "".join(f"{with_interval(c, '+.1f'):>22}" for c in cells))


def report_racing(raced: Sequence[Course], full: Sequence[Course]) -> None:
    """What racing saves, and whether anything is lost by it, after as many proposals as were made without."""
    made = [min(len(a.proposals), len(b.proposals)) for a, b in zip(raced, full, strict=True)]
    ends = np.array(
        [[c.proposals[n - 1] for c, n in zip(courses, made, strict=True)] for courses in (raced, full)]
    )
    print(f"\nracing against full evaluation, as many proposals ({np.mean(made):.0f} on average)")
    report_saved(ends[..., 0], 100 * ends[..., 1], "points", "+.1f")


def main() -> None:
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--episodes", type=int, default=1000)
    p.add_argument("--first", type=int, default=101)
    p.add_argument("--seeds", type=int, default=40)
    p.add_argument("--spread", type=float, default=0.1)
    p.add_argument("--window", type=int, default=meta_agent.WINDOW)
    p.add_argument("--processes", type=int, default=2)
    p.add_argument("--plot", metavar="FILE.png")
    args = p.parse_args()
    grid = [round(args.episodes * share) for share in (0.12, 0.25, 0.5, 1.0)]
    seeds = range(args.first, args.first + args.seeds)
    cases = [(policy, seed) for seed in seeds for policy in SEARCHES]
    search_one = partial(one, spread=args.spread, grid=grid, window=args.window)
    with ProcessPoolExecutor(args.processes, mp_context=get_context("spawn")) as pool:
        found = list(pool.map(search_one, cases))
    names = list(dict.fromkeys(name for of_search in found for name in of_search))
    of_policy = {name: [courses[name] for courses in found if name in courses] for name in names}
    worth = {name: np.array([course.after for course in courses]) for name, courses in of_policy.items()}
    differ = np.mean([Landscape(args.spread, seed).differ() for seed in seeds])
    print(
        f"solved beyond no memory by the best design so far, in points, on tasks it never saw; {args.seeds} landscapes "
        f"where the worth of designs has a standard deviation of {100 * differ:.1f} points\n"
    )
    report(worth, grid)
    made = {name: np.mean([len(c.proposals) for c in courses]) for name, courses in of_policy.items()}
    print("\nproposals: " + ", ".join(f"{name} {n:.0f}" for name, n in made.items()))
    report_racing(of_policy["ours"], of_policy[UNRACED])
    if args.plot:
        drawn = {policy: 100 * worth[policy] for policy in ("random", "alma", BELIEVED, "ours")}
        draw(drawn, grid, 0.0, "solved beyond no memory, points\n(drawn landscapes)", args.plot)


if __name__ == "__main__":
    main()
