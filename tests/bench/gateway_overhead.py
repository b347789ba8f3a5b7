"""What the gateway costs: wall time against the ideal, calls a second, added latency, memory over many calls.

    python tests/bench/gateway_overhead.py [--calls 1080] [--concurrency 10 30] [--latency 0.1]   conversations
    python tests/bench/gateway_overhead.py --throughput [--calls 3000]     instant model, 20 kB requests, each client
    python tests/bench/gateway_overhead.py --added [--calls 2000]          at 10 concurrent, against no gateway
    python tests/bench/gateway_overhead.py --memory [--calls 100000]       resident memory of the gateway's process

A stub provider (its own process) answers every call after a fixed time. The gateway runs in this process, as in a
run; clients run in another. Conversations are of ten steps, through ``Agent``, with histories that grow by about 4 kB a
step; ideal = calls * latency / concurrency. Clients: ``openai`` is that package over the socket, ``bare`` the one that
evaluations use.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import itertools
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import orjson

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from core.gateway.gateway import Gateway, GatewaySettings  # noqa: E402
from core.gateway.openai_provider import OpenAIProvider  # noqa: E402
from core.gateway.provider import Call  # noqa: E402
from core.gateway.retrying import Retries  # noqa: E402
from evals.utils import gateway_client  # noqa: E402
from evals.utils.gateway_client import Usage, call_purpose, call_scope, call_seed, call_usage  # noqa: E402
from evals.utils.hire_agent import Agent  # noqa: E402

STEPS = 10
OBSERVATION = "    assert variance([1.0, 2.0, 4.0]) == 2.3333, 'mean of squared distances'\n" * 54


async def stub(latency: float) -> None:
    """A provider: reads a request, waits, answers the same text. Prints its port."""
    content = json.dumps({"action": "run_command", "command": "python -m pytest -q", "thought": "why " * 60})
    body = json.dumps(
        {
            "id": "chatcmpl-stub",
            "object": "chat.completion",
            "created": 1,
            "model": "stub",
            "choices": [
                {
                    "index": 0,
                    "message": {"role": "assistant", "content": content},
                    "finish_reason": "stop",
                }
            ],
            "usage": {"prompt_tokens": 1000, "completion_tokens": 80, "total_tokens": 1080},
        }
    ).encode()
    head = f"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
    answer = head.encode() + body

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError):
            while True:
                headers = await reader.readuntil(b"\r\n\r\n")
                length = next(
                    int(line.split(b":")[1])
                    for line in headers.split(b"\r\n")
                    if line.lower().startswith(b"content-length")
                )
                await reader.readexactly(length)
                await asyncio.sleep(latency)
                writer.write(answer)
                await writer.drain()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


async def client(calls: int, concurrency: int) -> None:
    """Conversations of ten steps, ``concurrency`` at a time; prints wall and CPU seconds as JSON."""
    gateway_client.connect(os.environ["GATEWAY"], os.environ["TOKEN"])
    slots = asyncio.Semaphore(concurrency)

    async def episode(number: int, steps: int) -> None:
        async with slots:
            call_scope.set({"phase": "retrieve", "task": f"task-{number}", "repeat": 1})
            call_purpose.set("act")
            call_seed.set(number)
            call_usage.set(usage := Usage())
            agent = Agent("You repair programs. " * 100, model="stub/low")
            for _ in range(steps):
                await agent.ask(OBSERVATION, with_history=True)
            assert usage.calls == steps

    await episode(-1, 1)  # imports and the first connection
    started, cpu = time.perf_counter(), time.process_time()
    await asyncio.gather(*(episode(number, STEPS) for number in range(calls // STEPS)))
    print(json.dumps({"wall": time.perf_counter() - started, "cpu": time.process_time() - cpu}))
    await gateway_client.close()


REQUEST = "x" * 20_000
Ask = Callable[[list[dict[str, str]]], Awaitable[Any]]


async def load(client: str, calls: int, concurrency: int) -> None:
    """20 kB requests, all different, ``concurrency`` at a time; prints wall and CPU seconds and the median latency."""
    numbers = iter(range(-1, calls))
    taken: list[float] = []
    call_scope.set({"phase": "retrieve", "task": "t", "repeat": 1})
    async with CLIENTS[client]() as ask:

        async def work() -> None:
            for number in numbers:
                started = time.perf_counter()
                await ask([{"role": "user", "content": f"{number} {REQUEST}"}])
                taken.append(time.perf_counter() - started)

        await ask([{"role": "user", "content": str(next(numbers))}])  # imports and the first connection
        started, cpu = time.perf_counter(), time.process_time()
        await asyncio.gather(*(work() for _ in range(concurrency)))
        wall, cpu = time.perf_counter() - started, time.process_time() - cpu
    print(json.dumps({"wall": wall, "cpu": cpu, "median": statistics.median(taken)}))


@contextlib.asynccontextmanager
async def openai_client() -> AsyncIterator[Ask]:
    import httpx2
    import openai

    limits = httpx2.Limits(max_connections=None, max_keepalive_connections=None)
    transport = httpx2.AsyncHTTPTransport(uds=os.environ["GATEWAY"], limits=limits)
    async with openai.AsyncOpenAI(
        api_key=os.environ["TOKEN"],
        base_url="http://gateway/v1",
        default_headers={"x-alma-purpose": "memory"},
        http_client=httpx2.AsyncClient(transport=transport),
    ) as client:
        yield lambda messages: client.chat.completions.create(model="stub", messages=messages)


@contextlib.asynccontextmanager
async def bare_client() -> AsyncIterator[Ask]:
    gateway_client.connect(os.environ["GATEWAY"], os.environ["TOKEN"])
    yield lambda messages: gateway_client.request(
        "/chat/completions", {"model": "stub", "messages": messages}, "memory"
    )
    await gateway_client.close()


@contextlib.asynccontextmanager
async def direct_client() -> AsyncIterator[Ask]:
    """No gateway: the provider itself, asked as the gateway asks it."""
    provider = OpenAIProvider(
        "k", os.environ["PROVIDER"], concurrency=64, retries=Retries(1, 1), timeout_s=60
    )
    await provider.start()

    def ask(messages: list[dict[str, str]]) -> Awaitable[Any]:
        request = {"model": "stub", "messages": messages}
        return provider.complete(Call(orjson.dumps(request), request, "memory"))

    yield ask
    await provider.close()


CLIENTS = {"openai": openai_client, "bare": bare_client, "direct": direct_client}


async def run_load(
    gateway: Gateway, provider: str, client: str, calls: int, concurrency: int, watch=None
) -> dict[str, float]:
    """Start a load in another process; ``watch`` is called every second while it lasts."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, __file__, "--load", client, str(calls), str(concurrency)),
        stdout=subprocess.PIPE,
        env={
            **os.environ,
            "PROVIDER": provider,
            "GATEWAY": str(gateway.socket_path),
            "TOKEN": gateway.issue_token({"design": "bench"}),
        },
    )
    ended = asyncio.ensure_future(process.communicate())
    while not ended.done():
        if watch is not None:
            watch()
        await asyncio.wait([ended], timeout=1)
    return json.loads((await ended)[0])


def resident_mb() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


async def throughput(arguments: argparse.Namespace, port: int) -> None:
    provider = f"http://127.0.0.1:{port}/v1"
    with tempfile.TemporaryDirectory() as folder:
        gateway = Gateway(Path(folder), GatewaySettings(base_url=provider, api_key="stub"))
        await gateway.start()
        try:
            if arguments.memory:
                sizes: list[float] = []
                result = await run_load(
                    gateway, provider, "bare", arguments.calls, 10, lambda: sizes.append(resident_mb())
                )
                tenth = max(len(sizes) // 10, 1)
                print(
                    f"memory: {arguments.calls} calls in {result['wall']:.0f} s: {sizes[tenth]:.1f} MiB after a tenth "
                    f"of the time, {sizes[len(sizes) // 2]:.1f} at half, {sizes[-1]:.1f} at the end"
                )
            elif arguments.added:
                direct = await run_load(gateway, provider, "direct", arguments.calls, 10)
                for client in ("bare", "openai"):
                    through = await run_load(gateway, provider, client, arguments.calls, 10)
                    added = 1e3 * (through["median"] - direct["median"])
                    print(f"added latency at 10 concurrent, {client} client: {added:.1f} ms (median)")
            else:
                for client, concurrency in itertools.product(("openai", "bare"), arguments.concurrency):
                    result = await run_load(gateway, provider, client, arguments.calls, concurrency)
                    print(
                        f"{client:6s} client, {concurrency:2d} at a time: "
                        f"{arguments.calls / result['wall']:.0f} calls/s "
                        f"({1e3 * result['cpu'] / arguments.calls:.2f} ms CPU a call in the client)"
                    )
        finally:
            await gateway.stop()


async def measure(calls: int, concurrency: int, latency: float, port: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        settings = GatewaySettings(base_url=f"http://127.0.0.1:{port}/v1", api_key="stub")
        gateway = Gateway(Path(folder), settings)
        await gateway.start()
        cpu = time.process_time()
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, __file__, "--client", str(calls), str(concurrency)),
            stdout=subprocess.PIPE,
            env={
                **os.environ,
                "GATEWAY": str(gateway.socket_path),
                "TOKEN": gateway.issue_token({"design": "bench"}),
            },
        )
        output, _ = await process.communicate()
        gateway_cpu = time.process_time() - cpu
        await gateway.stop()
    result = json.loads(output)
    ideal = calls * latency / concurrency
    print(
        f"{calls} calls, {concurrency:3d} at a time: {result['wall']:6.2f} s wall, ideal {ideal:5.2f} s, "
        f"ratio {result['wall'] / ideal:.2f}; CPU per call: client {1e3 * result['cpu'] / calls:.2f} ms, "
        f"gateway {1e3 * gateway_cpu / calls:.2f} ms"
    )


async def main(arguments: argparse.Namespace) -> None:
    special = arguments.throughput or arguments.memory or arguments.added
    if arguments.calls is None:
        arguments.calls = 100_000 if arguments.memory else 2000 if special else 1080
    latency = 0.0 if arguments.throughput or arguments.memory else arguments.latency
    provider = await asyncio.create_subprocess_exec(
        *(sys.executable, __file__, "--stub", str(latency)), stdout=subprocess.PIPE
    )
    try:
        assert provider.stdout is not None
        port = int(await provider.stdout.readline())
        if special:
            await throughput(arguments, port)
        else:
            for concurrency in arguments.concurrency:
                await measure(arguments.calls, concurrency, latency, port)
    finally:
        provider.terminate()
        await provider.wait()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--throughput", action="store_true")
    parser.add_argument("--added", action="store_true")
    parser.add_argument("--memory", action="store_true")
    parser.add_argument("--calls", type=int)
    parser.add_argument("--concurrency", type=int, nargs="+", default=[10, 30])
    parser.add_argument("--latency", type=float, default=0.1)
    parser.add_argument("--stub", type=float, help=argparse.SUPPRESS)
    parser.add_argument("--client", type=int, nargs=2, help=argparse.SUPPRESS)
    parser.add_argument("--load", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.stub is not None:
        asyncio.run(stub(options.stub))
    elif options.client:
        asyncio.run(client(*options.client))
    elif options.load:
        asyncio.run(load(options.load[0], int(options.load[1]), int(options.load[2])))
    else:
        asyncio.run(main(options))
