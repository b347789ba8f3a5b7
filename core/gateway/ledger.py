"""The ledger: every model call of a run, in ``logs/<run>/ledger.sqlite``.

A row is on disk before its response is handed on: whatever a process saw, the ledger knows. One writer thread
commits everything that is waiting in one transaction, so a sync to disk is shared by all calls in flight.

Key of a call: (``scope_key``, ``request_hash``, ``occurrence``). The scope key leaves out the run, so that
another run can find the call again; the occurrence numbers equal requests within one scope, in the order in which
their process made them. By its key a call is found again after an interruption, and in a replay.
"""

from __future__ import annotations

import asyncio
import json
import queue
import sqlite3
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.gateway.prices import AS_OF
from core.gateway.provider import Tokens
from core.gateway.stored_request import assemble, disassemble

SCHEMA = 2
_SCHEMA = f"""
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
    request BLOB NOT NULL,
    response BLOB NOT NULL
);
CREATE INDEX IF NOT EXISTS calls_key ON calls (request_hash, occurrence);
CREATE TABLE IF NOT EXISTS parts (hash BLOB PRIMARY KEY, body BLOB NOT NULL) WITHOUT ROWID;
PRAGMA user_version = {SCHEMA};
"""
_SCOPE_COLUMNS = ("run", "evaluation", "design", "phase", "task", "repeat")
_INSERT = f"""
INSERT INTO calls (time, scope_key, request_hash, occurrence, {", ".join(_SCOPE_COLUMNS)},
    purpose, model, provider, prompt_tokens, completion_tokens, cached_tokens, reasoning_tokens,
    usd, latency_s, retries, status, request, response)
VALUES ({", ".join("?" * 23)})
"""
_FIND = """
SELECT id, status, response, prompt_tokens, completion_tokens FROM calls
WHERE request_hash = ? AND occurrence = ? AND scope_key = ? ORDER BY status = 'ok' DESC, id DESC LIMIT 1
"""
_KNOWN_PARTS = 50_000
OK, OUTAGE = "ok", "error 503"
_GROUPS = frozenset({*_SCOPE_COLUMNS, "purpose", "model", "provider"})


def scope_key(scope: dict[str, Any], purpose: str) -> str:
    """Canonical text of who asked and what for, without the run."""
    named = {name: value for name, value in scope.items() if name != "run"}
    return json.dumps({**named, "purpose": purpose}, sort_keys=True, separators=(",", ":"))


@dataclass(frozen=True)
class CallKey:
    """Identity of a call."""

    scope_key: str
    request_hash: str
    occurrence: int


@dataclass(frozen=True)
class Entry:
    """What the ledger knows of a call. ``status`` is ``ok`` or ``error <HTTP status>``."""

    id: int
    status: str
    response: bytes
    prompt_tokens: int
    completion_tokens: int


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
    request: dict[str, Any]
    response: bytes

    def row(self, frame: bytes) -> tuple[Any, ...]:
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
            frame,
            self.response,
        )


def _text(value: Any) -> str | None:
    return None if value is None else str(value)


class Ledger:
    """The calls in ``path``. Used from one event loop; the file may be read by others at any time."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._waiting: queue.SimpleQueue[tuple[CallRecord, asyncio.Future[None]] | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._reading: sqlite3.Connection | None = None
        self._known_parts: set[bytes] = set()

    def open(self) -> None:
        """Create or open the file and start the writer.

        Raises:
            sqlite3.Error: the file is damaged, of another version, or cannot be used.
        """
        connection = create_ledger(self.path)
        try:
            self._reading = sqlite3.connect(self.path, isolation_level=None)
        except BaseException:
            connection.close()
            raise
        loop = asyncio.get_running_loop()
        self._thread = threading.Thread(
            target=self._write, args=(connection, loop), name="ledger", daemon=True
        )
        self._thread.start()

    def find(self, key: CallKey) -> Entry | None:
        """The call with this key; of several tries the one that was answered, else the last.

        Raises:
            sqlite3.Error: the file cannot be read.
        """
        row = self._reading.execute(_FIND, (key.request_hash, key.occurrence, key.scope_key)).fetchone()
        return None if row is None else Entry(*row)

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
        if self._reading is not None:
            self._reading.close()
            self._reading = None
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
                    fault = self._commit(connection, [record for record, _ in entries])
                    loop.call_soon_threadsafe(_settle, [future for _, future in entries], fault)

    def _commit(self, connection: sqlite3.Connection, records: list[CallRecord]) -> sqlite3.Error | None:
        rows, parts = [], {}
        for record in records:
            frame, own = disassemble(record.request)
            rows.append(record.row(frame))
            parts |= {digest: own[digest] for digest in own.keys() - self._known_parts}
        try:
            connection.execute("BEGIN IMMEDIATE")
            connection.executemany("INSERT OR IGNORE INTO parts VALUES (?, ?)", parts.items())
            connection.executemany(_INSERT, rows)
            connection.execute("COMMIT")
        except sqlite3.Error as error:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            return error
        if len(self._known_parts) > _KNOWN_PARTS:
            self._known_parts.clear()
        self._known_parts |= parts.keys()
        return None


def create_ledger(path: Path) -> sqlite3.Connection:
    """Create a ledger, or open the one that is there, to write.

    Raises:
        sqlite3.Error: it is damaged, of another version, or cannot be used.
    """
    connection = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
    try:
        _check(connection)
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")
        connection.executescript(_SCHEMA)
    except BaseException:
        connection.close()
        raise
    return connection


def _check(connection: sqlite3.Connection) -> None:
    """Raise for a file that is no whole ledger of this version; an empty one is."""
    if not connection.execute("SELECT COUNT(*) FROM sqlite_master").fetchone()[0]:
        return
    [version] = connection.execute("PRAGMA user_version").fetchone()
    if version != SCHEMA:
        raise sqlite3.DatabaseError(f"schema {version}, expected {SCHEMA}: made by another version")
    [verdict] = connection.execute("PRAGMA quick_check(1)").fetchone()
    if verdict != "ok":
        raise sqlite3.DatabaseError(" ".join(verdict.split()))


@dataclass(frozen=True)
class RecordedCall:
    """A call as it stands in the ledger, with its request."""

    id: int
    scope_key: str
    request_hash: str
    occurrence: int
    status: str
    request: dict[str, Any]


def calls_in(path: Path, scope_key: str | None = None) -> Iterator[RecordedCall]:
    """The calls of a ledger in the order in which they were entered; of one scope when one is given.

    Raises:
        sqlite3.Error: the file cannot be read.
    """
    where, arguments = ("WHERE scope_key = ?", (scope_key,)) if scope_key is not None else ("", ())
    with closing(read_only(path)) as connection:

        def part(digest: bytes) -> bytes:
            return connection.execute("SELECT body FROM parts WHERE hash = ?", (digest,)).fetchone()[0]

        columns = "id, scope_key, request_hash, occurrence, status, request"
        for *fields, frame in connection.execute(
            f"SELECT {columns} FROM calls {where} ORDER BY id", arguments
        ):
            yield RecordedCall(*fields, assemble(frame, part))


def read_only(path: Path) -> sqlite3.Connection:
    """Open a ledger to read, and leave its files as they are."""
    return sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)


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
        calls: those that were answered; ``failed`` are the others.
        retries: further tries that calls took.
        usd: the cost of the calls whose price is known.
        unpriced: models of which it is not.
    """

    group: tuple[str | None, ...]
    calls: int
    failed: int
    retries: int
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
        by: of run, evaluation, design, phase, task, repeat, purpose, model, provider.

    Raises:
        ValueError: an unknown column.
        sqlite3.Error: the file cannot be read.
    """
    unknown = [name for name in by if name not in _GROUPS]
    if unknown:
        raise ValueError(f"no such ledger column: {', '.join(unknown)}")
    query = f"""
        SELECT COALESCE(SUM(status = 'ok'), 0), COALESCE(SUM(status != 'ok'), 0), COALESCE(SUM(retries), 0),
            COALESCE(SUM(prompt_tokens), 0), COALESCE(SUM(completion_tokens), 0),
            COALESCE(SUM(cached_tokens), 0), COALESCE(SUM(reasoning_tokens), 0),
            COALESCE(SUM(usd), 0.0), GROUP_CONCAT(DISTINCT CASE WHEN usd IS NULL THEN model END)
            {"".join(f", {name}" for name in by)}
        FROM calls {"GROUP BY " + ", ".join(by) + " ORDER BY " + ", ".join(by) if by else ""}
    """
    with closing(read_only(path)) as connection:
        return [_totals(row) for row in connection.execute(query)]


def _totals(row: Sequence[Any]) -> Totals:
    *sums, unpriced = row[:9]
    models = tuple(sorted(unpriced.split(","))) if unpriced else ()
    return Totals(tuple(row[9:]), *sums, models)
