"""What the gateway and its client cost on top of the model: wall time against the ideal, and CPU per call.

    python tests/bench/gateway_overhead.py [--calls 1080] [--concurrency 10 30] [--latency 0.1]

A stub provider (its own process) answers every call after a fixed time. The gateway runs in this process, as in a
run; a client process holds conversations of ten steps through ``Agent``, with histories that grow by about 4 kB a
step. Ideal = calls * latency / concurrency.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from core.gateway.gateway import Gateway, GatewaySettings  # noqa: E402
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
    provider = await asyncio.create_subprocess_exec(
        *(sys.executable, __file__, "--stub", str(arguments.latency)), stdout=subprocess.PIPE
    )
    try:
        assert provider.stdout is not None
        port = int(await provider.stdout.readline())
        for concurrency in arguments.concurrency:
            await measure(arguments.calls, concurrency, arguments.latency, port)
    finally:
        provider.terminate()
        await provider.wait()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--calls", type=int, default=1080)
    parser.add_argument("--concurrency", type=int, nargs="+", default=[10, 30])
    parser.add_argument("--latency", type=float, default=0.1)
    parser.add_argument("--stub", type=float, help=argparse.SUPPRESS)
    parser.add_argument("--client", type=int, nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.stub is not None:
        asyncio.run(stub(options.stub))
    elif options.client:
        asyncio.run(client(*options.client))
    else:
        asyncio.run(main(options))
