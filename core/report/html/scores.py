"""The table of scores, with what each stands on."""

from __future__ import annotations

import math
from typing import Any

from markupsafe import Markup

from core.experiments.evaluate import Row
from core.experiments.statistics import Paired
from core.report.html.report import Report
from core.report.html.templating import fill, half
from core.report.tables import p_value, percent, points, short

ID, TITLE = "scores", "Scores"


def render(report: Report) -> Markup | None:
    rows = report.standing.rows
    if not rows:
        return None
    compared = any(row.versus for row in rows)
    return fill(
        "scores",
        lines=[_line(row, row is rows[0] and report.run.control is not None) for row in rows],
        control=report.run.control if compared else None,
        some=bool(report.run.records) and len({row.score.n_tasks for row in rows if row.score}) > 1,
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
        "paired": [_paired(pair) for pair in (row.versus, row.versus_resolved)],
        "memory_tokens": f"{row.memory_tokens:.0f}" if ran else "",
        "memory_calls": f"{row.memory_calls:.1f}" if ran else "",
        "memory_seconds": f"{row.memory_seconds:.2f}" if ran else "",
        "seconds": f"{row.seconds:.1f}" if ran else "",
        "tokens": short(row.tokens),
        "usd": "unknown" if row.usd is None else f"{row.usd:.4f}",
        "flagged": row.flagged,
    }


def _paired(pair: Paired | None) -> dict[str, str] | None:
    if pair is None:
        return None
    low, high = pair.range
    return {
        "delta": points(pair.delta),
        "interval": "-" if math.isnan(low) else f"{points(low)} to {points(high)}",
        "p": p_value(pair.p),
        "p_flip": p_value(pair.p_permutation),
        "worse": f"{pair.worse} of {pair.n}",
    }
