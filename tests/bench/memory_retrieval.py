"""How the designs grow: retrieval time, size of what they hand out, and how long updates hold the event loop.

    python -m tests.bench.memory_retrieval [--sizes 100 1000 10000] [--designs ace g_memory ...]

Each design learns from synthetic episodes in this process. The model is left out: a curator that answers at once and
adds one line or one object per task stands in for it, and embeddings are sums of random word vectors, as long as
those of the offline model. What is measured is therefore the design's own work and Chroma's. At each size the last 50
updates are made one by one, and a probe that wakes every millisecond gives the longest stall of the event loop during
them; what is written to Chroma before that is collected and written at once, which takes a tenth of the time. Then 30
queries that were not asked before give the median retrieval. Times are CPU times of the process, so that they hold on
a busy machine too; stalls are given as wall time and as CPU time of the loop's own thread.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import inspect
import json
import random
import re
import statistics
import sys
import time
import zlib
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from core.gateway.offline.embedding import DIMENSIONS
from evals.agents.memo_structure import MemoStructure
from evals.eval_envs.base_envs import Basic_Recorder
from evals.launch import AliasFinder, load_design
from evals.utils import gateway_client
from evals.utils.langchain_chroma import Chroma
from evals.workflows.memory_calls import render

BASELINES = Path(__file__).parents[2] / "memo_archive" / "baseline"
QUERIES, PROBED = 30, 50
CURATED_CHARACTERS = 12_000
WORDS = re.findall(
    r"\w+",
    "cache key value limit page total date index header token graph node queue retry cookie path unit range slice "
    "merge label round title owner stack order price field query route event shape angle matrix vector median",
)
_DOCUMENT = re.compile(r"<(document|cheatsheet)>\n(.*)\n</\1>", re.DOTALL)


@lru_cache(maxsize=100_000)
def word_vector(word: str) -> np.ndarray:
    return np.random.default_rng(zlib.crc32(word.encode())).normal(size=DIMENSIONS)


def vector(text: str) -> list[float]:
    """Texts with the same words are close; a thousand times cheaper than any model."""
    total = sum((word_vector(word) for word in text.split()[:200]), np.zeros(DIMENSIONS))
    return (total / (np.linalg.norm(total) or 1.0)).tolist()


class Curator:
    """Answers every request of a design at once."""

    def __init__(self) -> None:
        self.calls = 0

    def chat(self, body: dict[str, Any]) -> str:
        self.calls += 1
        schema = body.get("response_format", {}).get("json_schema", {}).get("schema")
        asked = body["messages"][-1]["content"]
        found = _DOCUMENT.search(asked)
        document = "" if found is None or found[2] == "(empty)" else found[2]
        lesson = f"- In `pkg/m{self.calls}.py` `f{self.calls}`: fixed by changing `a{self.calls}` to `b`"
        document = f"{document}\n{lesson}".strip()
        if len(document) > CURATED_CHARACTERS:
            document = document[-CURATED_CHARACTERS:].partition("\n")[2]
        if schema is None:
            return f"<cheatsheet>\n{document}\n</cheatsheet>" if "<cheatsheet>" in asked else document
        return json.dumps(self.fill(schema, document if found else lesson))

    def fill(self, schema: dict[str, Any], text: str) -> Any:
        if "enum" in schema:
            return schema["enum"][0 if self.calls % 3 else max(0, len(schema["enum"]) - 2)]
        match schema.get("type"):
            case "object":
                return {name: self.fill(part, text) for name, part in schema["properties"].items()}
            case "array":
                return [self.fill(schema["items"], text)]
            case "integer":
                return self.calls // 2
            case _:
                return text

    async def request(self, path: str, body: dict[str, Any], purpose: str) -> dict[str, Any]:
        await asyncio.sleep(0)
        return self.answer(path, body)

    def answer(self, path: str, body: dict[str, Any], purpose: str = "") -> dict[str, Any]:
        if path == "/embeddings":
            return {"data": [{"index": i, "embedding": vector(t)} for i, t in enumerate(body["input"])]}
        return {"choices": [{"message": {"content": self.chat(body)}, "finish_reason": "stop"}]}


def episode(number: int, rng: random.Random) -> Basic_Recorder:
    words = rng.sample(WORDS, 12)
    before, after = f"{words[0]} = {words[1]}", f"{words[0]} = {words[1]}.{words[2]}()"
    path = f"pkg/{words[3]}.py"
    steps = [
        {
            "step": 1,
            "action": {"action": "run_command", "command": "python -m pytest -q"},
            "observation": f"[1/30] run_command: exit code 1\nFAILED tests/test_a.py::test_{words[5]}\n1 failed",
        },
        {
            "step": 2,
            "action": {"action": "edit_file", "path": path, "old": before, "new": after},
            "observation": f"[2/30] edit_file {path}: replaced 1 occurrence at line 4",
        },
        {
            "step": 3,
            "action": {"action": "run_command", "command": "python -m pytest -q"},
            "observation": "[3/30] run_command: exit code 0\n9 passed in 0.10s",
        },
    ]
    init = {
        "project": f"project{number % 6}",
        "problem_statement": f"{' '.join(words)} is wrong in case {number}",
        "files": [path],
        "test_command": "python -m pytest -q",
    }
    return Basic_Recorder(init, steps, 1.0 if rng.random() < 0.6 else 0.6)


def new(name: str) -> MemoStructure:
    design = load_design(BASELINES / f"memo_structure_{name}.py")
    wraps = "inner" in inspect.signature(design).parameters
    return design(load_design(BASELINES / "memo_structure_claude_md.py")) if wraps else design()


class Probe:
    """How long the event loop was held each time, in seconds: wall time, CPU time of its thread."""

    def __init__(self) -> None:
        self.stalls: list[tuple[float, float]] = []

    async def __aenter__(self) -> Probe:
        self._task = asyncio.create_task(self._run())
        return self

    async def __aexit__(self, *error: object) -> None:
        self._task.cancel()

    async def _run(self) -> None:
        while True:
            wall, cpu = time.perf_counter(), time.thread_time()
            await asyncio.sleep(0.001)
            self.stalls.append((time.perf_counter() - wall - 0.001, time.thread_time() - cpu))


@contextlib.contextmanager
def collected_writes() -> Iterator[None]:
    """What is written to Chroma inside is written at the end, store by store."""
    store = Chroma._store
    waiting: dict[int, tuple[Chroma, dict[str, tuple[Any, ...]]]] = {}

    def collect(self: Chroma, ids: list[str], *columns: list[Any]) -> None:
        rows = waiting.setdefault(id(self), (self, {}))[1]
        rows.update(zip(ids, zip(*columns, strict=True), strict=True))

    Chroma._store = collect
    try:
        yield
    finally:
        Chroma._store = store
        for chroma, rows in waiting.values():
            store(chroma, list(rows), *map(list, zip(*rows.values(), strict=True)))


async def measure(name: str, sizes: list[int]) -> tuple[list[float], int, list[float], float]:
    """(median retrieval in ms at each size, most characters handed out, longest stalls in ms, update in ms)."""
    memory, rng = new(name), random.Random(1)
    medians, longest_text, stalls, learned, spent = [], 0, [], 0, 0.0
    for size in sizes:
        with collected_writes():
            while learned < size - PROBED:
                await memory.general_update(episode(learned, rng))
                learned += 1
        async with Probe() as probe:
            started = time.process_time()
            while learned < size:
                await memory.general_update(episode(learned, rng))
                await asyncio.sleep(0)  # a design that never waits must let the probe in, too
                learned += 1
            spent += time.process_time() - started
        stalls += probe.stalls
        times = []
        for query in range(QUERIES):
            asked = Basic_Recorder(episode(10**6 + size * 100 + query, rng).init)
            started = time.process_time()
            text = render(await memory.general_retrieve(asked))
            times.append(time.process_time() - started)
            longest_text = max(longest_text, len(text))
        medians.append(1000 * statistics.median(times))
    held = [1000 * max(kind) for kind in zip(*stalls, strict=True)]
    return medians, longest_text, held, 1000 * spent / (PROBED * len(sizes))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sizes", type=int, nargs="+", default=[100, 1_000, 10_000])
    every = sorted(path.stem.removeprefix("memo_structure_") for path in BASELINES.glob("*.py"))
    parser.add_argument("--designs", nargs="+", default=every, choices=every)
    options = parser.parse_args()
    sys.meta_path.insert(0, AliasFinder())
    table = Table(title="retrieval by number of stored episodes (median of 30, ms)", title_justify="left")
    for column in (
        "design",
        *map(str, options.sizes),
        "growth",
        "most characters",
        "longest stall ms",
        "update ms",
    ):
        table.add_column(column, justify="left" if column == "design" else "right")
    for name in options.designs:
        curator = Curator()
        gateway_client.request, gateway_client.request_blocking = curator.request, curator.answer
        medians, characters, stall, update = asyncio.run(measure(name, sorted(options.sizes)))
        growth = medians[-1] / medians[0] if medians[0] > 0 else 1.0
        row = [
            name,
            *(f"{m:.2f}" for m in medians),
            f"{growth:.1f}",
            f"{characters:,}",
            *(f"{s:.0f}" for s in stall),
        ]
        table.add_row(*row, f"{update:.1f}")
        print(*row, f"{update:.1f}", sep="\t", file=sys.stderr, flush=True)
    Console(width=140).print(table)


if __name__ == "__main__":
    main()
