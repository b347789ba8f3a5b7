"""``--plan``: what an H1 experiment would take and what it could show, before anything is spent."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from core.experiments.power import Layers, minimum_detectable, sd_of_task_means, tasks_needed, variance_layers
from core.gateway.ledger import totals
from core.gateway.prices import AS_OF, cost_usd
from core.gateway.provider import Tokens
from core.options import Options, UsageError, log_dir

TYPICAL = Tokens(prompt=42_000, completion=2_000)
"""Of one run with gpt-4o-mini on this benchmark: 7.3M tokens were reported for 165 runs."""
TYPICAL_SOURCE = "44k a run, as reported for gpt-4o-mini on this benchmark; --plan RUN takes an earlier run's"
DIFFERING = (0.05, 0.10, 0.20, 0.30)
GAINS = (0.05, 0.10)
FOUND = "  smallest difference in resolved tasks found with 80 % power at p < .05"


@dataclass(frozen=True)
class Pilot:
    """What an earlier H1 run tells about the next one: tokens and seconds per run of a task, layers of variance of
    the difference in resolved tasks between ``arm`` and its control."""

    name: str
    tokens: Tokens
    seconds: float
    arm: str
    layers: Layers


def read_pilot(name: str, arms: Sequence[str]) -> Pilot:
    """Read the run ``logs/NAME``, for the first of ``arms`` that it has, else its first arm.

    Raises:
        UsageError: it is no finished H1 run.
    """
    folder = log_dir() / name
    try:
        with open(folder / "pairs.csv", newline="", encoding="utf-8") as handle:
            pairs = list(csv.DictReader(handle))
        wall_s = json.loads((folder / "summary.json").read_text(encoding="utf-8"))["wall_s"]
        runs = (folder / "verdicts.jsonl").read_text(encoding="utf-8").count("\n")
        known = list(dict.fromkeys(row["arm"] for row in pairs))
        arm = next((a for a in arms if a in known), known[0])
        layers = variance_layers(_grid([row for row in pairs if row["arm"] == arm]))
        [spent] = totals(folder / "ledger.sqlite")
    except (OSError, ValueError, KeyError, IndexError) as error:
        raise UsageError(f"--plan {name}: {folder} holds no finished h1 run to estimate from") from error
    per_run = (round(n / runs) for n in (spent.prompt_tokens, spent.completion_tokens, spent.cached_tokens))
    return Pilot(name, Tokens(*per_run), wall_s / runs, arm, layers)


def _grid(pairs: Sequence[dict[str, str]]) -> np.ndarray:
    """Differences in resolved, shape (tasks, builds, repeats)."""
    tasks = sorted({row["task"] for row in pairs})
    shape = (len(tasks), *(max(int(row[axis]) for row in pairs) for axis in ("build", "repeat")))
    grid = np.full(shape, np.nan)
    for row in pairs:
        cell = tasks.index(row["task"]), int(row["build"]) - 1, int(row["repeat"]) - 1
        grid[cell] = int(row["resolved"]) - int(row["control_resolved"])
    return grid


def plan(options: Options, projects: dict[str, str], arms: Sequence[str], pilot: Pilot | None) -> list[str]:
    """The plan as lines of text.

    Args:
        projects: project of each task.
        arms: labels, control first.
    """
    n, r, b = len(projects), options.repeats, options.builds
    scored, collected = n * r * b * len(arms), n * b
    learning = (len(arms) - 1) * n * b
    tokens = pilot.tokens if pilot else TYPICAL
    per_run = cost_usd(options.execution_model, tokens)
    runs = scored + collected
    total = runs * (tokens.prompt + tokens.completion)
    cost = (
        "unknown: no list price" if per_run is None else f"{runs * per_run:.2f} USD at list prices of {AS_OF}"
    )
    lines = [
        f"Plan of H1 (nothing is run): {', '.join(arms[1:])} against {arms[0]}; primary contrast: {arms[1]}, resolved",
        f"  tasks    {n} in {len(set(projects.values()))} projects; every task is scored with memory of the other half",
        f"  runs     {n} tasks x {r} repeats x {b} builds x {len(arms)} arms = {scored}, and {collected} to learn from",
        f"  updates  {learning} of memories",
        f"  tokens   about {total / 1e6:.1f}M ({f'as in {pilot.name}' if pilot else TYPICAL_SOURCE})",
        f"  cost     {cost} for {options.execution_model}",
    ]
    if pilot:
        return [
            *lines,
            f"  time     about {runs * pilot.seconds / 60:.0f} min as in {pilot.name}",
            *_from(pilot, n, r, b),
        ]
    return [*lines, *_assumed(n, r * b)]


def _from(pilot: Pilot, n: int, repeats: int, builds: int) -> list[str]:
    layers = pilot.layers
    noise = 0.0 if math.isnan(layers.repeat) else layers.repeat / (repeats * builds)
    by_build = 0.0 if math.isnan(layers.build) else n * layers.build / builds + layers.task_by_build / builds
    sd = math.sqrt(layers.task + noise + by_build)
    known = "one build: what another would do is not in it" if math.isnan(layers.build) else "builds included"
    needed = [f"+{100 * g:.0f} points: {tasks_needed(g, sd)} tasks" for g in GAINS if sd > 0]
    return [
        f"{FOUND}: {_points(minimum_detectable(sd, n))}",
        f"    (variance of {pilot.arm} in {pilot.name}: task {layers.task:.4f}, build {layers.build:.4f}, task x build "
        f"{layers.task_by_build:.4f}, repeat {layers.repeat:.4f}; {known})",
        f"  tasks needed, with as many repeats and builds: {'; '.join(needed) or 'unknown, nothing varied'}",
    ]


def _assumed(n: int, runs: int) -> list[str]:
    lines = [
        f"{FOUND}, if a run with memory and one without end differently",
        "    in this share of tasks    by chance, from run to run    for good, from task to task",
    ]
    for share in DIFFERING:
        # A difference of two outcomes is -1, 0 or 1, so its variance is the share of those that differ.
        chance = minimum_detectable(sd_of_task_means(0.0, share / 2, runs, share / 2, runs), n)
        lasting = minimum_detectable(sd_of_task_means(share, 0.0, runs, 0.0, runs), n)
        lines.append(
            f"    {share:>5.0%}                     {_points(chance):>20}          {_points(lasting):>20}"
        )
    return lines


def _points(value: float) -> str:
    return "unknown, nothing varied" if math.isnan(value) else f"{100 * value:.1f} points"
