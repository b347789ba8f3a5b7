"""Reads a run's folder for its report: whatever is there, of a run of any kind, finished or not.

Part of it was written by generated code, part may be missing, half-written or of another version. Nothing of it is
trusted; what cannot be read is named in ``notes`` and left out.
"""

from __future__ import annotations

import dataclasses
import json
import re
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from core.design_file import EXTENDED, NO_MEMORY, content_sha, file_name
from core.evaluation_files import BadOutcome, episodes_in
from core.experiments.h3 import SEAL
from core.experiments.stream import Step, read_stream
from core.gateway.ledger import Totals, totals
from core.grading_desk import Key, read_verdicts
from core.options import MEMO_ARCHIVE, OFFLINE
from core.pareto import OUTCOME, Objective
from core.records import Record
from core.report.costs import GROUPS
from core.report.html.safe import number
from core.report.loaded_archive import archive_in
from core.report.purposes import SCORE, Sealed, purpose, sealed_in
from core.report.reading import as_list, object_in, one_line
from evals.contract import Episode, Updates, Verdict


@dataclass
class Evaluation:
    """One folder of ``evaluations/``.

    Attributes:
        label: of its design.
        block: its mode: ``eval``, ``test``, ``collect``, or in an experiment build and fold (``1a``).
        purpose: what it was for, see ``purposes``.
        status: of ``result.json``; ``unfinished`` without one.
        episodes: graded ones, with the desk's verdicts, without their texts.
    """

    name: str
    label: str
    block: str
    purpose: str
    status: str
    error: str | None
    updates: Updates
    episodes: list[Episode] = field(default_factory=list)


@dataclass(frozen=True)
class TaskFacts:
    """What a reader wants to know of a task: its project, and how many tests a submission is graded on."""

    project: str
    fail_to_pass: int
    pass_to_pass: int


@dataclass
class LoadedRun:
    """A run as far as it can be read.

    Attributes:
        options, summary: the files of that name; empty when they cannot be read.
        labels: designs in the order of the run, the control first.
        records: designs of an evolution.
        sources: of designs by label.
        costs: sums over the ledger by column; ``()`` is everything. Empty without a ledger.
        stream: of an H2 experiment, every run of a task with its place in the stream.
        notes: what could not be read, one line each.
    """

    name: str
    options: dict[str, Any]
    summary: dict[str, Any]
    evaluations: list[Evaluation]
    tasks: dict[str, TaskFacts]
    records: list[Record]
    proposals: list[dict[str, Any]]
    labels: list[str]
    sources: dict[str, str]
    costs: dict[tuple[str, ...], list[Totals]]
    stream: list[Step]
    notes: list[str]

    @property
    def kind(self) -> str:
        return str(self.summary.get("kind") or self.options.get("kind") or "unknown")

    @property
    def state(self) -> str:
        return str(self.summary.get("state") or "unfinished")

    @property
    def done(self) -> bool:
        return self.state == "done"

    @property
    def model(self) -> str:
        return str(self.options.get("execution_model") or self.summary.get("execution_model") or "unknown")

    @property
    def offline(self) -> bool:
        """Whether the offline model did any of the work."""
        return OFFLINE in (self.model, self.options.get("meta_model") if self.kind == "evolve" else None)

    @property
    def seed(self) -> int:
        seed = number(self.options.get("seed"))
        return int(seed) if seed is not None and seed >= 0 else 0

    @property
    def objective(self) -> Objective:
        """What the designs of an evolution are judged by."""
        asked = self.options.get("objective")
        return asked if isinstance(asked, str) and asked in OUTCOME else "reward"

    @property
    def summarised(self) -> list[dict[str, Any]]:
        """What the summary says of each design."""
        return [d for d in as_list(self.summary.get("designs")) if isinstance(d, dict)]

    @property
    def projects(self) -> dict[str, str]:
        """Project of each task."""
        return {task: facts.project for task, facts in self.tasks.items()}

    @property
    def control(self) -> str | None:
        """The design that others are compared with."""
        if self.kind == "evolve":
            return NO_MEMORY if NO_MEMORY in self.labels else None
        return self.labels[0] if self.labels else None

    def record(self, label: str) -> Record | None:
        """The archive's record of a design."""
        return next((record for record in self.records if record.sha == label), None)

    def scoring(self, label: str) -> list[Evaluation]:
        """The evaluations that a design's score stands on, by block."""
        return [e for e in self.evaluations if e.label == label and e.purpose == SCORE]


def load_run(
    folder: Path, each: Callable[[Evaluation, Episode, Verdict | None], None] = lambda *_: None
) -> LoadedRun:
    """Read the run in ``folder``.

    Args:
        each: handed every episode with its texts, which are not kept; the verdict is None when it was not graded.
    """
    notes: list[str] = []
    summary = object_in(folder / "summary.json", notes, "there is no result yet")
    options = object_in(folder / "options.json", notes, "what was asked is not known")
    tasks = _tasks(folder, options, notes)
    records, proposals = archive_in(folder, notes)
    verdicts = _verdicts(folder, notes)
    sealed = _sealed(folder, summary.get("kind") or options.get("kind"), notes)
    evaluations = [
        _evaluation(path, verdicts.get(path.name, {}), tasks, sealed, each, notes)
        for path in sorted((folder / "evaluations").glob("*"))
        if path.is_dir() and not path.is_symlink()
    ]
    evaluations = _latest([e for e in evaluations if e is not None])
    labels = _labels(summary, options, records, evaluations, sealed)
    sources = {label: _source(folder, label, records, notes) for label in labels}
    return LoadedRun(
        folder.name,
        options,
        summary,
        evaluations,
        tasks,
        records,
        proposals,
        labels,
        {label: source for label, source in sources.items() if source is not None},
        _costs(folder / "ledger.sqlite", notes),
        _stream(folder / "stream.csv", notes),
        notes,
    )


def _stream(path: Path, notes: list[str]) -> list[Step]:
    if not path.exists():
        return []
    try:
        return read_stream(path)
    except (OSError, ValueError, KeyError, TypeError) as error:
        notes.append(f"stream.csv cannot be read: {error}")
        return []


def _sealed(folder: Path, kind: Any, notes: list[str]) -> Sealed | None:
    """What an H3 experiment tests, which may not have begun; None for a run of another kind."""
    path = folder / SEAL
    if kind != "h3" and not path.exists():
        return None
    return sealed_in(
        object_in(path, notes, "the test half was not opened, and nothing is scored before it is")
    )


def _tasks(folder: Path, options: dict[str, Any], notes: list[str]) -> dict[str, TaskFacts]:
    path = folder / "inputs" / "tasks.jsonl"
    if not path.exists():
        path = Path(str(options.get("tasks") or ""))
        notes.append(f"the run's own list of tasks is missing: {path.name or 'none'} of today is used")
    tasks = {}
    try:
        for line in path.read_text(encoding="utf-8").splitlines():
            row = json.loads(line)
            counts = (len(row["FAIL_TO_PASS"]), len(row["PASS_TO_PASS"]))
            tasks[str(row["instance_id"])] = TaskFacts(
                str(row.get("project") or row.get("repo") or "?"), *counts
            )
    except (OSError, ValueError, TypeError, KeyError, RecursionError) as error:
        notes.append(
            f"the tasks cannot be read ({one_line(error)}): their projects are taken from the episodes"
        )
    return tasks


def _verdicts(folder: Path, notes: list[str]) -> dict[str, dict[Key, Verdict]]:
    path = folder / "verdicts.jsonl"
    try:
        found, size = read_verdicts(path)
        if not path.exists():
            notes.append("verdicts.jsonl is missing: no episode counts as graded")
        elif size < path.stat().st_size:
            notes.append(
                "the end of verdicts.jsonl is not whole: what follows its last whole line is left out"
            )
    except (OSError, RecursionError) as error:
        notes.append(f"verdicts.jsonl cannot be read: {one_line(error)}")
        return {}
    return {
        name: {key: verdict for key, verdict in verdicts.items() if _sound(verdict)}
        for name, verdicts in found.items()
    }


def _sound(verdict: Verdict) -> bool:
    rates = (verdict.reward, verdict.f2p_rate, verdict.p2p_rate, verdict.seconds)
    return (
        all(number(value) is not None for value in rates)
        and type(verdict.resolved) is bool
        and isinstance(verdict.flags, list)
        and verdict.error is None
    )


def _evaluation(
    path: Path,
    verdicts: dict[Key, Verdict],
    tasks: dict[str, TaskFacts],
    sealed: Sealed | None,
    each: Callable[[Evaluation, Episode, Verdict | None], None],
    notes: list[str],
) -> Evaluation | None:
    label, _, rest = path.name.rpartition("_")[0].rpartition("_")
    if not label:
        return None
    spec = object_in(path / "spec.json", [], "")
    result = object_in(path / "result.json", [], "")
    error, status = result.get("error"), result.get("status")
    evaluation = Evaluation(
        path.name,
        spec["design"] if isinstance(spec.get("design"), str) else label,
        rest,
        purpose(rest, spec, sealed),
        status if status in ("ok", "design_error", "infra_error") else "unfinished",
        error if isinstance(error, str) else None,
        _updates(result.get("updates")),
    )
    seen: set[Key] = set()
    try:
        for episode in episodes_in(path):
            key = (episode.phase, episode.task, episode.repeat)
            if key in seen or number(episode.repeat) is None:
                continue
            seen.add(key)
            tasks.setdefault(episode.task, TaskFacts(str(episode.init.get("project") or "?"), 0, 0))
            verdict = verdicts.get(key)
            graded = _graded(episode, verdict)
            each(evaluation, graded, verdict)
            if verdict is not None:
                evaluation.episodes.append(
                    dataclasses.replace(graded, init={}, memory_retrieved=None, trajectory=[])
                )
    except (BadOutcome, OSError) as error:
        notes.append(f"evaluations/{path.name}: {one_line(error)}: what follows is left out")
    return evaluation


_RECKONED = (
    "steps",
    "prompt_tokens",
    "completion_tokens",
    "memory_tokens",
    "memory_calls",
    "memory_seconds",
    "seconds",
)


def _graded(episode: Episode, verdict: Verdict | None) -> Episode:
    """The episode with the desk's verdict, whatever it says of itself, and with numbers that can be reckoned with."""
    fields: dict[str, Any] = {name: number(getattr(episode, name)) or 0 for name in _RECKONED}
    verdict = verdict or Verdict(0.0, False, 0.0, 0.0)
    fields |= {name: getattr(verdict, name) for name in ("reward", "resolved", "f2p_rate", "p2p_rate")}
    return dataclasses.replace(episode, **fields, flags=[str(flag) for flag in verdict.flags])


def _updates(data: Any) -> Updates:
    values = (
        [number(data.get(name)) for name in ("tasks", "calls", "seconds")]
        if isinstance(data, dict)
        else [None]
    )
    return Updates() if None in values else Updates(int(values[0]), int(values[1]), float(values[2]))


def _latest(evaluations: list[Evaluation]) -> list[Evaluation]:
    """Of several evaluations of a design for the same purpose the last one: the others were of other specs."""
    by_purpose: dict[tuple[str, str, str], Evaluation] = {}
    for evaluation in sorted(evaluations, key=lambda e: _number_of(e.name)):
        by_purpose[evaluation.label, evaluation.block, evaluation.purpose] = evaluation
    return sorted(by_purpose.values(), key=lambda e: (e.label, e.block))


def _number_of(name: str) -> int:
    last = name.rpartition("_")[2]
    return int(last) if re.fullmatch(r"\d{1,9}", last) else 0


def _labels(
    summary: dict[str, Any],
    options: dict[str, Any],
    records: list[Record],
    evaluations: list[Evaluation],
    sealed: Sealed | None,
) -> list[str]:
    said = [d.get("sha") for d in as_list(summary.get("designs")) if isinstance(d, dict)]
    if sealed is not None:
        asked = [options.get("baseline"), *as_list(options.get("memo_SHA"))]
        tested = said if summary.get("state") == "done" else sealed.designs or [*asked, *said]
        return list(dict.fromkeys(name for name in tested if isinstance(name, str)))
    named = [*(record.sha for record in records), *said]
    control = [options.get("baseline")] if options.get("kind") in ("h1", "h2") else []
    scored = {e.label for e in evaluations if e.purpose == SCORE}
    named += [name for name in [*control, *as_list(options.get("memo_SHA"))] if name in scored]
    named += [e.label for e in evaluations if e.purpose == SCORE]
    return list(dict.fromkeys(name for name in named if isinstance(name, str)))


def _source(folder: Path, label: str, records: list[Record], notes: list[str]) -> str | None:
    """The source of a design, as the run had it; of a control its own, whatever it wraps."""
    record = next((r for r in records if r.sha == label), None)
    name = label.removeprefix(f"{EXTENDED}:").partition(":")[0]
    if not re.fullmatch(r"\w[\w.-]*", name):
        return None
    places = [folder / "inputs" / "designs", MEMO_ARCHIVE / "coding", MEMO_ARCHIVE / "baseline"]
    for path in (place / file_name(name) for place in places):
        try:
            source = path.read_text(encoding="utf-8")
        except (OSError, ValueError):
            continue
        if record is not None and record.content != content_sha(source):
            notes.append(
                f"{path.name} is no longer what this run used: the code shown for {label} is that of today"
            )
        return source
    notes.append(f"the code of {label} is gone")
    return None


def _costs(path: Path, notes: list[str]) -> dict[tuple[str, ...], list[Totals]]:
    try:
        if not path.exists():
            raise sqlite3.DatabaseError("there is none")
        return {by: totals(path, *by) for by in [(), *GROUPS]}
    except sqlite3.Error as error:
        notes.append(f"the ledger cannot be read ({one_line(error)}): costs are not known")
        return {}
