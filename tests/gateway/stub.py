"""A scripted provider on a real port, and a gateway that runs in its own thread, so that clients may block."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, TypeVar

from core.gateway.gateway import Gateway, GatewaySettings
from evals.utils import gateway_client

T = TypeVar("T")


def run(coroutine: Coroutine[Any, Any, T]) -> T:
    """``asyncio.run``, with the client's connections closed at the end."""

    async def main() -> T:
        try:
            return await coroutine
        finally:
            await gateway_client.close()

    return asyncio.run(main())


def run_main(folder: Path, base_url: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """A run from the shell on the three smoke tasks with the models of this server; it is ``folder/run``."""
    root = Path(__file__).resolve().parents[2]
    clean = {name: value for name, value in os.environ.items() if not name.startswith("OPENAI")}
    (folder / "env").touch()
    settings = {"LOG_DIR": str(folder / "logs"), "DOTENV_PATH": str(folder / "env")}
    settings |= {"OPENAI_API_KEY": "sk-secret", "OPENAI_BASE_URL": base_url}
    command = [sys.executable, root / "run_main.py", "--tasks", root / "data/coding/samples.jsonl"]
    command += ["--status", "test", "--result_dir", "run", "--repeats", "1", *arguments]
    return subprocess.run(command, env=clean | settings, capture_output=True, text=True, timeout=180)


@dataclass
class Answer:
    """What the provider does with one request. Status 0 hangs up; ``cut`` hangs up after so many bytes."""

    status: int = 200
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)
    delay: float = 0.0
    cut: int | None = None


@dataclass
class Seen:
    path: str
    headers: dict[str, str]
    body: bytes
    at: float

    @property
    def json(self) -> dict[str, Any]:
        return json.loads(self.body)


def chat(content: str | None, usage: dict[str, Any] | None = None, **message: Any) -> dict[str, Any]:
    """A chat completion response."""
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1,
        "model": "stub",
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": content, **message},
                "finish_reason": "stop",
            }
        ],
        "usage": usage or {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15},
    }


def embedding(vector: list[float]) -> dict[str, Any]:
    """An embeddings response for one text."""
    data = [{"object": "embedding", "index": 0, "embedding": vector}]
    return {"object": "list", "data": data, "model": "m", "usage": {"prompt_tokens": 7, "total_tokens": 7}}


def error(message: str, code: str | None = None, kind: str = "invalid_request_error") -> dict[str, Any]:
    return {"error": {"message": message, "type": kind, "param": None, "code": code}}


class StubProvider:
    """Answers requests from ``script``, in order; when that is empty, from ``default``."""

    def __init__(self) -> None:
        self.script: list[Answer] = []
        self.default: Callable[[Seen], Answer] = lambda seen: Answer(body=chat("hello"))
        self.seen: list[Seen] = []
        self.called = threading.Event()
        self.most_at_once = 0
        self._at_once = 0
        self._lock = threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        self.url = f"http://127.0.0.1:{self._server.server_port}/v1"

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def _take(self, seen: Seen) -> Answer:
        with self._lock:
            self.seen.append(seen)
            self.called.set()
            self._at_once += 1
            self.most_at_once = max(self.most_at_once, self._at_once)
            answer = self.script.pop(0) if self.script else self.default(seen)
        time.sleep(answer.delay)
        with self._lock:
            self._at_once -= 1
        return answer

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        stub = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("content-length", 0)))
                headers = {name.lower(): value for name, value in self.headers.items()}
                answer = stub._take(Seen(self.path, headers, body, time.monotonic()))
                if answer.status == 0:
                    self.close_connection = True
                    return
                data = answer.body if isinstance(answer.body, bytes) else json.dumps(answer.body).encode()
                self.send_response(answer.status)
                for name, value in {"content-type": "application/json", **answer.headers}.items():
                    self.send_header(name, value)
                self.send_header("content-length", str(len(data)))
                self.end_headers()
                self.wfile.write(data[: answer.cut])
                self.close_connection |= answer.cut is not None

            do_GET = do_POST

            def handle(self) -> None:
                try:
                    super().handle()
                except ConnectionError:
                    pass  # the gateway gave up waiting

            def log_message(self, *arguments: Any) -> None:
                pass

        return Handler


class RunningGateway:
    """A gateway in a thread of its own. ``call`` runs a coroutine there."""

    def __init__(self, run_dir: Path, settings: GatewaySettings) -> None:
        self.loop = asyncio.new_event_loop()
        threading.Thread(target=self._run, daemon=True).start()
        run_dir.mkdir(exist_ok=True)
        self.gateway = Gateway(run_dir, settings)
        self.call(self.gateway.start())
        self._running = True

    def _run(self) -> None:
        self.loop.run_forever()
        self.loop.close()

    def call(self, coroutine: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(20)

    def connect(self, **scope: Any) -> str:
        """Connect this process with a new token."""
        token = self.gateway.issue_token(scope)
        gateway_client.connect(self.gateway.socket_path, token)
        return token

    def stop(self) -> None:
        if self._running:
            self._running = False
            self.call(self.gateway.stop())
            self.loop.call_soon_threadsafe(self.loop.stop)
