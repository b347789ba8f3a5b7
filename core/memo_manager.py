"""The archive of designs: what was tried, what came of it, and where the search stands.

``archive.json`` in the run's folder is the whole state of an evolution. It is rewritten atomically after
every finished design, so that a run killed at any moment goes on exactly where it was.
"""

from __future__ import annotations

import dataclasses
import json
import random
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from core.design_file import NO_MEMORY, content_sha, file_name
from core.pareto import Objective, best_design, worth_and_sd
from core.program_key import program_key
from core.records import Attempt, Proposal, Record, record_of
from core.selection import Candidate
from evals.contract import write_atomic, write_json_atomic

SCHEMA = 1


class Memo_Manager:
    """The archive of one run.

    Args:
        run_dir: the run's folder; holds ``archive.json`` and ``examples/``.
        designs_dir: where generated sources are kept (``memo_archive/coding``).

    Attributes:
        failures: why a source failed, by content SHA: versions that were repaired later are here and nowhere
            else.
        step: the current step; 0 is the start, -1 before it.
        origin: the step after which this run's own steps count; above 0 when it began from another run's
            archive.
    """

    def __init__(self, run_dir: Path, designs_dir: Path) -> None:
        self.run_dir = run_dir
        self.designs_dir = designs_dir
        self.records: list[Record] = []
        self.proposals: list[Proposal] = []
        self.failures: dict[str, str] = {}
        self.step = -1
        self.origin = 0
        self.rng_state: Any = None

    # Reading

    @property
    def no_memo_reward(self) -> float:
        """Reward of the agent without memory.

        Raises:
            LookupError: ``no_mem`` has not been scored yet.
        """
        record = self.find(NO_MEMORY)
        if record is None or record.reward is None:
            raise LookupError("the archive holds no score of no_mem")
        return record.reward

    def find(self, sha: str) -> Record | None:
        return next((r for r in self.records if r.sha == sha), None)

    @property
    def entered(self) -> int:
        """How many proposals have been entered; they are the first ones."""
        return sum(p.end is not None for p in self.proposals)

    def known_to(self, proposal: Proposal) -> list[Record]:
        """The archive as it was when the proposal was begun."""
        return self.records[: sum(p.has_record for p in self.proposals[: proposal.known])]

    def rewritable(self) -> list[Record]:
        """Designs that may become parents: scored on all tasks, not stopped as probably worse on some, and with a
        source worth rewriting."""
        scored = [r for r in self.records if r.status == "ok" and r.reward is not None and r.sha != NO_MEMORY]
        most = max((r.tasks for r in scored), default=0)
        return [r for r in scored if r.tasks == most]

    def candidates(self, objective: Objective | None = None) -> list[Candidate]:
        """Designs that may become parents, by their reward; with an objective, by what they are worth by that."""
        judged = worth_and_sd(self.records, objective) if objective else {}
        found = []
        for r in self.rewritable():
            worth, sd = judged.get(r.sha, (r.reward, 0.0))
            found.append(Candidate(r.sha, worth, r.visits, r.parent, sd))
        return found

    def best(self, objective: Objective = "reward") -> Record | None:
        """The scored design that is believed to be the best, ``no_mem`` aside; the earliest of equals."""
        return best_design(self.records, objective)

    def source(self, record: Record) -> str:
        """A design's source.

        Raises:
            FileNotFoundError: its file is gone.
        """
        return self.path(record).read_text(encoding="utf-8")

    def path(self, record: Record) -> Path:
        return self.designs_dir.parent / record.path

    def examples(self, record: Record) -> list[dict[str, Any]]:
        """Sampled trajectories of a design; empty for one without."""
        if record.examples is None:
            return []
        return json.loads((self.run_dir / record.examples).read_text(encoding="utf-8"))

    # Writing

    def keep_source(self, source: str) -> tuple[str, Path]:
        """Write a generated source to the archive's folder under its content SHA."""
        content = content_sha(source)
        path = self.designs_dir / file_name(content)
        encoded = source.encode("utf-8")
        if not path.exists() or path.read_bytes() != encoded:
            self.designs_dir.mkdir(parents=True, exist_ok=True)
            write_atomic(path, encoded)
        return content, path

    def keep_examples(self, name: str, examples: list[dict[str, Any]]) -> str:
        """Store sampled trajectories of a design; returns the reference for its record."""
        folder = self.run_dir / "examples"
        folder.mkdir(parents=True, exist_ok=True)
        write_json_atomic(folder / f"{name}.json", examples)
        return f"examples/{name}.json"

    def begin(self, proposals: list[Proposal]) -> None:
        """Take proposals up, all of one step, and count the visits of their parents."""
        known = self.entered
        self.step = proposals[0].step
        for proposal in proposals:
            self.proposals.append(proposal)
            proposal.number, proposal.known = len(self.proposals), known
            for sha in proposal.parents:
                self.find(sha).visits += 1

    def pending(self) -> list[Proposal]:
        """Proposals still to be worked on, in order."""
        return [p for p in self.proposals if p.outcome is None and p.reason is None and p.end is None]

    def enter(self) -> Proposal | None:
        """Turn the outcome of the next proposal into a record, and return it; None when it is not finished.

        The order is that of the proposals, whichever finished first: the same seed gives the same archive at any
        concurrency.
        """
        proposal = next((p for p in self.proposals if p.end is None), None)
        if proposal is None or (proposal.outcome is None and proposal.reason is None):
            return None
        if proposal.outcome is None:
            proposal.end = "design_error"
            return proposal
        record, proposal.outcome = proposal.outcome, None
        proposal.child, proposal.reason = record.sha, record.error
        twin = None if proposal.kind == "baseline" else self._twin(record)
        if twin is None:
            proposal.end = record.status
            self.records.append(record)
        else:
            proposal.end, proposal.attempts = "duplicate", record.attempts
            same = "source" if twin.content == record.content else "program"
            proposal.reason = record.error or f"the same {same} as {twin.sha}"
        return proposal

    def _twin(self, record: Record) -> Record | None:
        """The design with this very source, else the one that is the same program; failed ones included."""
        key = program_key(self.source(record))
        same = [r for r in self.records if r.content == record.content] or [
            r for r in self.records if key is not None and program_key(self.source(r)) == key
        ]
        return same[0] if same else None

    def save(self, rng: random.Random) -> None:
        """Write the checkpoint: designs, proposals under way and the random generator's state."""
        self.rng_state = rng.getstate()
        self.run_dir.mkdir(parents=True, exist_ok=True)
        write_json_atomic(
            self.run_dir / "archive.json",
            {
                "schema": SCHEMA,
                "step": self.step,
                "origin": self.origin,
                "records": [dataclasses.asdict(r) for r in self.records],
                "proposals": [dataclasses.asdict(p) for p in self.proposals],
                "failures": dict(sorted(self.failures.items())),
                "rng_state": self.rng_state,
            },
        )

    # Continuing

    @classmethod
    def load(cls, run_dir: Path, designs_dir: Path) -> Memo_Manager:
        """Read a run's archive; a run without one gives an empty archive.

        Raises:
            ValueError: the checkpoint cannot be read (the message names the file).
        """
        archive = cls(run_dir, designs_dir)
        if (run_dir / "archive.json").exists():
            archive._read(run_dir / "archive.json")
        return archive

    @classmethod
    def restore(cls, run_dir: Path, designs_dir: Path, say: Callable[[str], None]) -> Memo_Manager:
        """The same, but a damaged archive is put aside: all that led to it is in the ledger and in the evaluations."""
        try:
            return cls.load(run_dir, designs_dir)
        except ValueError as error:
            (run_dir / "archive.json").rename(run_dir / "archive.json.damaged")
            say(f"{error}; it is put aside as archive.json.damaged and made again from the ledger")
            return cls(run_dir, designs_dir)

    def adopt(self, checkpoint: Path) -> None:
        """Start this run from another run's archive: its finished designs, with their sources and
        trajectories.

        Proposals the other run had under way are left to it, and so are their visits and its random state.

        Args:
            checkpoint: an ``archive.json``, or the folder that holds one.

        Raises:
            ValueError: this archive is not empty, or the checkpoint cannot be used.
        """
        if self.records or self.proposals:
            raise ValueError("a run that has begun cannot start from another run's archive")
        path = checkpoint / "archive.json" if checkpoint.is_dir() else checkpoint
        if not path.is_file():
            raise ValueError(f"no archive at {checkpoint}")
        other = Memo_Manager(path.parent, self.designs_dir)
        other._read(path)
        if other.find(NO_MEMORY) is None:
            raise ValueError(f"{path}: holds no score of no_mem yet, nothing to start from")
        for proposal in other.proposals:
            for sha in proposal.parents if proposal.end is None else ():
                other.find(sha).visits -= 1
        for record in other.records:
            if record.examples is not None:
                target = self.run_dir / record.examples
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(other.run_dir / record.examples, target)
        self.records = other.records
        self.proposals = [p for p in other.proposals if p.end is not None]
        self.failures = other.failures
        self.step = other.step
        self.origin = other.step

    def _read(self, path: Path) -> None:
        try:
            data = json.loads(path.read_text(encoding="utf-8"))
            if data["schema"] != SCHEMA:
                raise ValueError(f"schema {data['schema']}, expected {SCHEMA}")
            self.records = [record_of(r) for r in data["records"]]
            self.proposals = [
                Proposal(
                    **{
                        **p,
                        "outcome": record_of(p["outcome"]) if p["outcome"] else None,
                        "attempts": [Attempt(**a) for a in p.get("attempts", [])],
                    }
                )
                for p in data["proposals"]
            ]
            for number, p in enumerate(self.proposals, 1):
                if not p.number:  # an archive from before they were numbered, when steps were behind barriers
                    p.number, p.known = number, sum(q.step < p.step for q in self.proposals)
            self.failures = data["failures"]
            self.step = data["step"]
            self.origin = data["origin"]
            version, internal, gauss = data["rng_state"]
            self.rng_state = (version, tuple(internal), gauss)
        except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
            raise ValueError(f"{path}: not a readable archive: {error}") from error
        for name in (name for r in self.records for name in (r.sha, r.path, r.examples) if name is not None):
            if not re.fullmatch(r"(?:\w+/)?\w[\w.-]*", name):  # it may come from others
                raise ValueError(f"{path}: '{name}' leads out of its folder")
        missing = [r.path for r in self.records if not self.path(r).is_file()]
        if missing:
            raise ValueError(f"{path}: design file missing: {missing[0]}")
        for record in self.records:
            try:
                self.examples(record)
            except (OSError, ValueError) as error:
                raise ValueError(f"{path}: {record.examples} cannot be read: {error}") from error
