"""The offline model as a provider: CPU work, done in a pool of processes beside the event loop."""

from __future__ import annotations

import array
import asyncio
import base64
import hashlib
import multiprocessing
import multiprocessing.connection
import os
import signal
import threading
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from functools import lru_cache
from multiprocessing import forkserver
from typing import Any

import orjson

from core.gateway import offline
from core.gateway.provider import Call, ProviderError, Reply, Tokens
from evals.agents.base import count_tokens

MODEL = "offline"
# Imported once, before the workers are forked; the main program too, which multiprocessing would otherwise
# import again in each of them.
_PRELOADED = [
    "__main__",
    __name__,
    "core.gateway.offline.repair",
    "core.gateway.offline.memory",
    "core.gateway.offline.design",
    "core.gateway.offline.embedding",
]


class OfflineProvider:
    """Args:
    workers: number of processes.
    """

    name = "offline"

    def __init__(self, workers: int) -> None:
        self._workers = workers
        self._pool: ProcessPoolExecutor | None = None

    async def start(self) -> None:
        """Start the workers, in a thread: forking them waits for the first imports."""
        pool = self._pool_now()

        def warm() -> None:
            for _ in range(self._workers):
                pool.submit(os.getpid)

        await asyncio.to_thread(warm)

    async def complete(self, call: Call) -> Reply:
        return await self._run(_complete, call.body, call.purpose)

    async def embed(self, call: Call) -> Reply:
        return await self._run(_embed, call.body)

    async def models(self) -> list[str]:
        return [MODEL]

    async def close(self) -> None:
        if self._pool is not None:
            pool, self._pool = self._pool, None
            processes = list((pool._processes or {}).values())
            pool.shutdown(wait=False, cancel_futures=True)
            for process in processes:  # an answer nobody waits for any more may still take seconds
                process.terminate()

    def _pool_now(self) -> ProcessPoolExecutor:
        if self._pool is None:
            context = multiprocessing.get_context("forkserver")
            context.set_forkserver_preload(_PRELOADED)
            # Ctrl-C reaches every process of a terminal, and those that load modules yet cannot have turned it off.
            before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
            try:
                forkserver.ensure_running()
            finally:
                signal.pthread_sigmask(signal.SIG_SETMASK, before)
            self._pool = ProcessPoolExecutor(self._workers, mp_context=context, initializer=_prepare_worker)
        return self._pool

    async def _run(self, function: Callable[..., Reply], *arguments: Any) -> Reply:
        for _ in range(2):
            pool = self._pool_now()
            try:
                return await asyncio.get_running_loop().run_in_executor(pool, function, *arguments)
            except BrokenProcessPool:  # a worker was killed: the pool cannot be used again
                if self._pool is pool:
                    pool.shutdown(wait=False)
                    self._pool = None
            except Exception as error:
                message = f"the offline model failed: {type(error).__name__}: {error}"
                raise ProviderError(500, message, code="offline_error") from error
        raise ProviderError.infra("a worker of the offline model was killed twice", retries=1)


def _prepare_worker() -> None:
    """Ctrl-C is the parent's business; a worker ends when its parent does, however that died."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    assert parent is not None

    def watch() -> None:
        multiprocessing.connection.wait([parent.sentinel])
        os._exit(1)

    threading.Thread(target=watch, name="parent-watch", daemon=True).start()


@lru_cache(maxsize=20_000)
def _tokens_of(text: str) -> int:
    """A conversation is sent whole at every step; only its new turns need counting."""
    return count_tokens(text)


def _content_tokens(content: Any) -> int:
    if isinstance(content, str):
        return _tokens_of(content)
    return sum(_tokens_of(str(part.get("text", ""))) for part in content or ())


def _complete(body: bytes, purpose: str) -> Reply:
    request = orjson.loads(body)
    text = offline.complete(request, purpose)
    tokens = Tokens(
        prompt=sum(_content_tokens(message.get("content")) for message in request["messages"]),
        completion=count_tokens(text),
    )
    response = {
        "id": "chatcmpl-" + hashlib.sha256(body).hexdigest()[:24],
        "object": "chat.completion",
        "created": 0,
        "model": MODEL,
        "choices": [
            {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"},
        ],
        "usage": {
            "prompt_tokens": tokens.prompt,
            "completion_tokens": tokens.completion,
            "total_tokens": tokens.prompt + tokens.completion,
        },
    }
    return Reply(orjson.dumps(response), tokens)


def _embed(body: bytes) -> Reply:
    request = orjson.loads(body)
    given = request["input"]
    texts = [given] if isinstance(given, str) else given
    vectors: list[Any] = offline.embed(texts)
    if request.get("encoding_format") == "base64":
        vectors = [base64.b64encode(array.array("f", vector).tobytes()).decode() for vector in vectors]
    tokens = Tokens(prompt=sum(_tokens_of(text) for text in texts))
    response = {
        "object": "list",
        "model": MODEL,
        "data": [
            {"object": "embedding", "index": index, "embedding": vector}
            for index, vector in enumerate(vectors)
        ],
        "usage": {"prompt_tokens": tokens.prompt, "total_tokens": tokens.prompt},
    }
    return Reply(orjson.dumps(response), tokens)
