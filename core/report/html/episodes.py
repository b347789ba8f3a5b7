"""The browser of episodes: every run of every task, step by step."""

from __future__ import annotations

from markupsafe import Markup

from core.report.html.report import Report
from core.report.html.templating import fill

ID, TITLE = "episodes", "Episodes"


def render(report: Report) -> Markup | None:
    lines = report.episodes.lines
    if not lines:
        return None
    return fill("episodes", count=len(lines), elements=report.episodes.elements(report.run))
