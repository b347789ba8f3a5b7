"""Reads what an evaluation left in its folder. Generated code wrote it: nothing in it is trusted, not even its kind."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

from evals.contract import Episode, EvalResult, Status, Updates
from evals.utils.session import clean_output

MOST_BYTES = 512 << 20
MOST_MESSAGE = 8_000
_NUMBERS = ("reward", "f2p_rate", "p2p_rate", "seconds", "grading_seconds", "memory_seconds")
_COUNTS = ("repeat", "steps", "prompt_tokens", "completion_tokens", "memory_tokens")
_COUNTS += ("memory_calls", "cut_observations")


class BadOutcome(ValueError):
    """What an evaluation left cannot be what our code writes; one line."""


def read_outcome(folder: Path) -> EvalResult:
    """``result.json`` and ``episodes.jsonl`` of an evaluation that has ended.

    Raises:
        FileNotFoundError: the evaluation left no result.
        BadOutcome: it left something else.
    """
    data = _parsed(_regular(folder / "result.json"), "result.json")
    if not isinstance(data, dict) or data.get("status") not in get_args(Status):
        raise BadOutcome("result.json holds no status")
    error, seconds = data.get("error"), data.get("seconds", 0.0)
    if not (error is None or isinstance(error, str)) or not _is_number(seconds):
        raise BadOutcome("result.json holds values of the wrong type")
    message = None if error is None else clean_output(error.encode("utf-8", "replace"))[:MOST_MESSAGE]
    return EvalResult(
        data["status"], list(episodes_in(folder)), message, float(seconds), _updates(data.get("updates"))
    )


def read_kept(folder: Path) -> list[Episode]:
    """What a broken-off try had finished: its episodes up to the first line that is not whole."""
    episodes: list[Episode] = []
    with contextlib.suppress(BadOutcome):
        for episode in episodes_in(folder):
            episodes.append(episode)
    return episodes


def read_exported(folder: Path) -> list[dict[str, str]]:
    """``exported.json``: what a memory answered, by project.

    Raises:
        FileNotFoundError: there is none.
        BadOutcome: it is something else.
    """
    data = _parsed(_regular(folder / "exported.json"), "exported.json")
    rows = data if isinstance(data, list) else [None]
    if not all(isinstance(row, dict) and {"project", "text"} <= row.keys() for row in rows):
        raise BadOutcome("exported.json holds no answers")
    return [{name: str(row[name]) for name in ("project", "text")} for row in rows]


def episodes_in(folder: Path) -> Iterator[Episode]:
    """The episodes of an evaluation, one by one; none when it has written none.

    Raises:
        BadOutcome: the file, or the next line of it, holds something else.
    """
    try:
        lines = _regular(folder / "episodes.jsonl").split(b"\n")
    except FileNotFoundError:
        return
    for line in lines[:-1]:  # what stands behind the last line's end was cut short by a kill
        if line:
            yield _episode(_parsed(line, "episodes.jsonl"))


def _updates(data: Any) -> Updates:
    if data is None:
        return Updates()
    values = (
        [data.get(field.name) for field in dataclasses.fields(Updates)] if isinstance(data, dict) else [None]
    )
    if not all(_is_number(value) for value in values):
        raise BadOutcome("result.json holds values of the wrong type")
    tasks, calls, seconds = values
    return Updates(int(tasks), int(calls), float(seconds))


def clear(path: Path) -> None:
    """Remove whatever stands where we are going to write."""
    with contextlib.suppress(OSError):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()


def _regular(path: Path) -> bytes:
    """The content of a regular file: a link, a pipe or a device in its place would lead elsewhere or nowhere."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise BadOutcome(f"{path.name} cannot be read: {error.strerror}") from error
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode) or status.st_size > MOST_BYTES:
        os.close(descriptor)
        raise BadOutcome(f"{path.name} is no file of at most {MOST_BYTES >> 20} MiB")
    with os.fdopen(descriptor, "rb") as handle:
        return handle.read(MOST_BYTES)


def _parsed(data: bytes, name: str) -> Any:
    try:
        return json.loads(data)
    except (ValueError, RecursionError) as error:
        raise BadOutcome(f"{name} holds what is no JSON: {' '.join(str(error).split())[:200]}") from error


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _episode(data: Any) -> Episode:
    try:
        episode = Episode(**data)
    except TypeError as error:
        raise BadOutcome(f"episodes.jsonl holds no episode: {error}") from error
    good = isinstance(episode.task, str) and episode.phase in ("update", "retrieve")
    good = good and all(_is_number(getattr(episode, name)) for name in _NUMBERS)
    good = good and all(type(getattr(episode, name)) is int for name in _COUNTS)
    good = good and isinstance(episode.init, dict) and isinstance(episode.trajectory, list)
    good = good and all(isinstance(step, dict) for step in episode.trajectory)
    good = good and isinstance(episode.ended, str) and type(episode.resolved) is bool
    if not good:
        raise BadOutcome("episodes.jsonl holds an episode with values of the wrong type")
    return episode
