"""Reads SWE-bench rows: parquet, JSON, JSON lines, or a data set of Hugging Face by its name."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

EXTRA = "pip install -r requirements-swebench.txt"
_DATASET = re.compile(r"[\w.-]+/[\w.-]+(?::[\w.-]+)?")


def read_rows(source: str) -> list[Any]:
    """The rows of a file (by its ending) or of a data set, ``owner/name`` or ``owner/name:split``; not checked yet.

    Raises:
        ValueError: one line: there is nothing of that name, it cannot be read, or a package is missing.
    """
    path = Path(source).expanduser()
    if (
        not path.exists()
        and _DATASET.fullmatch(source)
        and path.suffix not in (".parquet", ".json", ".jsonl")
    ):
        return _dataset(source)
    try:
        if path.suffix == ".parquet":
            return _parquet(path)
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "not UTF-8 text"
        raise ValueError(f"{path}: cannot read the rows: {reason}") from error
    return _json_lines(path, text) if path.suffix != ".json" else _json(path, text)


def _json(path: Path, text: str) -> list[Any]:
    try:
        content = json.loads(text)
    except ValueError:
        return _json_lines(path, text)  # many files of that ending hold lines
    if isinstance(content, dict):
        content = [content] if "instance_id" in content else list(content.values())
    if not isinstance(content, list):
        raise ValueError(f"{path}: must hold a list of rows")
    return content


def _json_lines(path: Path, text: str) -> list[Any]:
    rows = []
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip():
            try:
                rows.append(json.loads(line))
            except ValueError:
                rows.append(f"line {number} is no JSON")
    return rows


def _parquet(path: Path) -> list[Any]:
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError as error:
        raise ValueError(f"{path}: reading parquet needs pyarrow: {EXTRA}") from error
    try:
        return parquet.read_table(path).to_pylist()
    except pyarrow.ArrowException as error:
        raise ValueError(f"{path}: cannot read the rows: {' '.join(str(error).split())[:200]}") from error


def _dataset(name: str) -> list[Any]:
    try:
        import datasets
    except ImportError as error:
        raise ValueError(
            f"{name} is no file; as the name of a Hugging Face data set it needs the package datasets: {EXTRA}"
        ) from error
    name, _, split = name.partition(":")
    try:
        return list(datasets.load_dataset(name, split=split or "test"))
    except Exception as error:  # the package, its network layer and its server have many
        why = " ".join(str(error).split())[:200]
        raise ValueError(
            f"the data set {name} cannot be had ({type(error).__name__}: {why}): is there network? "
            "Or give a file of its rows"
        ) from error
