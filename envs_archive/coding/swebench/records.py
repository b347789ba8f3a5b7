"""Reads what the launcher has told of a run, and words it as the log that the harness would have parsed."""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

# The versions of pytest from which on its summary gives the reason of an XFAIL behind " - ", names the phase of one
# that was not in the test itself ("XFAIL at setup of ..."), and a verbose line gives a reason in brackets.
REASON_ON_ITS_LINE = (7, 2)
PHASE_ON_ITS_LINE = (9, 2)
REASON_WHEN_VERBOSE = (6, 2)


@dataclass
class Orders:
    """What the launcher is told: the submission's files, in which no hook may be registered, and the records' key."""

    changed: Sequence[str] = ()
    key: bytes = field(default_factory=lambda: secrets.token_bytes(32))

    def to_bytes(self) -> bytes:
        return zlib.compress(json.dumps({"changed": list(self.changed), "key": self.key.hex()}).encode())


@dataclass(frozen=True)
class Run:
    """One run of the test command.

    Attributes:
        started: the launcher was there.
        complete: it came to its end; exit code and records agree. Nothing else is believed.
        tampered: the channel, or pytest, was interfered with.
        exit_code: of the test command.
        lines: the log that pytest's summary, or unittest, would have printed.
        tests: pytest's tests in the order in which they ran, and how each ended.
        printed: lines with a status that tests have printed.
        reasons: why tests failed, by their ids.
    """

    started: bool
    complete: bool = False
    tampered: bool = False
    exit_code: int = 0
    lines: tuple[str, ...] = ()
    tests: tuple[tuple[str, str], ...] = ()
    printed: tuple[str, ...] = ()
    reasons: dict[str, str] = field(default_factory=dict)


def read_run(orders: Orders, channel: bytes, exit_code: int | None) -> Run:
    """Judge one run by its records and its exit code."""
    records: list[dict[str, Any]] = []
    for number, line in enumerate(channel.split(b"\n")[:-1]):
        record = _signed(orders.key, number, line)
        if record is None:
            return Run(bool(records), tampered=True)
        records.append(record)
    if not records:
        return Run(False)
    failed = [r for r in records if r["kind"] == "error" or r.get("word") in ("FAILED", "ERROR")]
    reasons = {record["id"]: record["told"] or record["why"] for record in failed}
    if any(record["kind"] == "tampered" for record in records):
        return Run(True, tampered=True, reasons=reasons)
    last = records[-1]
    if last["kind"] != "finish" or not channel.endswith(b"\n") or exit_code != last["code"] & 0xFF:
        return Run(True, reasons=reasons)
    lines = _unittest_lines(records) or _pytest_lines(records)
    tests = tuple((record["id"], record["word"]) for record in records if record["kind"] == "test")
    printed = tuple(record["line"] for record in records if record["kind"] == "printed")
    return Run(True, True, False, last["code"], tuple(lines), tests, printed, reasons)


def _signed(key: bytes, number: int, line: bytes) -> dict[str, Any] | None:
    """The record in a line; None when the signature or the number is wrong."""
    text, _, signature = line.rpartition(b" ")
    expected = hashlib.blake2b(text, key=key, digest_size=32).hexdigest().encode()
    if not hmac.compare_digest(signature, expected):
        return None
    record = json.loads(text)
    return record if record["n"] == number else None


def _unittest_lines(records: Sequence[dict[str, Any]]) -> list[str]:
    text = "".join(record["text"] for record in records if record["kind"] == "unittest")
    return text.split("\n") if text else []


_SUMMARY = ("PASSED", "XFAIL", "XPASS", "ERROR", "FAILED")  # the order of pytest's short summary for -rA
_INTERNAL_ERROR = 3  # exit code after which pytest prints no summary


def _pytest_lines(records: Sequence[dict[str, Any]]) -> list[str]:
    session = next((record for record in records if record["kind"] == "session"), None)
    if session is None:
        return []
    version = tuple(int(part) for part in session["pytest"].split(".")[:2] if part.isdigit())
    tests = [record for record in records if record["kind"] == "test"]
    errors = [{**record, "word": "ERROR"} for record in records if record["kind"] == "error"]
    lines = []
    if session["verbose"] > 0 and session["style"] == "classic":
        lines += [_verbose(record, version) for record in tests]
    for word in _SUMMARY if records[-1]["code"] != _INTERNAL_ERROR else ():
        lines += [_summary(record, version) for record in [*errors, *tests] if record["word"] == word]
    return lines


def _verbose(record: dict[str, Any], version: tuple[int, ...]) -> str:
    reasoned = record["word"] in ("SKIPPED", "XFAIL") and version >= REASON_WHEN_VERBOSE
    return f"{record['id']} {record['word']}" + (
        f" ({record['told']})" if reasoned and record["told"] else ""
    )


def _summary(record: dict[str, Any], version: tuple[int, ...]) -> str:
    reasoned = record["word"] in ("FAILED", "ERROR") or version >= REASON_ON_ITS_LINE
    early = record["word"] == "XFAIL" and record["when"] != "call" and version >= PHASE_ON_ITS_LINE
    test = f"at {record['when']} of {record['id']}" if early else record["id"]
    return f"{record['word']} {test}" + (f" - {record['told']}" if reasoned and record["told"] else "")


def sympy_lines(tests: Sequence[tuple[str, str]]) -> list[str]:
    """What sympy's own runner would print of tests that pytest has run: functions, without their files.

    Behind the last one of a file it prints how the file went, and so the harness never counts that test.
    """
    ends = {"PASSED": "ok", "FAILED": "F", "ERROR": "E"}
    last = {test.partition("::")[0]: number for number, (test, _) in enumerate(tests)}
    lines = []
    for number, (test, word) in enumerate(tests):
        file, _, function = test.partition("::")
        lines.append(f"{function} {ends.get(word, 's')}" + (" [OK]" if number == last[file] else ""))
    failed = [test.partition("::") for test, word in tests if word in ("FAILED", "ERROR")]
    return lines + [f"___ {file}:{function} ___" for file, _, function in failed]
