"""What the model calls cost: by purpose, design and model."""

from __future__ import annotations

from markupsafe import Markup

from core.report.costs import GROUPS, HEADINGS, cells
from core.report.html.report import Report
from core.report.html.templating import fill

ID, TITLE = "costs", "Cost"


def render(report: Report) -> Markup | None:
    costs = report.run.costs
    if not costs:
        return None
    [everything] = costs[()]
    groups = [
        (by, [(row.group[0] or "(none)", cells(row)) for row in sorted(costs[by,], key=lambda row: -row.usd)])
        for (by,) in GROUPS
    ]
    return fill("costs", groups=groups, headings=HEADINGS, all=cells(everything), note=everything.cost_note())
