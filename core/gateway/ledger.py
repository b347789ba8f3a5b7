"""The ledger: every model call of a run, in ``logs/<run>/ledger.sqlite``.

A row is on disk before its response is handed on: whatever a process saw, the ledger knows. One writer thread
commits everything that is waiting in one transaction, so a sync to disk is shared by all calls in flight.

Key of a call: (``scope_key``, ``request_hash``, ``occurrence``). The scope key leaves out the run, so that
another run can find the call again; the occurrence numbers equal requests within one scope, as they arrive.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import queue
import sqlite3
import threading
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from core.gateway.prices import AS_OF
from core.gateway.provider import Tokens

_SCHEMA = """
CREATE TABLE IF NOT EXISTS calls (
    id INTEGER PRIMARY KEY,
    time REAL NOT NULL,
    scope_key TEXT NOT NULL,
    request_hash TEXT NOT NULL,
    occurrence INTEGER NOT NULL,
    run TEXT, evaluation TEXT, design TEXT, phase TEXT, task TEXT, repeat INTEGER,
    purpose TEXT NOT NULL,
    model TEXT NOT NULL,
    provider TEXT NOT NULL,
    prompt_tokens INTEGER NOT NULL,
    completion_tokens INTEGER NOT NULL,
    cached_tokens INTEGER NOT NULL,
    reasoning_tokens INTEGER NOT NULL,
    usd REAL,
    latency_s REAL NOT NULL,
    retries INTEGER NOT NULL,
    status TEXT NOT NULL,
    response BLOB NOT NULL
);
CREATE INDEX IF NOT EXISTS calls_key ON calls (scope_key, request_hash, occurrence);
"""
_SCOPE_COLUMNS = ("run", "evaluation", "design", "phase", "task", "repeat")
_INSERT = f"""
INSERT INTO calls (time, scope_key, request_hash, occurrence, {", ".join(_SCOPE_COLUMNS)},
    purpose, model, provider, prompt_tokens, completion_tokens, cached_tokens, reasoning_tokens,
    usd, latency_s, retries, status, response)
VALUES ({", ".join("?" * 22)})
"""
_GROUPS = frozenset({"run", "evaluation", "design", "phase", "task", "purpose", "model", "provider"})


def request_hash(request: dict[str, Any]) -> str:
    """SHA-256 of the request's canonical JSON: equal requests hash alike, whatever the order of keys."""
    return hashlib.sha256(orjson.dumps(request, option=orjson.OPT_SORT_KEYS)).hexdigest()


def scope_key(scope: dict[str, Any], purpose: str) -> str:
    """Canonical text of who asked and what for, without the run."""
    named = {name: value for name, value in scope.items() if name != "run"}
    return json.dumps({**named, "purpose": purpose}, sort_keys=True, separators=(",", ":"))


@dataclass(frozen=True)
class CallKey:
    """Identity of a call, taken when it arrives."""

    scope_key: str
    request_hash: str
    occurrence: int


@dataclass(frozen=True)
class CallRecord:
    """One finished call. ``status`` is ``ok`` or ``error <HTTP status>``; ``usd`` is None when unknown."""

    key: CallKey
    scope: dict[str, Any]
    purpose: str
    model: str
    provider: str
    tokens: Tokens
    usd: float | None
    latency_s: float
    retries: int
    status: str
    response: bytes

    def row(self) -> tuple[Any, ...]:
        repeat = self.scope.get("repeat")
        return (
            time.time(),
            self.key.scope_key,
            self.key.request_hash,
            self.key.occurrence,
            *(_text(self.scope.get(name)) for name in _SCOPE_COLUMNS[:-1]),
            repeat if isinstance(repeat, int) else None,
            self.purpose,
            self.model,
            self.provider,
            self.tokens.prompt,
            self.tokens.completion,
            self.tokens.cached,
            self.tokens.reasoning,
            self.usd,
            self.latency_s,
            self.retries,
            self.status,
            self.response,
        )


def _text(value: Any) -> str | None:
    return None if value is None else str(value)


class Ledger:
    """Writes calls to ``path``. Used from one event loop; the file may be read by others at any time."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._seen: Counter[tuple[str, str]] = Counter()
        self._waiting: queue.SimpleQueue[tuple[CallRecord, asyncio.Future[None]] | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None

    def open(self) -> None:
        """Create or open the file and start the writer.

        Raises:
            sqlite3.Error: the file cannot be used.
        """
        connection = sqlite3.connect(self.path, check_same_thread=False, isolation_level=None)
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")
        connection.executescript(_SCHEMA)
        loop = asyncio.get_running_loop()
        self._thread = threading.Thread(
            target=self._write, args=(connection, loop), name="ledger", daemon=True
        )
        self._thread.start()

    def key(self, scope: dict[str, Any], purpose: str, request: dict[str, Any]) -> CallKey:
        """The key of a call that arrives now. Equal calls of one scope are counted from 0."""
        key = (scope_key(scope, purpose), request_hash(request))
        occurrence = self._seen[key]
        self._seen[key] += 1
        return CallKey(*key, occurrence)

    async def record(self, record: CallRecord) -> None:
        """Return when the row is on disk.

        Raises:
            sqlite3.Error: it could not be written (disk full).
        """
        written = asyncio.get_running_loop().create_future()
        self._waiting.put((record, written))
        await written

    async def close(self) -> None:
        """Write what is waiting and close the file."""
        if self._thread is not None:
            self._waiting.put(None)
            await asyncio.to_thread(self._thread.join)
            self._thread = None

    def _write(self, connection: sqlite3.Connection, loop: asyncio.AbstractEventLoop) -> None:
        with closing(connection):
            last = False
            while not last:
                batch = [self._waiting.get()]
                while not self._waiting.empty():
                    batch.append(self._waiting.get())
                last = None in batch
                entries = [entry for entry in batch if entry is not None]
                if entries:
                    fault = self._commit(connection, [record.row() for record, _ in entries])
                    loop.call_soon_threadsafe(_settle, [future for _, future in entries], fault)

    @staticmethod
    def _commit(connection: sqlite3.Connection, rows: list[tuple[Any, ...]]) -> sqlite3.Error | None:
        try:
            connection.execute("BEGIN IMMEDIATE")
            connection.executemany(_INSERT, rows)
            connection.execute("COMMIT")
        except sqlite3.Error as error:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            return error
        return None


def _settle(futures: list[asyncio.Future[None]], fault: sqlite3.Error | None) -> None:
    for future in futures:
        if future.done():
            continue
        if fault is None:
            future.set_result(None)
        else:
            future.set_exception(fault)


@dataclass(frozen=True)
class Totals:
    """Sums over a group of calls.

    Attributes:
        group: the values of the columns asked for.
        usd: the cost of the calls whose price is known.
        unpriced: models of which it is not.
    """

    group: tuple[str | None, ...]
    calls: int
    failed: int
    prompt_tokens: int
    completion_tokens: int
    cached_tokens: int
    reasoning_tokens: int
    usd: float
    unpriced: tuple[str, ...]

    def cost_note(self) -> str:
        """The cost as a line for people; says which models are not in it."""
        line = f"{self.usd:.4f} USD (list prices as of {AS_OF})"
        if self.unpriced:
            line += f", cost unknown for model {', '.join(self.unpriced)}"
        return line


def totals(path: Path, *by: str) -> list[Totals]:
    """Sums over the ledger at ``path``, one per value of the columns ``by``; with none, one over everything.

    Args:
        by: of run, evaluation, design, phase, task, purpose, model, provider.

    Raises:
        ValueError: an unknown column.
        sqlite3.Error: the file cannot be read.
    """
    unknown = [name for name in by if name not in _GROUPS]
    if unknown:
        raise ValueError(f"no such ledger column: {', '.join(unknown)}")
    query = f"""
        SELECT COUNT(*), COALESCE(SUM(status != 'ok'), 0),
            COALESCE(SUM(prompt_tokens), 0), COALESCE(SUM(completion_tokens), 0),
            COALESCE(SUM(cached_tokens), 0), COALESCE(SUM(reasoning_tokens), 0),
            COALESCE(SUM(usd), 0.0), GROUP_CONCAT(DISTINCT CASE WHEN usd IS NULL THEN model END)
            {"".join(f", {name}" for name in by)}
        FROM calls {"GROUP BY " + ", ".join(by) + " ORDER BY " + ", ".join(by) if by else ""}
    """
    with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as connection:
        return [_totals(row) for row in connection.execute(query)]


def _totals(row: Sequence[Any]) -> Totals:
    calls, failed, prompt, completion, cached, reasoning, usd, unpriced = row[:8]
    models = tuple(sorted(unpriced.split(","))) if unpriced else ()
    return Totals(tuple(row[8:]), calls, failed, prompt, completion, cached, reasoning, usd, models)
