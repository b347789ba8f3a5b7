"""Puts a run's report together: one HTML file that asks the network for nothing.

A section is a module with ``ID``, ``TITLE`` and ``render(report)``, which gives its HTML or None when the run has
nothing for it; ``SECTIONS`` is their order on the page. A new one is a file here, and its name there.
"""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path

from markupsafe import Markup

from core.report.html import costs, deltas, designs, episodes, front, scores, searches, steps, stream, verdict
from core.report.html.episodes_store import EpisodeStore
from core.report.html.report import Report
from core.report.html.templating import HERE, fill
from core.report.loaded_run import load_run
from core.report.standing import standing
from evals.contract import write_atomic

SECTIONS = (verdict, scores, searches, deltas, stream, steps, front, designs, costs, episodes)
STYLE = "report.css"
SCRIPTS = ("pieces.js", "designs.js", "episodes.js")
MOST_NOTES = 30


def load_report(folder: Path, going: bool = False) -> Report:
    """Everything a report is made from.

    Args:
        going: a process works on the run now.
    """
    store = EpisodeStore()
    run = load_run(folder, store.add)
    return Report(run, standing(run), store, going)


def write_page(report: Report, folder: Path) -> Path:
    """Write ``report.html`` into the run's folder. The same run gives the same bytes.

    Raises:
        OSError: it cannot be written.
    """
    path = folder / "report.html"
    write_atomic(path, page(report).encode("utf-8"))
    return path


def page(report: Report) -> str:
    """The HTML of a report."""
    run = report.run
    sections = [{"id": s.ID, "title": s.TITLE, "content": s.render(report)} for s in SECTIONS]
    style = (HERE / STYLE).read_text(encoding="utf-8")
    script = "".join((HERE / name).read_text(encoding="utf-8") for name in SCRIPTS)
    notes = run.notes[:MOST_NOTES]
    if len(run.notes) > MOST_NOTES:
        notes.append(f"and {len(run.notes) - MOST_NOTES} more")
    return fill(
        "page",
        run=run,
        kind=run.kind,
        facts=_facts(report),
        notes=notes,
        sections=[s for s in sections if s["content"] is not None],
        policy=_policy(style, script),
        style=Markup(style),
        script=Markup(script),
    )


def _facts(report: Report) -> list[str]:
    run = report.run
    facts = [run.kind, "at work now" if report.going else run.state, f"model {run.model}", f"seed {run.seed}"]
    if run.kind == "evolve":
        facts.insert(3, f"meta model {run.options.get('meta_model', 'unknown')}")
    if run.options.get("action_space", "seed") != "seed":
        facts.append(f"action space {run.options['action_space']}")
    if "sandbox" in run.summary:
        facts.append(f"sandbox {run.summary['sandbox']}")
    return facts


def _policy(style: str, script: str) -> str:
    """Nothing is fetched, nothing runs but our script, and that cannot make markup out of text."""

    def digest(text: str) -> str:
        return base64.b64encode(hashlib.sha256(text.encode("utf-8")).digest()).decode("ascii")

    return (
        f"default-src 'none'; script-src 'sha256-{digest(script)}'; style-src 'sha256-{digest(style)}'; img-src data:; "
        "base-uri 'none'; form-action 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
    )
