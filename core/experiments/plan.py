"""``--plan``: what an experiment would take and what it could show, before anything is spent."""

from __future__ import annotations

import csv
import dataclasses
import json
import math
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from core.eval_in_container import EXAMINATION
from core.experiments import h1, h2
from core.experiments.power import (
    Layers,
    detectable,
    minimum_detectable,
    planned_error,
    tasks_needed,
    tasks_needed_over_builds,
    variance_layers,
)
from core.gateway.ledger import totals
from core.gateway.prices import AS_OF, cost_usd
from core.gateway.provider import Tokens
from core.options import Options, UsageError, log_dir
from core.preview import START_DESIGNS, proposals_in
from envs_archive.coding.tasks import split_tasks

TYPICAL = Tokens(prompt=42_000, completion=2_000)
"""Of one run with gpt-4o-mini on this benchmark: 7.3M tokens were reported for 165 runs."""
TYPICAL_SOURCE = "44k a run, as reported for gpt-4o-mini on this benchmark; --plan RUN takes an earlier run's"
DIFFERING = (0.05, 0.10, 0.20, 0.30)
GAINS = (0.05, 0.10)
FOUND = "  smallest difference in resolved tasks found with 80 % power at p < .05"


@dataclass(frozen=True)
class Pilot:
    """What an earlier run tells about the next one: tokens and seconds per run of a task; for H1 also layers of
    variance of the difference in resolved tasks between ``arm`` and its control."""

    name: str
    tokens: Tokens
    seconds: float
    arm: str | None = None
    layers: Layers | None = None


def read_pilot(name: str, arms: Sequence[str], kind: str = "h1") -> Pilot:
    """Read the run ``logs/NAME``; for H1 for the first of ``arms`` that it has, else its first arm.

    Args:
        kind: of the experiment that is planned.

    Raises:
        UsageError: it is no finished run, or for H1 none of H1.
    """
    folder = log_dir() / name
    try:
        wall_s = json.loads((folder / "summary.json").read_text(encoding="utf-8"))["wall_s"]
        runs = (folder / "verdicts.jsonl").read_text(encoding="utf-8").count("\n")
        [spent] = totals(folder / "ledger.sqlite")
        per_run = (
            round(n / runs) for n in (spent.prompt_tokens, spent.completion_tokens, spent.cached_tokens)
        )
        pilot = Pilot(name, Tokens(*per_run), wall_s / runs)
        if kind != "h1":
            return pilot
        with open(folder / "pairs.csv", newline="", encoding="utf-8") as handle:
            pairs = list(csv.DictReader(handle))
        known = list(dict.fromkeys(row["arm"] for row in pairs))
        arm = next((a for a in arms if a in known), known[0])
        layers = variance_layers(_grid([row for row in pairs if row["arm"] == arm]))
        return dataclasses.replace(pilot, arm=arm, layers=layers)
    except (OSError, ValueError, KeyError, IndexError, ZeroDivisionError, sqlite3.Error) as error:
        wanted = "h1 run" if kind == "h1" else "run"
        raise UsageError(f"--plan {name}: {folder} holds no finished {wanted} to estimate from") from error


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
    if options.kind == "h2":
        return _h2(options, len(projects), arms, pilot)
    if options.kind == "h3":
        return _h3(options, projects, arms, pilot)
    n, r, b = len(projects), options.repeats, options.builds
    scored, collected, learning = h1.runs_of(options, projects, len(arms), len(arms) - 1)
    rest = "half" if options.folds == 2 else f"{options.folds - 1} of {options.folds} parts"
    lines = [
        f"Plan of H1 (nothing is run): {', '.join(arms[1:])} against {arms[0]}; primary contrast: {arms[1]}, resolved",
        f"  tasks    {n} in {len(set(projects.values()))} projects; each is scored with memory of the other {rest}",
        f"  runs     {n} tasks x {r} repeats x {b} builds x {len(arms)} arms = {scored}, and {collected} to learn from",
        f"  updates  {learning} of memories",
        *_spending(options, scored + collected, pilot),
    ]
    return [*lines, *(_from(pilot, n, r, b) if pilot else _assumed(n, r, b))]


def _spending(options: Options, runs: int, pilot: Pilot | None) -> list[str]:
    """Tokens, cost and time of so many runs of tasks."""
    tokens = pilot.tokens if pilot else TYPICAL
    per_run = cost_usd(options.execution_model, tokens)
    total = runs * (tokens.prompt + tokens.completion)
    cost = (
        "unknown: no list price" if per_run is None else f"{runs * per_run:.2f} USD at list prices of {AS_OF}"
    )
    lines = [
        f"  tokens   about {total / 1e6:.1f}M ({f'as in {pilot.name}' if pilot else TYPICAL_SOURCE})",
        f"  cost     {cost} for {options.execution_model}",
    ]
    if pilot:
        lines.append(f"  time     about {runs * pilot.seconds / 60:.0f} min as in {pilot.name}")
    return lines


def _h2(options: Options, n: int, arms: Sequence[str], pilot: Pilot | None) -> list[str]:
    r, k, learning = options.repeats, options.orders, len(arms) - 1
    streamed, again = h2.runs_of(options, n, len(arms), learning)
    lines = [
        f"Plan of H2 (nothing is run): {', '.join(arms[1:])} against {arms[0]}; primary contrast: {arms[1]}, resolved",
        f"  tasks    {n} of {options.project}, one after the other",
        f"  runs     {n} tasks x {k} orders x {r} repeats x {len(arms)} arms = {streamed}, and {again} of "
        "first tasks asked again",
        f"  updates  {n * k * r * learning + again * (n - 1)} of memories",
        *_spending(options, streamed + again, pilot),
    ]
    if k < 2:
        return [*lines, "  one order shows no rise that would hold for another: --orders takes more"]
    lines += [
        f"  smallest rise of the gain from the first task to the last found with 80 % power at p < .05, {k} orders,",
        "    if so many runs with memory and without end differently",
    ]
    positions = np.arange(n) - (n - 1) / 2
    for share in DIFFERING:
        # A difference of two outcomes is -1, 0 or 1, so its variance is the share of those that differ.
        sd = math.sqrt(share / r / float(positions @ positions)) * (n - 1)
        lines.append(f"    {share:>5.0%} {_points(minimum_detectable(sd, k)):>20}")
    return lines


def _h3(options: Options, projects: dict[str, str], arms: Sequence[str], pilot: Pilot | None) -> list[str]:
    halves = [split_tasks(list(projects), status, options.train_size) for status in ("train", "test")]
    (train_update, train), (test_update, test) = (
        (len(half.update[: options.update_size]), len(half.retrieve)) for half in halves
    )
    s, r, proposals = options.search_seeds, options.repeats, proposals_in(options.steps, options.selection)
    evolved = proposals * (train * r + min(EXAMINATION["retrieve"], train))
    search = train_update + (START_DESIGNS - 1) * train * r + evolved
    scored = len(arms) + s
    tested = test_update + scored * test * r
    return [
        f"Plan of H3 (nothing is run): {s} searches without hints, {options.steps} steps each, then their best designs "
        "and",
        f"    {', '.join(arms[1:])} against {arms[0]} on the test half, once",
        f"  designs  up to {proposals} of each search by {options.meta_model}, about {3 * proposals * s} of its calls",
        f"  runs     {s} searches x {search} = {s * search} at most, and {tested} on the test half ({scored} designs x "
        f"{test} tasks x {r} repeats)",
        *_spending(options, s * search + tested, pilot),
        f"  smallest difference in resolved tasks with 80 % power: see --experiment h1 --plan, with {test} tasks",
    ]


def _from(pilot: Pilot, n: int, repeats: int, builds: int) -> list[str]:
    layers = pilot.layers
    se, df = planned_error(layers, n, builds, repeats)
    needed = [
        f"+{100 * gain:.0f} points: {_needed(gain, layers, se * math.sqrt(n), builds, repeats)}"
        for gain in GAINS
        if se > 0
    ]
    return [
        f"{FOUND}: {_points(detectable(se, df))}",
        f"    (variance of {pilot.arm} in {pilot.name}: task {layers.task:.4f}, build {layers.build:.4f}, task x build "
        f"{layers.task_by_build:.4f}, repeat {layers.repeat:.4f}; {_builds_known(layers, builds)})",
        f"  tasks needed, with as many repeats and builds: {'; '.join(needed) or 'unknown, nothing varied'}",
    ]


def _needed(gain: float, layers: Layers, sd: float, builds: int, repeats: int) -> str:
    if builds == 1:
        return f"{tasks_needed(gain, sd)} tasks"
    tasks = tasks_needed_over_builds(gain, layers, builds, repeats)
    return "no number of tasks, it takes more builds" if tasks is None else f"{tasks} tasks"


def _builds_known(layers: Layers, builds: int) -> str:
    """What the figures say of other builds of the memory."""
    if math.isnan(layers.build):
        one = "one build, which tells nothing of another"
        return one if builds == 1 else f"{one}: builds are taken not to differ, and if they do it takes more"
    if builds == 1:
        return (
            f"for one build: the gain of another one differs from its by about "
            f"{100 * math.sqrt(2 * layers.build):.1f} points"
        )
    return "tested over builds too"


def _assumed(n: int, repeats: int, builds: int) -> list[str]:
    alike = "" if builds == 1 else " (builds are taken not to differ; if they do it takes more)"
    lines = [
        f"{FOUND}, if a run with memory and one without end differently{alike}",
        "    in this share of tasks    by chance, from run to run    for good, from task to task",
    ]
    for share in DIFFERING:
        # A difference of two outcomes is -1, 0 or 1, so its variance is the share of those that differ.
        chance, lasting = (
            detectable(*planned_error(Layers(task, 0.0, 0.0, repeat, math.nan, math.nan), n, builds, repeats))
            for task, repeat in ((0.0, share), (share, 0.0))
        )
        lines.append(
            f"    {share:>5.0%}                     {_points(chance):>20}          {_points(lasting):>20}"
        )
    return lines


def _points(value: float) -> str:
    return "unknown, nothing varied" if math.isnan(value) else f"{100 * value:.1f} points"
