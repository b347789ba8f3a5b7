"""What the sandbox costs: run as ``python -m tests.bench.sandbox_overhead [--n 100] [--sandbox bwrap|process]``.

Prints n, median and 95th percentile in milliseconds; exits with 1 when a target is missed.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from evals.utils.sandbox import CommandResult, SandboxKind, clean_env, probe
from evals.utils.session import Session

TESTS = "\n".join(f"def test_{name}():\n    assert {name!r}.upper() != {name!r}\n" for name in "abc")


async def timed(n: int, action: Callable[[], Awaitable[object]]) -> list[float]:
    taken = []
    for _ in range(n):
        begun = time.perf_counter()
        await action()
        taken.append((time.perf_counter() - begun) * 1000)
    return taken


def show(name: str, taken: list[float], target: float | None = None, base: float = 0.0) -> bool:
    """Print one line; whether the median, less ``base``, keeps within the target."""
    median, p95 = statistics.median(taken), sorted(taken)[int(0.95 * (len(taken) - 1))]
    met = target is None or median - base <= target
    note = (
        ""
        if target is None
        else f"  target {target:g} ms{' over bare' if base else ''}: {'ok' if met else 'MISSED'}"
    )
    print(f"{name:<34} n={len(taken):<4} median {median:7.1f} ms  p95 {p95:7.1f} ms{note}")
    return met


async def bare_command(argv: list[str], folder: Path) -> None:
    process = await asyncio.create_subprocess_exec(
        *argv, cwd=folder, env=clean_env({}), stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    await process.communicate()


def checked(result: CommandResult) -> None:
    if result.exit_code != 0:
        raise SystemExit(f"a command failed: {result}")


async def measure(kind: SandboxKind, n: int, folder: Path) -> bool:
    (folder / "test_three.py").write_text(TESTS)
    print(kind.note)
    bare = await timed(n, lambda: bare_command(["sh", "-c", "true"], folder))
    show("bare subprocess: true", bare)
    bare_pytest = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    show(
        "bare subprocess: pytest, 3 tests",
        await timed(max(3, n // 10), lambda: bare_command(bare_pytest, folder)),
    )

    async def start() -> None:
        async with Session(kind, folder) as session:
            await session.start()

    async def first() -> None:
        async with Session(kind, folder) as session:
            checked(await session.run("python -m pytest -q -p no:cacheprovider"))

    async with Session(kind, folder) as session:

        async def command(text: str) -> None:
            checked(await session.run(text))

        await command("python -m pytest -q -p no:cacheprovider")
        met = [
            show("session: true", await timed(n, lambda: command("true")), 15, statistics.median(bare)),
            show(
                "session: warm pytest, 3 tests",
                await timed(max(3, n // 2), lambda: command("python -m pytest -q -p no:cacheprovider")),
                120,
            ),
        ]
    met.append(show("session: start and close", await timed(max(3, n // 5), start), 400))
    show("session: start, cold pytest, close", await timed(max(3, n // 10), first))
    return all(met)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--n", type=int, default=100)
    parser.add_argument("--sandbox", default="auto", choices=["auto", "bwrap", "process"])
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        met = asyncio.run(measure(probe(arguments.sandbox), arguments.n, Path(folder)))
    sys.exit(not met)


if __name__ == "__main__":
    main()
