"""The desk where evaluations hand in finished work: the parent grades it and keeps the verdict.

The evaluation subprocess runs code that a model wrote, so it never holds the hidden tests, and what it reports of its
own score is not believed: the verdict kept here is the one that counts.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import dataclasses
import errno
import hashlib
import json
import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from envs_archive.coding.grading import grade
from envs_archive.coding.grading_rooms import GradingRooms
from envs_archive.coding.tasks import Task
from evals.contract import Verdict, read_json_lines

MAX_SUBMISSION_BYTES = 20_000_000

Key = tuple[str, str, int]


@dataclass(frozen=True)
class Graded:
    """Told to the run's progress display."""

    evaluation: str
    design: str
    phase: str
    task: str
    repeat: int
    verdict: Verdict


class GradingDesk:
    """Args:
    record: file in which the verdicts of a run are kept (one JSON line each); those of an earlier, broken-off
        session of the run are read from it.
    tasks: complete tasks by id.
    bases: prepared base folder of each task.
    rooms: the sandboxes in which the tests run.
    concurrency: gradings at a time.
    on_graded: progress callback.
    """

    def __init__(
        self,
        record: Path,
        tasks: dict[str, Task],
        bases: dict[str, Path],
        rooms: GradingRooms,
        concurrency: int,
        on_graded: Callable[[Graded], None],
    ) -> None:
        self._tasks = tasks
        self._bases = bases
        self._rooms = rooms
        self._slots = asyncio.Semaphore(concurrency)
        self._on_graded = on_graded
        self._record = record
        self._verdicts = _read_record(record)
        self._known: dict[str, asyncio.Future[Verdict]] = {}
        self._expected: dict[str, frozenset[Key]] = {}
        self._failed: set[str] = set()
        self._asked: dict[tuple[str, Key], asyncio.Future[Verdict]] = {}

    def expect(self, evaluation: str, keys: Iterable[Key]) -> None:
        """From now on this evaluation may hand in these (phase, task, repeat), and nothing else."""
        self._expected[evaluation] = frozenset(keys)

    def failed(self, evaluation: str) -> bool:
        """Whether grading could not be done for an evaluation."""
        return evaluation in self._failed

    def verdicts(self, evaluation: str) -> dict[Key, Verdict]:
        """Verdicts of one evaluation by (phase, task, repeat)."""
        return self._verdicts.get(evaluation, {})

    async def grade(self, scope: dict[str, Any], body: dict[str, Any]) -> Verdict:
        """Grade one submission. The first one for a (phase, task, repeat) counts; asking again, also at the same
        time, returns its verdict, and only what was expected is graded: an evaluation cannot learn about hidden
        tests by trial and error.

        Args:
            scope: of the caller's token: ``evaluation`` and ``design``.
            body: ``task``, ``phase``, ``repeat`` and ``changes`` ({path: base64 content or None for deleted}).

        Raises:
            ValueError: the body is malformed or this is not an expected episode.
        """
        task, phase, repeat = body.get("task"), body.get("phase"), body.get("repeat")
        plain = isinstance(task, str) and isinstance(phase, str) and type(repeat) is int
        if not plain or task not in self._tasks:
            raise ValueError("grade needs a task of this run, a phase and a repeat")
        evaluation = scope.get("evaluation")
        key = (phase, task, repeat)
        if key not in self._expected.get(evaluation, frozenset()):
            raise ValueError(f"{phase} {task} {repeat} is no episode of this evaluation")
        known = self._verdicts.get(evaluation, {}).get(key)
        if known is not None:
            return known
        asked = self._asked.get((evaluation, key))
        if asked is None:
            changes = _decode(body.get("changes"))
            asked = asyncio.ensure_future(self._grade_episode(scope, key, changes))
            self._asked[evaluation, key] = asked
            asked.add_done_callback(lambda _: self._asked.pop((evaluation, key), None))
        return await asyncio.shield(asked)

    async def _grade_episode(
        self, scope: dict[str, Any], key: Key, changes: dict[str, bytes | None]
    ) -> Verdict:
        verdict = await self._grade_once(key[1], changes)
        if verdict.error is None:
            evaluation = scope["evaluation"]
            self._append(evaluation, key, verdict)
            self._verdicts.setdefault(evaluation, {})[key] = verdict
            self._on_graded(Graded(evaluation, scope["design"], *key, verdict))
        else:
            self._failed.add(scope["evaluation"])
        return verdict

    def _append(self, evaluation: str, key: Key, verdict: Verdict) -> None:
        line = json.dumps([evaluation, *key, dataclasses.asdict(verdict)]) + "\n"
        with open(self._record, "ab", buffering=0) as handle:
            size = handle.tell()
            try:
                if handle.write(line.encode()) < len(line):
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
                os.fsync(handle.fileno())
            except OSError:  # the disk is full: the next line must not be glued to half of this one
                handle.truncate(size)
                raise

    async def _grade_once(self, task: str, changes: dict[str, bytes | None]) -> Verdict:
        """The same submission has the same verdict: it is graded once in a run."""
        digest = hashlib.sha256(task.encode())
        for path, content in sorted(changes.items()):
            digest.update(repr((path, content)).encode())
        key = digest.hexdigest()
        if key not in self._known:
            self._known[key] = asyncio.ensure_future(self._run(task, changes))
        verdict = await asyncio.shield(self._known[key])
        if verdict.error is not None:
            self._known.pop(key, None)
        return verdict

    async def _run(self, task: str, changes: dict[str, bytes | None]) -> Verdict:
        async with self._slots:
            return await grade(self._tasks[task], self._bases[task], changes, self._rooms)


def _read_record(path: Path) -> dict[str, dict[Key, Verdict]]:
    """Verdicts by evaluation; an end that a kill or a power cut spoilt is dropped, so that it is graded again."""
    verdicts, size = read_verdicts(path)
    if path.exists():
        os.truncate(path, size)
    return verdicts


def read_verdicts(path: Path) -> tuple[dict[str, dict[Key, Verdict]], int]:
    """Verdicts by evaluation, and how many bytes of the file are whole lines. The run may be going on meanwhile."""
    verdicts: dict[str, dict[Key, Verdict]] = {}
    lines, size = read_json_lines(path, _parse_verdict)
    for evaluation, key, verdict in lines:
        verdicts.setdefault(evaluation, {})[key] = verdict
    return verdicts, size


def _parse_verdict(line: str) -> tuple[str, Key, Verdict]:
    evaluation, phase, task, repeat, verdict = json.loads(line)
    return evaluation, (phase, task, repeat), Verdict.from_dict(verdict)


def _decode(changes: Any) -> dict[str, bytes | None]:
    if not isinstance(changes, dict):
        raise ValueError("grade needs changes: {path: base64 content or null}")
    try:
        decoded = {
            str(path): None if content is None else base64.b64decode(content, validate=True)
            for path, content in changes.items()
        }
    except (binascii.Error, TypeError, ValueError) as error:
        raise ValueError(f"changes are no base64: {error}") from error
    size = sum(len(content or b"") for content in decoded.values())
    if size > MAX_SUBMISSION_BYTES:
        raise ValueError(f"a submission of {size:,} bytes is over the limit of {MAX_SUBMISSION_BYTES:,}")
    return decoded
