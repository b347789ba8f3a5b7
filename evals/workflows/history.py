"""Keeps a long conversation within a limit by cutting old observations out of it."""

from __future__ import annotations

from typing import Any

from evals.agents.base import count_tokens

KEPT = 4  # the last messages are what the agent works with
CUT = "[an old observation of {} characters was cut here]"


def cut_old_observations(history: list[dict[str, Any]], limit: int) -> int:
    """Replace the oldest observations by a note once the conversation is longer than ``limit`` tokens.

    It is then cut down to half the limit at one go: until it has grown again, every request begins with the very
    text of the one before, which a provider's prompt cache needs. The first message (the task) stays, and so do the
    agent's own answers and the last messages, even where that leaves more than the limit.

    Args:
        history: user and assistant messages in turn; changed in place.

    Returns:
        how many observations were cut now.
    """
    sizes = [count_tokens(message["content"]) for message in history]
    total, done = sum(sizes), 0
    if total <= limit:
        return 0
    for message, size in list(zip(history, sizes, strict=True))[1:-KEPT]:
        if total <= limit / 2:
            break
        note = CUT.format(len(message["content"]))
        if message["role"] != "user" or size <= count_tokens(note):
            continue
        message["content"] = note
        total += count_tokens(note) - size
        done += 1
    return done
