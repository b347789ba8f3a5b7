"""The archive as a folder of files for the meta agent to look around in: as a proposal knows it, and nothing else."""

from __future__ import annotations

import csv
import io
import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path
from statistics import fmean

from core.design_file import NO_MEMORY
from core.examples import clip
from core.memo_manager import Memo_Manager
from core.meta_agent_past import Tried, came_of, children_section, tried_section
from core.meta_agent_prompt import Case, score_section, trajectories
from core.novelty import Known
from core.records import Record

LATEST = 200
"""Designs with a folder of their own: the latest ones, and the best beside them."""
BEST = 50
FAILURE_CHARS = 4_000

README = """\
# The archive of memory designs
- `designs.csv`: all designs, one a line: parents, scores, tokens of memory text, USD of a run if known,
  how a race ended, hypothesis and what came of it.
- `hypotheses.md`: what every change was meant to improve, and whether it did; those that held first.
- `designs/SHA/design.py`: the source. Folders are kept of {kept} of {all} designs.
- `designs/SHA/about.md`: its score and origin, and what became of its rewrites.
- `designs/SHA/tasks.csv`: its results task by task, beside those of the agent without memory.
- `designs/SHA/trajectories.md`: some runs of the agent: what memory handed over, what the agent did.
- `failures.md`: designs that raised, hung or broke the rules, with the reason.
- `rejected/`: versions that were turned down before they were scored; `rejected/reasons.md` says why.

"""


def write_folder(folder: Path, archive: Memo_Manager, known: Known, cases: Iterable[Case]) -> None:
    """Write what is known to a proposal into a folder, which is made anew.

    Args:
        cases: of the designs to have a folder of their own.

    Raises:
        OSError: it cannot be written.
    """
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "designs").mkdir(parents=True)
    (folder / "rejected").mkdir()
    baseline = next((r for r in known.records if r.sha == NO_MEMORY), None)
    kept = 0
    for case in cases:
        kept += 1
        record = archive.find(case.sha)
        home = folder / "designs" / case.sha
        home.mkdir(parents=True)
        _write(home / "design.py", case.source)
        _write(home / "about.md", _about(case, record))
        _write(home / "tasks.csv", _tasks(record, baseline))
        _write(home / "trajectories.md", trajectories(_some(case.examples)))
    designs = [one for one in known.tried if one.status != "turned down"]
    turned_down = [one for one in known.tried if one.status == "turned down"]
    said = README.format(kept=kept, all=len(designs)) + tried_section(known.tried)
    _write(folder / "README.md", said + "\n")
    _write(folder / "designs.csv", _designs(known.records))
    _write(folder / "hypotheses.md", _hypotheses(designs))
    failed = [r for r in known.records if r.error is not None]
    reasons = [f"## {r.sha}\n{clip(r.error, FAILURE_CHARS)}\n" for r in failed] or ["None.\n"]
    _write(folder / "failures.md", "# Failures\n" + "\n".join(reasons))
    for one in turned_down:
        source = known.rejected_source(one.sha)
        _write(folder / "rejected" / f"{one.sha}.py", source)
    lines = [f"- {one.sha}: {one.note}" for one in turned_down] or ["None."]
    _write(folder / "rejected" / "reasons.md", "\n".join(lines) + "\n")


def _write(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8", errors="replace")  # what an agent printed may be no text


def with_folders(records: Sequence[Record], always: Sequence[str]) -> list[Record]:
    """The scored designs that get a folder of their own: the latest, the best, and those named."""
    scored = [r for r in records if r.status == "ok" and r.reward is not None and r.sha != NO_MEMORY]
    best = sorted(scored, key=lambda r: -r.reward)[:BEST]
    names = {r.sha for r in scored[-LATEST:]} | {r.sha for r in best} | set(always)
    return [r for r in scored if r.sha in names]


def _about(case: Case, record: Record) -> str:
    parents = " and ".join(record.parents)
    origin = f"It changes {parents}, as: {record.way}." if parents else "It has no parent."
    origin += f"\n{came_of(record.hypothesis, record.compared, record.judged)}".rstrip()
    return (
        f"{score_section(case)}\n\n# Origin\n{origin}\n\n"
        f"{children_section(case.sha, case.source, case.children)}\n"
    )


def _tasks(record: Record, baseline: Record | None) -> str:
    columns = ["task", "reward", "resolved", "memory_tokens", "reward_without_memory"]
    before = baseline.runs.get("reward", {}) if baseline else {}
    rows = [
        [
            task,
            *(f"{fmean(record.runs[name][task]):.4f}" for name in ("reward", "resolved", "memory_tokens")),
            f"{fmean(before[task]):.4f}" if task in before else "",
        ]
        for task in sorted(record.runs.get("reward", {}))
    ]
    return _csv([columns, *rows])


def _designs(records: Sequence[Record]) -> str:
    columns = [
        "sha",
        "parent",
        "second_parent",
        "way",
        "step",
        "status",
        "reward",
        "resolved",
        "memory_tokens",
    ]
    columns += ["usd_of_run", "against_parent", "verdict", "judged", "hypothesis"]
    rows = []
    for r in records:
        found = r.compared
        rows.append(
            [r.sha, r.parent or "", r.second or "", r.way, r.step, r.status]
            + ["" if value is None else f"{value:.4f}" for value in (r.reward, r.resolved)]
            + ["" if r.memory_tokens is None else f"{r.memory_tokens:.0f}"]
            + ["" if r.usd is None else f"{r.usd:.6f}"]
            + ([f"{found.difference:+.4f}", found.verdict] if found else ["", ""])
            + [r.judged or "", r.hypothesis or ""]
        )
    return _csv([columns, *rows])


def _csv(rows: Sequence[Sequence[object]]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue()


def _hypotheses(designs: Sequence[Tried]) -> str:
    order = {"better": 0, "not decided": 1, "worse": 2}
    compared = [one for one in designs if one.hypothesis is not None and one.compared is not None]
    compared.sort(key=lambda one: (order[one.compared.verdict], -one.compared.difference))
    lines = [f"- {one.sha}: {one.hypothesis} -> {one.compared}{_ended(one)}" for one in compared]
    return "# Hypotheses, and what came of them\n" + "\n".join(lines or ["None was compared yet."]) + "\n"


def _ended(one: Tried) -> str:
    return "" if one.judged is None else f"; its race: {one.judged}"


def _some(examples: Sequence[dict]) -> list[dict]:
    """Those with the lowest reward, which come first, and the last one, with the highest or broken off."""
    return list(examples) if len(examples) <= 4 else [*examples[:3], examples[-1]]
