"""The section that comes first: what can and what cannot be concluded."""

from __future__ import annotations

from markupsafe import Markup

from core.experiments.grouped import compare, sentence
from core.next_commands import score_command
from core.report.html.report import Report
from core.report.html.templating import fill
from core.report.tables import OFFLINE_NOTE, in_words
from core.report.verdict import of_evolution, sentences

ID, TITLE = "verdict", "Verdict"


def render(report: Report) -> Markup:
    return fill("verdict", sentences=_sentences(report), offline=OFFLINE_NOTE if report.run.offline else None)


def _sentences(report: Report) -> list[str]:
    run, standing = report.run, report.standing
    failed = [
        f"{row.design} failed and has no score." for row in standing.rows if row.status == "design_error"
    ]
    if run.kind == "evolve":
        scored = [row for row in standing.rows if row.score is not None and row.status == "ok"]
        test = score_command(run.options, standing.best) if standing.best else ""
        found = of_evolution(scored, len(failed), run.control, standing.best, run.objective, test)
        return [*_unfinished(report), *found]
    if not run.done:
        return _unfinished(report)
    if run.kind in ("h2", "h3"):
        said = run.summary.get("said")
        lines = [str(line) for line in said] if isinstance(said, list) else []
        return lines or [*failed, "Nothing was concluded."]
    if not any(row.score for row in standing.rows):
        return [*failed, "Nothing was scored: nothing can be concluded."]
    if standing.contrasts:
        primary = standing.rows[1].design
        return [*failed, *sentences(standing.contrasts, standing.rows[0].design, primary, _repeats(report))]
    control = standing.rows[0]
    if control.score is None:
        return [*failed, f"{control.design}, the control, has no score: nothing is compared."]
    if run.options.get("grouped"):
        arms = [row for row in standing.rows[1:] if row.score]
        return failed + [
            sentence(r.design, control.design, compare(r.episodes, control.episodes), _repeats(report))
            for r in arms
        ]
    said = [in_words(row, control) for row in standing.rows[1:] if row.versus_resolved]
    return [
        *failed,
        *(said or ["One design was scored and none compared: see the table for what it stands on."]),
    ]


def _unfinished(report: Report) -> list[str]:
    run = report.run
    if run.done:
        return []
    how = {
        "budget": "It was stopped at its budget",
        "interrupted": "It was interrupted",
    }.get(run.state, "It has no result yet")
    if report.going:
        return [
            "This run is at work now: scores are those so far, and nothing can be concluded from them yet."
        ]
    return [
        f"This run is not finished. {how}; scores are those so far, and nothing can be concluded from them. Go on "
        f"with: python run_main.py --resume {run.name}"
    ]


def _repeats(report: Report) -> int:
    return max((e.repeat for row in report.standing.rows for e in row.episodes), default=1)
