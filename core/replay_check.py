"""What a replay found: the first request that differs, or the numbers that do."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.gateway.answers import Answers
from core.gateway.ledger import RecordedCall, calls_in
from core.gateway.places import NAMES, Places
from core.pack import KEY
from core.run import Run
from evals.contract import read_episodes

TIMES = frozenset(
    {"wall_s", "seconds", "grading_seconds", "memory_seconds", "from_ledger", "sandbox", "opened"}
)
"""What may differ from run to run: how long things took, when, and where they ran."""
COMPARED = ("evaluations/*/result.json", "evaluations/*/episodes.jsonl", "examples/*.json")
COMPARED += ("searches/*/archive.json", "searches/*/examples/*.json")
AROUND = 60


@dataclass(frozen=True)
class Outcome:
    """``differences`` as lines for people, recorded calls that were ``asked`` and ``unasked``, fields not compared."""

    differences: list[str]
    asked: int = 0
    unasked: int = 0
    ignored: frozenset[str] = frozenset()


def first_unknown(run: Run, source: Path, answers: Answers) -> str:
    """The first request that is not in the ledger, and where it departs from the recorded one."""
    key, request = answers.unknown
    scope = json.loads(key.scope_key)
    who = " ".join(
        f"{scope[name]}" for name in ("design", "evaluation", "phase", "task", "repeat") if name in scope
    )
    recorded = list(calls_in(run.gateway.ledger_path, key.scope_key))
    left = [call for call in recorded if call.id not in answers.replayed]
    text = f"first differing request: {scope['purpose']} of {who}, call {len(recorded) - len(left) + 1}"
    if not recorded:
        return f"{text}: nothing was asked there when the run was recorded"
    if not left:
        return f"{text}: only {len(recorded)} were made there when the run was recorded"
    return f"{text}: {_departure(left[0], request, run.folder, source)}"


def _departure(recorded: RecordedCall, request: dict[str, Any], folder: Path, source: Path) -> str:
    then = _flat(recorded.request, Places(source))
    now = _flat(request, Places(folder))
    for name in [*then, *(name for name in now if name not in then)]:
        old, new = then.get(name, ""), now.get(name, "")
        if old != new:
            at = next(
                (i for i, (a, b) in enumerate(zip(old, new, strict=False)) if a != b), min(len(old), len(new))
            )
            shown = [repr(text[max(at - AROUND, 0) : at + AROUND]) for text in (old, new)]
            return f"{name} differs at character {at}: recorded {shown[0]}, now {shown[1]}"
    return "it was made in another order, or more often"


def _flat(request: dict[str, Any], places: Places) -> dict[str, str]:
    """Fields and messages of a request by name, as text."""
    flat: dict[str, str] = {}
    for name, value in request.items():
        if isinstance(value, list):
            for number, item in enumerate(value):
                role = f" ({item['role']})" if isinstance(item, dict) and "role" in item else ""
                content = item.get("content") if isinstance(item, dict) else item
                flat[f"{name}[{number}]{role}"] = content if isinstance(content, str) else json.dumps(item)
        else:
            flat[name] = value if isinstance(value, str) else json.dumps(value, sort_keys=True)
    return {name: places.named(text.encode("utf-8", "replace")).decode() for name, text in flat.items()}


def memory_texts_were_scrubbed(folder: Path) -> bool:
    """Whether packing took something out of the texts that a memory handed out: then their sizes are others."""
    paths = folder.glob("evaluations/*/episodes.jsonl")
    return any(
        name in json.dumps(episode.memory_retrieved, ensure_ascii=False)
        for path in paths
        for episode in read_episodes(path)
        for name in (KEY, *NAMES)
    )


def differences(then: Path, now: Path, ignored: frozenset[str] = TIMES) -> list[str]:
    """Where two runs differ in what they found; empty when they do not. ``ignored`` names are not compared."""
    names = ["summary.json", "archive.json", "pairs.csv", "stream.csv", "test_split.json", "verdicts.jsonl"]
    names += sorted(
        {
            str(path.relative_to(folder))
            for folder in (then, now)
            for pattern in COMPARED
            for path in folder.glob(pattern)
        }
    )
    found = []
    for name in names:
        if (then / name).exists() != (now / name).exists():
            found.append(f"{name} is {'missing' if (then / name).exists() else 'new'}")
        elif (then / name).exists():
            found += [f"{name}: {line}" for line in _differ(_load(then, name), _load(now, name), "", ignored)]
    return found


def _load(folder: Path, name: str) -> Any:
    text = Places(folder).named((folder / name).read_bytes()).decode("utf-8")
    if name.endswith(".csv"):
        return list(csv.DictReader(io.StringIO(text)))
    if not name.endswith(".jsonl"):
        return json.loads(text)
    return _by_key([json.loads(line) for line in text.split("\n") if line])


def _by_key(rows: list[Any]) -> dict[str, Any]:
    """Lines in the order of finishing, by what they are about."""
    if rows and isinstance(rows[0], list):  # verdicts: evaluation, phase, task, repeat, verdict
        return {" ".join(map(str, row[:4])): row[4] for row in rows}
    return {f"{row['phase']} {row['task']} {row['repeat']}": row for row in rows}


def _differ(then: Any, now: Any, where: str, ignored: frozenset[str]) -> Iterator[str]:
    if isinstance(then, dict) and isinstance(now, dict):
        for name in sorted((then.keys() | now.keys()) - ignored):
            yield from _differ(then.get(name), now.get(name), f"{where}.{name}" if where else name, ignored)
    elif isinstance(then, list) and isinstance(now, list) and len(then) == len(now):
        for number, (one, other) in enumerate(zip(then, now, strict=True)):
            yield from _differ(one, other, f"{where}[{number}]", ignored)
    elif isinstance(then, float) and isinstance(now, float):
        if not math.isclose(then, now, rel_tol=1e-9, abs_tol=1e-12):
            yield f"{where}: {then} recorded, {now} now"
    elif then != now:
        yield f"{where}: {_short(then)} recorded, {_short(now)} now"


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 2 * AROUND else f"{text[: 2 * AROUND]}..."
