"""The end of an H2 experiment: ``stream.csv``, the figure, ``summary.json``, and the table with its sentences."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Sequence
from typing import Any

from rich.table import Table

from core.experiments.accumulation import Accumulation, Again, Group, accumulations
from core.experiments.evaluate import row
from core.experiments.h1 import Outcome
from core.experiments.h2 import LONG
from core.experiments.power import ALPHA
from core.experiments.statistics import TTest
from core.experiments.stream import Step, curves, write_stream
from core.experiments.trend import Trend
from core.report.h1 import arms_table
from core.report.h2_figure import draw
from core.report.tables import console, interval, model_note, p_value, points
from core.report.verdict import said_of
from core.run import Run


def finish(run: Run, outcomes: Sequence[Outcome], steps: Sequence[Step]) -> bool:
    """Judge the streams, write it down, draw it and print it.

    Args:
        outcomes: control first, then the primary arm.
        steps: all runs of the arms that went through.

    Returns:
        whether all arms could be scored.
    """
    rows = [row(run, o.arm, o.status, o.episodes, o.error, o.updates) for o in outcomes]
    scored = [o for o in outcomes if o.status == "ok"]
    found: list[Accumulation] = []
    drawn = []
    if outcomes[0].status == "ok":
        write_stream(run.folder / "stream.csv", steps)
        found = accumulations(steps, run.options.seed) if len(scored) > 1 else []
        resolved, reward = curves(steps, "resolved"), curves(steps, "reward")
        drawn = draw(resolved, reward, _title(run), run.folder / "figures")
        drawn_curves = [dataclasses.asdict(curve) for curve in (*resolved, *reward)]
    said = [sentence(a, number == 0) for number, a in enumerate(found)] + (_limits(run) if found else [])
    run.designs = [r.summary() for r in rows]
    run.summarise(
        "done",
        said=said,
        project=run.options.project,
        paired={a.arm: _entry(a) for a in found},
        curve=drawn_curves if drawn else [],
    )
    out = console()
    out.print(arms_table(rows, _title(run)))
    if found:
        out.print(_table(found))
    for failed in rows:
        if failed.error:
            out.print(f"{failed.design}: {failed.status}: {failed.error.splitlines()[-1]}", markup=False)
    notes = [*said, *model_note(run.options)]
    notes += [f"Figure: {path}" for path in drawn[:1]]
    for line in [*notes, f"Everything is in {run.folder}"]:
        out.print(line, markup=False, soft_wrap=True)
    return len(scored) == len(outcomes)


def _title(run: Run) -> str:
    options = run.options
    repeats = f" x {options.repeats} repeats" if options.repeats > 1 else ""
    return (
        f"{options.name}: H2, {len(run.tasks)} tasks of {options.project} one after the other, {options.orders} "
        f"orders{repeats}, learning on"
    )


def _entry(a: Accumulation) -> dict[str, Any]:
    return {
        "control": a.control,
        "unit": "task for the level, order for the rise",
        **{
            value: {
                **a.level[value].summary(),
                "rise": {**dataclasses.asdict(a.rise[value]), "p_shown": a.rise[value].p_shown},
                "cumulative_gain": a.gain[value],
            }
            for value in ("resolved", "reward")
        },
        "groups": [dataclasses.asdict(group) for group in a.groups],
        "again": dataclasses.asdict(a.again) if a.again else None,
    }


def _table(found: Sequence[Accumulation]) -> Table:
    table = Table(title="against the control", title_justify="left")
    table.add_column("")
    for a in found:
        table.add_column(a.arm, justify="right")
    for value in ("resolved", "reward"):
        for label, cell in _FIGURES:
            table.add_row(f"{value}: {label}", *(cell(a, value) for a in found))
        table.add_section()
    for number, group in enumerate(found[0].groups):
        table.add_row(f"runs: {group.name}", *(_group(a.groups[number]) for a in found))
    table.add_section()
    table.add_row("first tasks asked again at the end", *(_again(a.again) for a in found))
    return table


Cell = Callable[[Accumulation, str], str]
_FIGURES: list[tuple[str, Cell]] = [
    ("delta, points (by task)", lambda a, v: points(a.level[v].paired.delta)),
    ("95 % interval (also over orders)", lambda a, v: interval(a.level[v].range_shown)),
    ("p (sign flip; over orders)", lambda a, v: _level_p(a, v)),
    ("gained over a stream", lambda a, v: f"{a.gain[v]:+.2f}"),
    ("rise first to last, points", lambda a, v: points(a.rise[v].delta)),
    ("95 % interval over orders", lambda a, v: interval(a.rise[v].interval)),
    ("p of the rise (t; permutation)", lambda a, v: f"{p_value(a.rise[v].p)}; {a.rise[v].p_permutation:.3f}"),
]


def _level_p(a: Accumulation, value: str) -> str:
    measure = a.level[value]
    over = "-" if measure.over_builds is None else p_value(measure.over_builds.p)
    return f"{measure.paired.p_permutation:.3f}; {over}"


def _group(group: Group) -> str:
    return f"{group.runs}: {group.gained} gained, {group.lost} lost"


def _again(again: Again | None) -> str:
    return "-" if again is None else f"{again.runs}: {again.won} won, {again.lost} lost"


def sentence(a: Accumulation, primary: bool) -> str:
    """What can and what cannot be concluded about one arm, with the figures it rests on."""
    level, rise = a.level["resolved"], a.rise["resolved"]
    parts = [
        f"{'Primary: ' if primary else 'Further: '}{a.arm} resolves {points(level.paired.delta)} points against "
        f"{a.control} ({said_of(level)}, p {level.p_shown:.3f}, n = {level.paired.n} tasks), and "
        f"from the first task to the last that difference changes by {points(rise.delta)} points"
        f"{_over_orders(rise)} (p {rise.p_shown:.3f}, {len(rise.by_order)} orders)."
    ]
    return " ".join([*parts, _verdict(a), _misled(a), *_forgotten(a)])


def _over_orders(rise: Trend) -> str:
    if math.isnan(rise.interval[0]):
        return ""
    return f", 95 % over orders {points(rise.interval[0])} to {points(rise.interval[1])}"


def _verdict(a: Accumulation) -> str:
    level, rise = a.level["resolved"], a.rise["resolved"]
    if rise.p_shown < ALPHA and rise.delta > 0:
        return f"Shown: in this project {a.arm} is worth more the more tasks it has seen."
    if rise.p_shown < ALPHA:
        return f"Shown: in this project {a.arm} is worth less the more tasks it has seen."
    if len(rise.by_order) < 2:
        return "One order shows no rise that would hold for another one (--orders)."
    # An interval wholly below 0 that shows no fall, for the number of arms, rules out no rise either.
    left = (
        f"; a rise above {100 * rise.interval[1]:.0f} points is ruled out at 95 %"
        if rise.interval[1] >= 0
        else ""
    )
    if level.p_shown < ALPHA:
        word = "more" if level.paired.delta > 0 else "fewer"
        return (
            f"Shown: with it {word} tasks are resolved. Not shown: that this grows with the tasks seen{left}."
        )
    if level.paired.better + level.paired.worse == 0:
        return "Not one task came out differently: nothing has accumulated that this agent could use."
    return f"Not shown: that {a.arm} accumulates anything of use, or that it harms{left}."


def _misled(a: Accumulation) -> str:
    group = next(g for g in a.groups if g.name.startswith("contradicts"))
    if not group.runs:
        return "No task contradicted an earlier one."
    said = (
        f"Where a task contradicts what was met, {group.lost} of {group.runs} runs were lost to memory and "
        f"{group.gained} gained"
    )
    if group.by_task is None:
        return f"{said}."
    low, _ = group.by_task.bounds
    shown = group.by_task.p_shown < ALPHA and group.by_task.delta < 0
    return (
        f"{said} ({group.by_task.n} tasks): harm by stale memory is "
        f"{'shown' if shown else f'not shown, and up to {-100 * low:.0f} points of it are possible'}."
    )


def _forgotten(a: Accumulation) -> list[str]:
    if a.again is None:
        return []
    return [
        f"Of {a.again.runs} first tasks asked again with the memory of all the others {a.again.kept} were resolved as "
        f"before, {a.again.won} newly, {a.again.lost} no longer{_transfer(a.again.transfer)}."
    ]


def _transfer(transfer: TTest | None) -> str:
    if transfer is None or math.isnan(transfer.interval[0]):
        return ""
    return (
        f" (backward transfer {points(transfer.delta)} points, 95 % over orders {points(transfer.interval[0])} to "
        f"{points(transfer.interval[1])})"
    )


def _limits(run: Run) -> list[str]:
    said = [f"One project, {run.options.project}: nothing follows for others."]
    if run.options.orders < 3:
        said.append(
            f"With {run.options.orders} order{'s' * (run.options.orders > 1)} a rise can hardly be shown."
        )
    if len(run.tasks) < LONG:
        said.append(f"{len(run.tasks)} tasks are no series: take {LONG} or more.")
    return [" ".join(said)]
