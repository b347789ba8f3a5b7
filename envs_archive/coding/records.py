"""Reads what the grading plugin has sent, and believes it only where everything agrees."""

from __future__ import annotations

import dataclasses
import hashlib
import hmac
import json
import secrets
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

PHASES = ("setup", "call", "teardown")


@dataclass(frozen=True)
class Run:
    """One pytest process.

    Attributes:
        started: the plugin was there before any code under test.
        complete: it came to its end, and exit code, counts and records agree; otherwise nothing has passed.
        passed: tests of which setup, call and teardown have passed, once each.
        last: the test that was running when an incomplete run ended, if any was.
        tampered: pytest or the channel was interfered with.
        refused: what the submission tried and was refused (stack frames, native memory ...).
    """

    started: bool
    complete: bool
    passed: frozenset[str] = frozenset()
    last: str | None = None
    tampered: bool = False
    refused: frozenset[str] = frozenset()


@dataclass
class Orders:
    """What the plugin is told: which tests, under which limits, and the key for its records.

    Attributes:
        limit: seconds for one test.
        budget: seconds after which no further test is begun.
        changed: relative paths of the submission's files, in which no hook of pytest may be written.
        excused: those that looked at frames, objects or native memory before the submission.
        sources: the trusted test files by relative path, in base64. On the disk they are empty.
        canaries: by test file the name of a test that must fail: whoever makes all tests pass is caught by it.
    """

    ids: Sequence[str]
    limit: float
    budget: float
    changed: Sequence[str] = ()
    excused: Sequence[str] = ()
    sources: Mapping[str, str] = field(default_factory=dict)
    canaries: Mapping[str, str] = field(default_factory=dict)
    key: bytes = field(default_factory=lambda: secrets.token_bytes(32))

    @property
    def all_ids(self) -> list[str]:
        """The wanted tests, then the canaries."""
        return [*self.ids, *(f"{file}::{name}" for file, name in self.canaries.items())]

    def to_bytes(self) -> bytes:
        orders = dataclasses.asdict(self) | {"key": self.key.hex(), "ids": self.all_ids}
        return zlib.compress(json.dumps(orders).encode())


def read_run(orders: Orders, channel: bytes, exit_code: int | None) -> Run:
    """Judge one run by its records and its exit code."""
    phases: dict[int, list[tuple[str, str]]] = {}
    begun: list[int] = []
    errors = 0
    started = False
    refused: set[str] = set()
    ids = orders.all_ids
    finish: tuple[int, int] | None = None
    for number, line in enumerate(channel.split(b"\n")[:-1]):
        words = _signed_words(orders.key, number, line)
        if words is None or finish is not None:
            return Run(started, False, tampered=True)
        match words:
            case ["hello"]:
                started = True
            case ["begin", test]:
                begun.append(int(test))
            case [("setup" | "call" | "teardown" | "extra") as phase, test, outcome]:
                phases.setdefault(int(test), []).append((phase, outcome))
            case ["refused", what]:
                refused.add(what.replace("-", " "))
            case ["error"]:
                errors += 1
            case ["tampered"]:
                return Run(started, False, tampered=True)
            case ["finish", status, run]:
                finish = int(status), int(run)
    last = ids[begun[-1]] if begun else None
    broken = Run(started, False, last=last, refused=frozenset(refused))
    if finish is None or not channel.endswith(b"\n"):
        return broken
    status, run = finish
    wanted = [(phase, "passed") for phase in PHASES]
    passed = {test for test, records in phases.items() if records == wanted and begun.count(test) == 1}
    failed = any(outcome == "failed" for records in phases.values() for _, outcome in records)
    likely = 1 if failed or errors else 0 if begun else 5
    agree = exit_code == status == likely and run == len(begun) and set(phases) == set(begun)
    if not agree:
        return broken
    failing = [("setup", "passed"), ("call", "failed"), ("teardown", "passed")]
    for number, canary in list(enumerate(ids))[len(orders.ids) :]:
        file = canary.partition("::")[0]
        trusted = phases.pop(number, None) == failing
        passed.discard(number)
        if not trusted and any(ids[test].partition("::")[0] == file for test in passed):
            return dataclasses.replace(broken, tampered=True)
    return Run(started, True, frozenset(ids[test] for test in passed), refused=frozenset(refused))


def _signed_words(key: bytes, number: int, line: bytes) -> list[str] | None:
    """The record in a line without its number; None when the signature or the number is wrong."""
    text, _, signature = line.rpartition(b" ")
    expected = hashlib.blake2b(text, key=key, digest_size=32).hexdigest().encode()
    words = text.decode("ascii", "replace").split(" ")
    if not hmac.compare_digest(signature, expected) or words[0] != str(number):
        return None
    return words[1:]
