"""Runs from the shell that are killed, damaged and resumed, and how they are looked at."""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path

import run_main

ROOT = Path(__file__).resolve().parents[2]
SAMPLES = ROOT / "data/coding/samples.jsonl"


def environment(logs: Path, **more: str) -> dict[str, str]:
    """Of a run: nothing of the developer's keys, and the logs in a folder of their own."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("OPENAI")}
    dotenv = logs.parent / "empty.env"
    dotenv.touch()
    return clean | {"LOG_DIR": str(logs), "DOTENV_PATH": str(dotenv)} | more


def start(logs: Path, *arguments: str, root: Path = ROOT, **env: str) -> subprocess.Popen[str]:
    """Start ``run_main.py``."""
    return subprocess.Popen(
        [sys.executable, root / "run_main.py", *arguments],
        env=environment(logs, **env),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def main_here(logs: Path, monkeypatch, capsys, *arguments: str, **env: str) -> tuple[int, str]:
    """Call ``run_main`` in this process: (exit code, what it printed). For what starts no run."""
    for name in [name for name in os.environ if name.startswith("OPENAI")]:
        monkeypatch.delenv(name)
    for name, value in environment(logs, **env).items():
        monkeypatch.setenv(name, value)
    code = run_main.main(list(arguments))
    return code, "".join(capsys.readouterr())


def finish(process: subprocess.Popen[str], code: int = 0) -> str:
    """What it printed, once it has ended as it should."""
    output, _ = process.communicate(timeout=300)
    if process.returncode != code:
        raise AssertionError(f"exit code {process.returncode}, expected {code}:\n{output}")
    return output


def calls(folder: Path) -> list[tuple[str, str, int]]:
    """Keys of the answered calls in a run's ledger."""
    path = folder / "ledger.sqlite"
    if not path.exists():
        return []
    query = "SELECT scope_key, request_hash, occurrence FROM calls WHERE status = 'ok'"
    # Read only: another way of closing it would tidy up what a kill left.
    readable = f"{path.as_uri()}?mode=ro"
    with (
        contextlib.suppress(sqlite3.OperationalError),
        closing(sqlite3.connect(readable, uri=True)) as connection,
    ):
        return connection.execute(query).fetchall()
    return []


def wait_for_calls(folder: Path, number: int, process: subprocess.Popen[str]) -> bool:
    """Wait until the ledger holds that many calls; False when the run ended before."""
    while len(calls(folder)) < number:
        if process.poll() is not None:
            return False
        time.sleep(0.02)
    return True


def tree(pid: int) -> list[int]:
    """A process and all it started, the process first."""
    children: dict[int, list[int]] = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            with contextlib.suppress(OSError, IndexError):
                stat = Path(f"/proc/{entry}/stat").read_text()
                children.setdefault(int(stat.rpartition(")")[2].split()[1]), []).append(int(entry))
    found = [pid]
    for one in found:
        found += children.get(one, [])
    return found


def kill(pids: Sequence[int]) -> None:
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def evaluations(pid: int) -> list[int]:
    """The evaluation processes among those that a run started."""
    found = []
    for one in tree(pid):
        with contextlib.suppress(OSError):
            words = Path(f"/proc/{one}/cmdline").read_bytes().split(b"\0")
            if b"launch" in words and b"-m" in words:
                found.append(one)
    return found


def kill_parent(process: subprocess.Popen[str], rng: random.Random) -> None:
    kill([process.pid])


def kill_a_child(process: subprocess.Popen[str], rng: random.Random) -> None:
    """One process of an evaluation: its guard, the evaluation itself, or something in its sandbox."""
    if found := evaluations(process.pid):
        kill([rng.choice(found)])


def kill_everything(process: subprocess.Popen[str], rng: random.Random) -> None:
    kill(tree(process.pid))


def cut_power(process: subprocess.Popen[str], rng: random.Random) -> None:
    """Everything ends at once; ``damage`` does the rest."""
    kill_everything(process, rng)


Kill = Callable[[subprocess.Popen[str], random.Random], None]
KILLS: dict[str, Kill] = {
    "parent": kill_parent,
    "child": kill_a_child,
    "everything": kill_everything,
    "power cut": cut_power,
}


def damage(folder: Path, rng: random.Random) -> list[str]:
    """What a power cut does to the files that were being written: returns what was done, for the record.

    Lines that grow lose a part of their last line or end in what was never written; files that are written anew are
    left half written under their temporary name; a result that was being renamed may be cut; the last pages of the
    ledger's write-ahead log are gone or torn. What had been synced before stays.
    """
    done = []
    lines = [folder / "verdicts.jsonl", *folder.glob("evaluations/*/episodes.jsonl")]
    unfinished = [p for p in lines if p.exists() and not (p.parent / "result.json").exists()]
    for path in unfinished:
        content = path.read_bytes()
        last = content.rstrip(b"\n").rfind(b"\n") + 1
        if path.name == "verdicts.jsonl" and content.endswith(b"\n"):
            evaluation = json.loads(content[last:])[0]
            if (folder / "evaluations" / evaluation / "result.json").exists():
                last = len(content)  # synced before the evaluation could end
        end = rng.randrange(last, len(content) + 1) if content else 0
        tail = rng.choice([b"", b"\0" * 300, b'{"task": "hal\n', b"\0\0\n\0"])
        path.write_bytes(content[:end] + tail)
        done.append(f"{path.relative_to(folder)} cut from {len(content)} to {end} bytes, then {tail[:8]!r}")
    half = folder / f".archive.json.{rng.randrange(9999)}.tmp"
    half.write_bytes(b'{"schema": 1, "rec')
    for path in folder.glob("evaluations/*"):
        if not (path / "result.json").exists() and rng.random() < 0.5:
            (path / "result.json").write_bytes(b'{"status": "o')
            done.append(f"{path.name}/result.json half written")
    wal = folder / "ledger.sqlite-wal"
    if wal.exists() and wal.stat().st_size > 8192:
        size = wal.stat().st_size
        # Every commit is synced, so that a finished evaluation's calls stay; what may be torn came after them.
        ended = max(results(folder).values(), default=0)
        end = size - rng.randrange(1, 8192) if wal.stat().st_mtime_ns > ended else size
        with open(wal, "r+b") as handle:
            if rng.random() < 0.5:
                handle.truncate(end)
            else:
                handle.seek(end)
                handle.write(b"\0" * max(size - end, 4096))
        done.append(f"ledger.sqlite-wal torn at {end} of {size}")
    return done


def results(folder: Path) -> dict[str, int]:
    """When each finished evaluation was finished, in nanoseconds."""
    return {p.parent.name: p.stat().st_mtime_ns for p in folder.glob("evaluations/*/result.json")}
