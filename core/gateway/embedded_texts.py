"""Embedding requests, text by text: the same text is embedded once in a run, whoever asks for it.

A memory that searches by similarity asks for the same texts over and over (some embed all their keys at every
retrieval), and every repeat of a task asks the same query. Every text is a call of its own, entered under no design
or task, so that its answer is found again whatever batch it comes in; asking for it costs its first asker nothing more
than the others.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from typing import Any

import orjson

_KEPT = 20_000
"""Answers kept in memory; older ones are asked for again."""

Ask = Callable[[dict[str, Any], bytes], Awaitable[bytes]]


class EmbeddedTexts:
    """Args:
    ask: makes one call: (request with one text, the same as JSON) -> response.
    """

    def __init__(self, ask: Ask) -> None:
        self._ask = ask
        self._known: OrderedDict[bytes, asyncio.Task[dict[str, Any]]] = OrderedDict()

    async def get(self, request: dict[str, Any], texts: list[str]) -> bytes:
        """The response to a request for several texts; its usage counts the new ones.

        Raises:
            ProviderError: a text could not be embedded.
        """
        tasks, new = [], set()
        for text in texts:
            body = orjson.dumps({**request, "input": [text]}, option=orjson.OPT_SORT_KEYS)
            task = self._known.get(body)
            if task is None or (task.done() and (task.cancelled() or task.exception() is not None)):
                task = asyncio.create_task(self._one(body))
                self._known[body] = task
                new.add(task)
            self._known.move_to_end(body)
            tasks.append(task)
        while len(self._known) > _KEPT:
            self._known.popitem(last=False)
        # Shielded: another caller may be waiting for the same text.
        answers = await asyncio.gather(*(asyncio.shield(task) for task in tasks))
        data = [
            {"object": "embedding", "index": index, "embedding": answer["data"][0]["embedding"]}
            for index, answer in enumerate(answers)
        ]
        tokens = sum((task.result().get("usage") or {}).get("prompt_tokens") or 0 for task in new)
        usage = {"prompt_tokens": tokens, "total_tokens": tokens}
        model = answers[0].get("model", request.get("model"))
        return orjson.dumps({"object": "list", "data": data, "model": model, "usage": usage})

    async def _one(self, body: bytes) -> dict[str, Any]:
        return orjson.loads(await self._ask(orjson.loads(body), body))
