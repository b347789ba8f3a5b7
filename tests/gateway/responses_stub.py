"""A provider of the Responses API, as far as the Codex app-server asks one: server-sent events on a real port."""

from __future__ import annotations

import json
from typing import Any

from .stub import Answer, error


def events(items: list[dict[str, Any]], *last: dict[str, Any]) -> Answer:
    """The stream of a response with these output items, ending in ``last``."""
    usage = {"input_tokens": 100, "input_tokens_details": {"cached_tokens": 40}, "output_tokens": 20}
    usage |= {"output_tokens_details": {"reasoning_tokens": 7}, "total_tokens": 120}
    response = {"id": "resp_1", "object": "response", "output": items, "usage": usage}
    stream = [{"type": "response.created", "response": {"id": "resp_1"}}]
    stream += [
        {"type": "response.output_item.done", "output_index": n, "item": i} for n, i in enumerate(items)
    ]
    stream += last or [{"type": "response.completed", "response": response}]
    body = "".join(f"event: {event['type']}\ndata: {json.dumps(event)}\n\n" for event in stream)
    return Answer(200, body.encode(), {"content-type": "text/event-stream"})


def says(text: str) -> Answer:
    part = {"type": "output_text", "text": text, "annotations": []}
    return events([{"type": "message", "id": "m1", "role": "assistant", "content": [part]}])


def calls_a_tool() -> Answer:
    arguments = json.dumps({"cmd": "touch /tmp/codex-was-here"})
    return events(
        [{"type": "function_call", "call_id": "c1", "name": "exec_command", "arguments": arguments}]
    )


def overflow() -> Answer:
    fault = {"code": "context_length_exceeded", "message": "too long for the context window"}
    return events([], {"type": "response.failed", "response": {"id": "resp_1", "error": fault}})


FAULTS = {
    "internal": lambda: Answer(500, error("internal error")),
    "overloaded": lambda: Answer(503, error("overloaded")),
    "rate-limit": lambda: Answer(429, error("slow down"), {"retry-after": "0"}),
    "hang-up": lambda: Answer(0),
    "cut-stream": lambda: Answer(200, says("x").body, {"content-type": "text/event-stream"}, cut=60),
    "empty": lambda: events([]),
}
