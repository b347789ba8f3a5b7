"""The end of an H1 experiment: ``pairs.csv``, ``summary.json``, and the table with its sentences."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from rich.table import Table

from core.experiments.contrasts import Contrast, Measure, contrasts
from core.experiments.evaluate import Row, row
from core.experiments.h1 import Outcome, write_pairs
from core.report.tables import console, interval, model_note, percent, points, short
from core.report.verdict import sentences
from core.run import Run

PER_TABLE = 4
"""Contrasts side by side that a line of 120 characters holds."""


def finish(run: Run, outcomes: Sequence[Outcome]) -> bool:
    """Compare the arms, write it down and print it.

    Args:
        outcomes: control first, then the primary arm.

    Returns:
        whether all arms could be scored.
    """
    rows = [row(run, o.arm, o.status, o.episodes, o.error, o.updates) for o in outcomes]
    scored = [o for o in outcomes if o.status == "ok"]
    control, primary = outcomes[0].arm, outcomes[1].arm
    found: list[Contrast] = []
    if outcomes[0].status == "ok" and len(scored) > 1:
        write_pairs(run.folder / "pairs.csv", scored[0], scored[1:], run.projects)
        found = contrasts(scored, primary, run.projects, run.options.seed)
    run.designs = [r.summary() for r in rows]
    run.summarise("done", paired=_summary(found, control), contrasts=[_entry(c) for c in found])
    _show(run, rows, found, sentences(found, control, primary, run.options.repeats) if found else [])
    return len(scored) == len(outcomes)


def _entry(contrast: Contrast) -> dict[str, Any]:
    return {
        "arm": contrast.arm,
        "control": contrast.against,
        "unit": "task",
        **contrast.reward.summary(),
        "resolved": contrast.resolved.summary(),
    }


def _summary(found: Sequence[Contrast], control: str) -> dict[str, Any]:
    """Each arm against the control, by the arm's label."""
    return {c.arm: _entry(c) for c in found if c.against == control}


def _show(run: Run, rows: Sequence[Row], found: Sequence[Contrast], said: Sequence[str]) -> None:
    options = run.options
    builds = f" x {options.builds} builds" if options.builds > 1 else ""
    cut = "" if options.folds == 2 else f" in {options.folds} parts"
    kept = "read-only" if options.rollout_type == "batched" else "learning on"
    title = (
        f"{options.name}: H1, {len(run.tasks)} tasks x {options.repeats} repeats{builds}, arms side by side, memory "
        f"cross-fitted{cut}, {kept}"
    )
    out = console()
    out.print(arms_table(rows, title))
    for start in range(0, len(found), PER_TABLE):
        out.print(_contrasts(found[start : start + PER_TABLE]))
    for failed in rows:
        if failed.error:
            out.print(f"{failed.design}: {failed.status}: {failed.error.splitlines()[-1]}", markup=False)
    for line in [*said, *model_note(options), f"Everything is in {run.folder}"]:
        out.print(line, markup=False, soft_wrap=True)


def arms_table(rows: Sequence[Row], title: str) -> Table:
    """Score, size and cost of each arm."""
    table = Table(title=title, title_justify="left")
    table.add_column("arm")
    for name in ("resolved", "AVG reward", "SE", "runs", "memory tokens", "tokens per run", "tokens", "USD"):
        table.add_column(name, justify="right")
    for r in rows:
        if r.score is None:
            table.add_row(r.design, "failed" if r.status == "design_error" else r.status)
            continue
        used = sum(e.prompt_tokens + e.completion_tokens for e in r.episodes) / len(r.episodes)
        table.add_row(
            r.design,
            percent(r.score.resolved),
            f"{r.score.reward:.3f}",
            f"{r.score.reward_se:.3f}",
            str(len(r.episodes)),
            f"{r.memory_tokens:.0f}",
            short(round(used)),
            short(r.tokens),
            "unknown" if r.usd is None else f"{r.usd:.4f}",
        )
    return table


def _contrasts(contrasts: Sequence[Contrast]) -> Table:
    table = Table(title="paired by task", title_justify="left")
    table.add_column("")
    for c in contrasts:
        table.add_column(f"{c.arm}\nvs {c.against}", justify="right")
    several = any(c.resolved.over_builds for c in contrasts)
    adjusted = any(c.resolved.p_holm is not None for c in contrasts)
    for name, pick in (("resolved", lambda c: c.resolved), ("reward", lambda c: c.reward)):
        lines = [*_DIFFERENCE, *(_ADJUSTED if adjusted else []), *(_BUILDS if several else []), *_SIZE]
        lines = [(label, _of(pick, cell)) for label, cell in lines]
        if name == "resolved":
            lines += [(label, _of(pick, cell)) for label, cell in _RESOLVED]
        for number, (label, cell) in enumerate(lines):
            table.add_row(
                f"{name} {label}", *(cell(c) for c in contrasts), end_section=number == len(lines) - 1
            )
    return table


def _of(pick: Callable[[Contrast], Measure], cell: Callable[[Measure], str]) -> Callable[[Contrast], str]:
    return lambda contrast: cell(pick(contrast))


def _number(value: float | None, form: str = ".3f") -> str:
    return "-" if value is None or math.isnan(value) else format(value, form)


def _points(value: float) -> str:
    return "-" if math.isnan(value) else points(value)


Figure = tuple[str, Callable[[Measure], str]]
_DIFFERENCE: list[Figure] = [
    ("delta, points", lambda m: _points(m.paired.delta)),
    ("95 % interval (t)", lambda m: interval(m.paired.interval)),
    ("95 % interval (bootstrap)", lambda m: interval(m.paired.bootstrap)),
    ("95 % interval (by project)", lambda m: interval(m.paired.clustered_interval)),
    ("SE", lambda m: _number(100 * m.paired.se, ".2f")),
    ("SE by project", lambda m: _number(100 * m.paired.clustered_se, ".2f")),
    ("t (df)", lambda m: "-" if math.isnan(m.paired.t) else f"{m.paired.t:.2f} ({m.paired.df})"),
    ("p (t)", lambda m: _number(m.paired.p)),
    ("p (sign flip)", lambda m: _number(m.paired.p_permutation)),
    ("p (Wilcoxon)", lambda m: _number(m.paired.p_wilcoxon)),
    ("p (sign flip by project)", lambda m: _number(m.paired.p_cluster)),
]
_ADJUSTED: list[Figure] = [
    ("p, all arms (Holm)", lambda m: _number(m.p_holm)),
    ("p, all arms (max-T)", lambda m: _number(m.p_max_t)),
]
_BUILDS: list[Figure] = [
    ("delta by build", lambda m: " ".join(points(x) for x in m.by_build)),
    ("95 % over builds", lambda m: interval(m.over_builds.interval)),
    ("p over builds", lambda m: _number(m.over_builds.p)),
]
_SIZE: list[Figure] = [
    ("d_z", lambda m: _number(m.paired.d_z, ".2f")),
    ("MDE at 80 % power", lambda m: _number(100 * m.paired.mde, ".1f")),
]
_RESOLVED: list[Figure] = [
    ("95 % bounds (exact)", lambda m: interval(m.paired.bounds)),
    ("p (McNemar, exact)", lambda m: _number(m.paired.p_sign)),
    ("tasks helped / harmed", lambda m: f"{m.paired.better} / {m.paired.worse}"),
]
