"""``--pack``: a finished run as one file that others can replay, without keys and without this machine's paths."""

from __future__ import annotations

import gzip
import io
import json
import os
import re
import sqlite3
import tarfile
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import quote

import orjson

from core.gateway.ledger import calls_in, create_ledger, read_only
from core.gateway.places import Places
from core.gateway.stored_request import disassemble, request_hash
from core.options import UsageError
from core.run import state_of
from evals.contract import write_atomic

KEY = "{key}"
FILES = (
    "options.json",
    "summary.json",
    "archive.json",
    "searches/*/archive.json",
    "searches/*/examples/*.json",
    "test_split.json",
    "pairs.csv",
    "stream.csv",
    "verdicts.jsonl",
    "examples/*.json",
    "evaluations/*/spec.json",
    "evaluations/*/result.json",
    "evaluations/*/episodes.jsonl",
    "inputs/**/*",
    "bases/**/*",
)
_SECRET_NAME = re.compile(r"KEY|TOKEN|SECRET|PASSW|CREDENTIAL", re.IGNORECASE)
_SHORTEST_SECRET = 8
_KEY_SHAPES = re.compile(
    rb"(?<![A-Za-z0-9])(?:"
    rb"sk-[A-Za-z0-9_-]{20,}"  # OpenAI, Anthropic and many that copy them
    rb"|gh[pousr]_[A-Za-z0-9]{30,}|github_pat_[A-Za-z0-9_]{30,}"
    rb"|hf_[A-Za-z0-9]{30,}|AKIA[0-9A-Z]{16}|AIza[A-Za-z0-9_-]{35}|xox[abeprs]-[A-Za-z0-9-]{10,}"
    rb"|eyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}"
    rb"|-----BEGIN [A-Z ]*PRIVATE KEY-----.{1,10000}?-----END [A-Z ]*PRIVATE KEY-----"
    rb")",
    re.DOTALL,
)


class Scrubber:
    """Takes keys and paths out of bytes.

    Keys are the values of environment variables that are named like one, and whatever has the shape of a known kind.
    """

    def __init__(self, places: Places, environment: Mapping[str, str] = os.environ) -> None:
        values = {
            value.strip()
            for name, value in environment.items()
            if _SECRET_NAME.search(name) and len(value.strip()) >= _SHORTEST_SECRET
        }
        forms = {form for value in values for form in (value, json.dumps(value)[1:-1], quote(value, safe=""))}
        self._secrets = [form.encode() for form in sorted(forms, key=len, reverse=True)]
        self._places = places

    def __call__(self, data: bytes) -> bytes:
        for secret in self._secrets:
            data = data.replace(secret, KEY.encode())
        return self._places.named(_KEY_SHAPES.sub(KEY.encode(), data))

    def text(self, text: str | None) -> str | None:
        """The same for text."""
        return None if text is None else self(text.encode()).decode()

    def check(self, data: bytes, name: str) -> None:
        """Raise UsageError when something is left all the same."""
        if self(data) != data:
            raise UsageError(f"{name} cannot be packed: a key or a path of this machine would be left in it")


def pack(folder: Path) -> Path:
    """Write ``<folder>.tar.gz``; returns its path. The same run gives the same bytes.

    Raises:
        UsageError: the run is not finished, or cannot be packed.
    """
    state = state_of(folder)
    if state != "done" or not (folder / "inputs" / "tasks.jsonl").exists():
        raise UsageError(f"{folder} is {state}: only a finished run can be packed")
    places = Places(folder)
    scrub = Scrubber(places)
    buffer = io.BytesIO()
    with (
        gzip.GzipFile(fileobj=buffer, mode="wb", mtime=0) as packed,
        tarfile.open(fileobj=packed, mode="w") as tar,
    ):
        for name, content, mode in _members(folder, scrub, places):
            entry = tarfile.TarInfo(f"{folder.name}/{name}")
            entry.mode = mode
            if isinstance(content, str):
                entry.type, entry.linkname = tarfile.SYMTYPE, content
                tar.addfile(entry)
                continue
            scrub.check(content, name)
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
    target = folder.with_name(f"{folder.name}.tar.gz")
    write_atomic(target, buffer.getvalue())
    return target


def _members(folder: Path, scrub: Scrubber, places: Places) -> Iterator[tuple[str, bytes | str, int]]:
    """(name, content or target of a link, mode) of every file, scrubbed, in a fixed order."""
    for path in sorted({path for pattern in FILES for path in folder.glob(pattern)}):
        name = str(path.relative_to(folder))
        if path.is_symlink():
            yield name, os.readlink(path), 0o777
        elif path.is_file() and not (name.startswith("bases/") and name.split("/")[2] == ".git"):
            content = _options(path) if name == "options.json" else path.read_bytes()
            yield name, scrub(content), 0o755 if path.stat().st_mode & 0o100 else 0o644
    yield "ledger.sqlite", _ledger(folder / "ledger.sqlite", scrub, places), 0o644


def _options(path: Path) -> bytes:
    """The options with the run's own files in place of those it was begun with."""
    options = json.loads(path.read_bytes())
    options["tasks"] = "inputs/tasks.jsonl"
    if options["history_ckpt_path"] is not None:
        options["history_ckpt_path"] = "inputs/history/archive.json"
    return orjson.dumps(options, option=orjson.OPT_INDENT_2)


def _ledger(path: Path, scrub: Scrubber, places: Places) -> bytes:
    """A new ledger with every call, its request hashed as it now is: that is what a replay will ask."""

    def scrubbed(value: Any) -> Any:
        return (
            scrub(value)
            if isinstance(value, bytes)
            else scrub.text(value)
            if isinstance(value, str)
            else value
        )

    try:
        with tempfile.TemporaryDirectory() as scratch:
            target = Path(scratch) / "ledger.sqlite"
            with (
                closing(read_only(path)) as old,
                closing(create_ledger(target)) as new,
            ):
                old.row_factory = sqlite3.Row
                new.execute("BEGIN")
                rows = old.execute("SELECT * FROM calls ORDER BY id")
                for row, call in zip(rows, calls_in(path), strict=True):
                    request = orjson.loads(scrub(orjson.dumps(call.request)))
                    frame, parts = disassemble(request)
                    values = {name: scrubbed(row[name]) for name in row.keys()}  # noqa: SIM118 - rows iterate values
                    values |= {"request": frame, "request_hash": request_hash(request, places)}
                    names, marks = ", ".join(values), ", ".join("?" * len(values))
                    new.executemany("INSERT OR IGNORE INTO parts VALUES (?, ?)", parts.items())
                    new.execute(f"INSERT INTO calls ({names}) VALUES ({marks})", tuple(values.values()))
                new.execute("COMMIT")
                new.execute("PRAGMA journal_mode=DELETE")
            return target.read_bytes()
    except sqlite3.Error as error:
        raise UsageError(f"{path} cannot be read: {error}") from error
