"""The table of scores, with what each stands on."""

from __future__ import annotations

from typing import Any

from markupsafe import Markup

from core.experiments.evaluate import Row
from core.experiments.statistics import Paired
from core.report.html.report import Report
from core.report.html.templating import fill, half
from core.report.tables import interval, p_value, percent, points, short

ID, TITLE = "scores", "Scores"


def render(report: Report) -> Markup | None:
    rows = report.standing.rows
    if not rows:
        return None
    compared = any(row.versus for row in rows)
    # An evolution chose its designs by these very scores: no adjustment for their number mends that.
    chosen = report.run.kind == "evolve"
    return fill(
        "scores",
        lines=[_line(row, row is rows[0] and report.run.control is not None) for row in rows],
        control=report.run.control if compared else None,
        some=bool(report.run.records) and len({row.score.n_tasks for row in rows if row.score}) > 1,
        adjusted=not chosen and any(row.p_holm is not None for row in rows),
        chosen=chosen and compared,
        experiment=report.run.kind in ("h1", "h2", "h3") and compared,
        priced=any(row.usd != 0 for row in rows),
    )


def _line(row: Row, is_control: bool) -> dict[str, Any]:
    s, ran = row.score, bool(row.episodes)
    return {
        "design": row.design,
        "is_control": is_control,
        "status": row.status,
        "error": row.error.strip().splitlines()[-1] if row.error and row.error.strip() else None,
        "score": s,
        "reward": f"{s.reward:.3f}" if s else None,
        "se": half(s.reward_se) if s else "",
        "resolved": percent(s.resolved) if s else "",
        "paired": [_paired(row.versus, row.p_holm), _paired(row.versus_resolved, row.p_holm_resolved)],
        "memory_tokens": f"{row.memory_tokens:.0f}" if ran else "",
        "memory_calls": f"{row.memory_calls:.1f}" if ran else "",
        "memory_seconds": f"{row.memory_seconds:.2f}" if ran else "",
        "seconds": f"{row.seconds:.1f}" if ran else "",
        "tokens": short(row.tokens),
        "usd": "unknown" if row.usd is None else f"{row.usd:.4f}",
        "flagged": row.flagged,
    }


def _paired(pair: Paired | None, p_holm: float | None) -> dict[str, str] | None:
    if pair is None:
        return None
    return {
        "delta": points(pair.delta),
        "interval": interval(pair.range),
        "p": p_value(pair.p),
        "p_flip": p_value(pair.p_permutation),
        "p_holm": "" if p_holm is None else p_value(p_holm),
        "worse": f"{pair.worse} of {pair.n}",
    }
