"""A model that costs money: a local server that speaks the OpenAI REST shape, plays the coding agent, and counts."""

from __future__ import annotations

import hashlib
import itertools
import json
import threading
from collections.abc import Callable
from typing import Any

from tests.gateway.stub import Answer, Seen, StubProvider, chat

MODEL = "gpt-4o-mini"
KEY = "sk-live-" + "0123456789abcdef" * 2
PROMPT_TOKENS, COMPLETION_TOKENS = 1000, 100
TOKENS_PER_CALL = PROMPT_TOKENS + COMPLETION_TOKENS
STEPS: list[dict[str, Any]] = [
    {"action": "list_dir", "path": "."},
    {"action": "run_command", "command": "python -m pytest -q"},
    {"action": "submit"},
]


class PaidModel:
    """Attributes:
    bodies: the requests that were answered, in order.
    tampered: changes an answer's text before it is sent.
    """

    def __init__(self, moody: bool = False) -> None:
        """``moody``: every answer is another one, also to the same request, as real models are."""
        self.bodies: list[bytes] = []
        self.tampered: Callable[[str], str] = lambda text: text
        self._moods = itertools.count() if moody else None
        self._lock = threading.Lock()
        self._server = StubProvider()
        self._server.default = self._answer
        self.environment = {"OPENAI_API_KEY": KEY, "OPENAI_BASE_URL": self._server.url}

    def stop(self) -> None:
        self._server.stop()

    def _answer(self, seen: Seen) -> Answer:
        if seen.path == "/v1/models":  # asked before a run, and free
            return Answer(body={"object": "list", "data": [{"id": MODEL}]})
        with self._lock:
            self.bodies.append(seen.body)
            mood = next(self._moods) if self._moods else hashlib.sha256(seen.body).hexdigest()[:8]
        messages = seen.json["messages"]
        if "submit" in messages[0]["content"]:
            step = STEPS[sum(message["role"] == "assistant" for message in messages)]
            text = json.dumps({"thought": f"mood {mood}", **step})
        else:
            text = f"Run the tests before you submit (mood {mood})."
        usage = {
            "prompt_tokens": PROMPT_TOKENS,
            "completion_tokens": COMPLETION_TOKENS,
            "total_tokens": PROMPT_TOKENS + COMPLETION_TOKENS,
        }
        return Answer(body=chat(self.tampered(text), usage), delay=0.05)
