"""How the designs of a run stand: scores and comparisons, reckoned from its episodes as the run itself does it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from core.experiments.contrasts import Contrast, contrasts
from core.experiments.evaluate import Row, with_pairs
from core.experiments.h1 import UNFINISHED, Outcome
from core.experiments.statistics import Score, score
from core.pareto import best_design
from core.records import Record
from core.report.loaded_run import Evaluation, LoadedRun
from evals.contract import Episode, Updates


@dataclass(frozen=True)
class Standing:
    """Attributes:
    rows: one per design, the control first; ``versus`` only where both evaluations are complete.
    contrasts: of a finished H1 experiment, paired by task; else empty.
    best: of an evolution, the design that its archive names.
    """

    rows: list[Row]
    contrasts: list[Contrast]
    best: str | None = None

    @property
    def control(self) -> Row | None:
        return self.rows[0] if self.rows else None


def standing(run: LoadedRun) -> Standing:
    """Score and compare the designs of a run, as far as they have come."""
    labels = sorted(run.labels, key=lambda label: label != run.control)
    rows = [_row(run, label) for label in labels]
    if rows and run.control is not None:
        comparable = [rows[0], *(row for row in rows[1:] if _comparable(row, rows[0]))]
        compared = {row.design: row for row in with_pairs(comparable, run.projects, run.seed)}
        rows = [compared.get(row.design, row) for row in rows]
    return Standing(rows, _contrasts(run, labels), _best(run))


def _best(run: LoadedRun) -> str | None:
    whole = [r for r in run.records if r.reward is None or r.resolved is not None]
    best = best_design(whole, run.objective)
    return best.sha if best else None


def _row(run: LoadedRun, label: str) -> Row:
    evaluations = run.scoring(label)
    episodes = [e for evaluation in evaluations for e in evaluation.episodes if e.phase == "retrieve"]
    status, error = _status(run, label, evaluations)
    spent = next((t for t in run.costs.get(("design",), []) if t.group[0] == label), None)
    tokens = spent.prompt_tokens + spent.completion_tokens if spent else 0
    usd = spent.usd if spent and not spent.unpriced else None if spent or not run.costs else 0.0
    learned = [evaluation.updates for evaluation in evaluations]
    updates = Updates(
        sum(u.tasks for u in learned), sum(u.calls for u in learned), sum(u.seconds for u in learned)
    )
    whole = status == "ok" or (status == UNFINISHED and not run.done)
    scored = None
    if status != "design_error":
        scored = _of_record(run.record(label)) or (score(episodes) if episodes and whole else None)
    return Row(label, status, episodes, scored, error, tokens, usd, updates)


def _of_record(record: Record | None) -> Score | None:
    """The score as the archive has it, which need not be the mean of the episodes: see ``Record.reward``. Of a design
    scored in the run that this one began from there are none."""
    if record is None or record.reward is None:
        return None
    se = math.nan if record.reward_se is None else record.reward_se
    return Score(record.reward, se, record.resolved or 0.0, record.tasks, record.episodes)


def _status(run: LoadedRun, label: str, evaluations: Sequence[Evaluation]) -> tuple[str, str | None]:
    record = run.record(label)
    if record is not None and record.status != "ok":
        return "design_error", record.error
    if record is not None and not evaluations:
        return "ok", None
    failed = next((e for e in evaluations if e.status == "design_error"), None)
    if failed is not None:
        return "design_error", failed.error
    left = next((d for d in run.summarised if d.get("sha") == label and d.get("status") == UNFINISHED), None)
    if left is not None:
        return UNFINISHED, str(left.get("error"))
    if run.records and record is None:  # not entered yet: more tasks may be run
        return UNFINISHED, None
    complete = bool(evaluations) and all(e.status == "ok" for e in evaluations)
    in_time = run.done or run.kind == "evolve"  # the halves of an experiment follow each other
    return ("ok" if complete and in_time else UNFINISHED), None


def _comparable(row: Row, control: Row) -> bool:
    common = {e.task for e in row.episodes} & {e.task for e in control.episodes}
    return row.status == control.status == "ok" and len(common) > 1


def _contrasts(run: LoadedRun, labels: Sequence[str]) -> list[Contrast]:
    if run.kind != "h1" or not run.done or run.options.get("grouped"):
        return []
    outcomes = [_outcome(run, label) for label in labels]
    whole = [o for o in outcomes if o is not None]
    if len(whole) < 2 or outcomes[0] is None or len({_cells(o) for o in whole}) > 1:
        return []
    return contrasts(whole, labels[1], run.projects, run.seed)


def _outcome(run: LoadedRun, label: str) -> Outcome | None:
    """The episodes of an arm by build; None when it failed or something of it is missing."""
    builds: dict[int, list[Episode]] = {}
    for evaluation in run.scoring(label):
        number = evaluation.block[:-1]
        if evaluation.status != "ok" or not number.isdecimal():
            return None
        builds.setdefault(int(number), []).extend(e for e in evaluation.episodes if e.phase == "retrieve")
    return Outcome(label, builds=[builds[number] for number in sorted(builds)]) if builds else None


def _cells(outcome: Outcome) -> frozenset[tuple[int, str, int]]:
    return frozenset((build, e.task, e.repeat) for build, found in enumerate(outcome.builds) for e in found)
