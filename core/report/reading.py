"""Reads files of a run of which nothing is trusted: what cannot be read is named in ``notes`` and left out."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any


def object_in(path: Path, notes: list[str], missing: str) -> dict[str, Any]:
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        if isinstance(data, dict):
            return data
        notes.append(f"{path.name} holds no object")
    except FileNotFoundError:
        notes.append(f"{path.name} is missing: {missing}")
    except (OSError, ValueError, RecursionError) as error:
        notes.append(f"{path.name} cannot be read: {one_line(error)}")
    return {}


def one_line(error: BaseException) -> str:
    return " ".join(str(error).split())[:200]


def as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
