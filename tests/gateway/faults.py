"""Every fault a provider is known for, and a provider that has them at a given share of its calls."""

from __future__ import annotations

import hashlib
import random
import threading
from collections import Counter
from collections.abc import Callable

from .stub import Answer, Seen, chat, error

FAULTS: dict[str, Callable[[Answer], Answer]] = {
    "rate-limit": lambda good: Answer(
        429, error("slow down", "rate_limit_exceeded"), {"retry-after-ms": "5"}
    ),
    "rate-limit-silent": lambda good: Answer(429, b"slow down"),
    "internal": lambda good: Answer(500, error("internal error")),
    "bad-gateway": lambda good: Answer(502, b"<html>bad gateway</html>"),
    "overloaded": lambda good: Answer(503, error("overloaded"), {"retry-after": "0"}),
    "request-timeout": lambda good: Answer(408, b""),
    "conflict": lambda good: Answer(409, error("try again")),
    "hang-up": lambda good: Answer(0),
    "half-an-answer": lambda good: Answer(200, good.body, cut=40),
    "not-json": lambda good: Answer(200, b"<html>captive portal</html>"),
    "null": lambda good: Answer(200, b"null"),
    "no-choices": lambda good: Answer(200, {"object": "chat.completion", "choices": []}),
    "null-message": lambda good: Answer(200, {"choices": [{"index": 0, "message": None}]}),
    "error-in-disguise": lambda good: Answer(200, error("the upstream model failed")),
    "empty-body": lambda good: Answer(200, b""),
    "slow": lambda good: Answer(200, good.body, delay=0.5),
}


def faulty(
    answer: Callable[[Seen], Answer], kinds: list[str], share: float, seed: int = 1
) -> tuple[Callable[[Seen], Answer], Counter[str]]:
    """A ``StubProvider.default`` that answers as ``answer`` does, but has one of the faults at a share of the calls.

    Which calls have one is a function of the request, the number of its tries and the seed, whatever their order.

    Returns:
        the function, and the count of what it did.
    """
    tries: Counter[bytes] = Counter()
    done: Counter[str] = Counter()
    lock = threading.Lock()

    def decide(seen: Seen) -> Answer:
        with lock:
            number = tries[seen.body]
            tries[seen.body] += 1
        digest = hashlib.sha256(b"%d %d " % (seed, number) + seen.body).digest()
        rng = random.Random(digest)
        kind = rng.choice(kinds) if rng.random() < share else "good"
        with lock:
            done[kind] += 1
        good = answer(seen)
        return good if kind == "good" else FAULTS[kind](good)

    return decide, done


def echo(seen: Seen) -> Answer:
    """An answer that is a function of the request."""
    return Answer(body=chat(hashlib.sha256(seen.body).hexdigest()))
