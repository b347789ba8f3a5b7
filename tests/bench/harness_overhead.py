"""What the harness itself costs: 108 episodes of 10 steps with a model that answers after 0.1 s, everything else real
(sandboxed evaluation, gateway, ledger, workspaces, grading). The ideal is calls x 0.1 s / concurrency.

    python -m tests.bench.harness_overhead [--runs 3]
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import multiprocessing
import os
import statistics
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from core.commands import MEMO_ARCHIVE
from core.design_file import resolve_design
from core.progress import Progress
from core.run import open_run, tasks_of
from envs_archive.coding.tasks import Split
from evals.utils.sandbox import probe
from run_main import options_from, parser

TASKS, REPEATS, STEPS, DELAY_S = 36, 3, 10, 0.1
ACTIONS = [{"action": "read_file", "path": "README.md"}, {"action": "list_dir", "path": "."}]


async def _answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """A bare HTTP/1.1 server: a chat completion after DELAY_S; the last step's answer is a submit."""
    with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
        while True:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
            length = int(head.split("content-length:")[1].split("\r\n")[0])
            request = json.loads(await reader.readexactly(length))
            await asyncio.sleep(DELAY_S)
            step = sum(message["role"] == "assistant" for message in request["messages"])
            action = {"action": "submit"} if step == STEPS - 1 else ACTIONS[step % len(ACTIONS)]
            choice = {"index": 0, "finish_reason": "stop"}
            choice["message"] = {"role": "assistant", "content": json.dumps(action)}
            usage = {"prompt_tokens": 100, "completion_tokens": 10, "total_tokens": 110}
            reply = {"id": "x", "object": "chat.completion", "created": 0, "model": "delay", "usage": usage}
            body = json.dumps(reply | {"choices": [choice]}).encode()
            header = (
                f"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
            )
            writer.write(header.encode() + body)
            await writer.drain()


def _serve(port: multiprocessing.Queue) -> None:
    async def main() -> None:
        server = await asyncio.start_server(_answer, "127.0.0.1", 0, limit=1 << 24)
        port.put(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    asyncio.run(main())


@contextlib.contextmanager
def delayed_model() -> Iterator[str]:
    """Base URL of the model that answers after DELAY_S, in a process of its own."""
    port: multiprocessing.Queue = multiprocessing.Queue()
    process = multiprocessing.Process(target=_serve, args=(port,), daemon=True)
    process.start()
    try:
        yield f"http://127.0.0.1:{port.get(timeout=10)}/v1"
    finally:
        process.terminate()
        process.join()


async def measure(concurrency: int) -> float:
    """Seconds of one evaluation of 108 episodes, the start of its process included."""
    arguments = [
        "--experiment",
        "h1",
        "--memo_SHA",
        "no_mem",
        "--execution_model",
        "delay",
        "--meta_model",
        "delay",
    ]
    options = options_from(
        parser().parse_args(
            [*arguments, "--batch_max_retrieve_concurrent", str(concurrency), "--repeats", str(REPEATS)]
        )
    )
    tasks = dict(list(tasks_of(options).items())[:TASKS])
    with tempfile.TemporaryDirectory() as folder, Progress() as progress:
        async with open_run(options, Path(folder) / "run", tasks, probe("auto"), progress) as run:
            evaluator = run.evaluator(Split([], list(tasks)))
            design = resolve_design("no_mem", MEMO_ARCHIVE)
            started = time.monotonic()
            result = await evaluator.evaluate_on("no_mem", design.path, "bench", [], list(tasks), REPEATS)
            seconds = time.monotonic() - started
    assert result.status == "ok", result.error
    assert sum(e.steps for e in result.episodes) == TASKS * REPEATS * STEPS
    return seconds


def main() -> None:
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--runs", type=int, default=3)
    runs = p.parse_args().runs
    with delayed_model() as url:
        os.environ |= {"OPENAI_BASE_URL": url, "OPENAI_API_KEY": "any"}
        lines = []
        for concurrency in (10, 30):
            ideal = TASKS * REPEATS * STEPS * DELAY_S / concurrency
            ratios = [asyncio.run(measure(concurrency)) / ideal for _ in range(runs)]
            lines.append(
                f"{concurrency} concurrent: {statistics.median(ratios):.2f} times the ideal of {ideal:.1f} s"
                f" (n={runs}, {min(ratios):.2f} to {max(ratios):.2f})"
            )
    print("\n".join(lines))


if __name__ == "__main__":
    main()
