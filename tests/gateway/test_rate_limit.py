"""Limits per minute: never above what was allowed, never slower than needed, one for all callers."""

from __future__ import annotations

import asyncio
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.gateway.rate_limit import WINDOW_S, RateLimit, duration_s
from evals.utils.hire_agent import Agent

from .stub import Answer, chat, error, run


class Clock:
    """Time that passes only when somebody waits."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def send(limit: RateLimit, clock: Clock, tokens: int):
    """Admit one call as soon as it may go; returns (when, what is to be settled)."""
    while (wait := limit.wait_s(tokens)) > 0:
        clock.now += wait
    return clock.now, limit.take(tokens)


@given(
    rpm=st.integers(1, 8),
    tpm=st.integers(10, 200),
    calls=st.lists(st.tuples(st.integers(0, 90), st.integers(0, 90), st.floats(0, 20)), max_size=40),
)
def test_no_minute_holds_more_than_was_allowed(rpm, tpm, calls):
    clock = Clock()
    limit = RateLimit(rpm, tpm, clock)
    sent = []
    for estimated, used, pause in calls:
        clock.now += pause
        at, taken = send(limit, clock, estimated)
        limit.settle(taken, used)
        sent.append((at, estimated, used))
    for index, (start, _, _) in enumerate(sent):
        within = [call for call in sent[index:] if call[0] < start + WINDOW_S - 1e-6]
        assert len(within) <= rpm
        # What was known of a call when the next was sent is its use; of the last one its estimate.
        total = sum(used for _, _, used in within[:-1]) + within[-1][1]
        assert total <= tpm or len(within) == 1 or sum(u for _, _, u in within[:-1]) == 0


def test_a_minute_is_used_up_before_anybody_waits():
    clock = Clock()
    limit = RateLimit(3, None, clock)
    times = [send(limit, clock, 1)[0] - 1000 for _ in range(7)]
    assert times == [0, 0, 0, 60, 60, 60, 120]


def test_a_providers_headers_are_followed():
    clock = Clock()
    limit = RateLimit(None, None, clock)
    assert limit.wait_s(10**6) == 0
    limit.hear(
        {
            "x-ratelimit-limit-requests": "60",
            "x-ratelimit-remaining-requests": "2",
            "x-ratelimit-reset-requests": "58s",
            "x-ratelimit-limit-tokens": "40000",
            "x-ratelimit-remaining-tokens": "10000",
            "x-ratelimit-reset-tokens": "45s",
        }
    )
    # One request a second comes back; the tokens at 667 a second.
    assert limit.wait_s(10_000) == 0
    assert limit.wait_s(20_000) == pytest.approx(15.0)
    assert [round(send(limit, clock, 1)[0] - 1000) for _ in range(5)] == [0, 0, 1, 2, 3]


def test_headers_that_cannot_be_read_change_nothing():
    limit = RateLimit(None, None)
    limit.hear({"x-ratelimit-limit-requests": "many", "x-ratelimit-remaining-requests": "0"})
    assert limit.wait_s(1) == 0


@pytest.mark.parametrize(
    ("text", "seconds"), [("6m0s", 360), ("1.5s", 1.5), ("20ms", 0.02), ("1h2m", 3720), ("7", 7)]
)
def test_durations(text, seconds):
    assert duration_s(text) == pytest.approx(seconds)
    with pytest.raises(ValueError):
        duration_s(f"{text} or so")


def ask_many(calls: int) -> list[str]:
    async def all_of_them() -> list[str]:
        return await asyncio.gather(*(Agent("x").ask(f"question {n}") for n in range(calls)))

    return run(all_of_them())


def test_when_one_call_is_told_to_wait_all_of_its_model_do(start_gateway, provider):
    start_gateway(concurrency=2)
    slow = Answer(body=chat("hello"), delay=0.3)  # still under way when the first is told
    provider.script = [Answer(429, error("slow down"), {"retry-after": "0.6"}), slow]
    assert ask_many(6) == ["hello"] * 6
    first, _, *later = provider.seen  # the second was under way
    assert len(later) == 5
    assert all(seen.at - first.at >= 0.6 for seen in later), [s.at - first.at for s in provider.seen]


def test_a_rate_limit_is_waited_out_and_uses_up_no_try(start_gateway, provider):
    start_gateway(tries=2)
    provider.script = [Answer(429, error("slow down"), {"retry-after-ms": "1"})] * 7
    assert ask_many(1) == ["hello"]
    assert len(provider.seen) == 8


def test_requests_a_minute_hold_over_all_connections(start_gateway, provider):
    start_gateway(rpm=4)

    async def some() -> int:
        asked = [asyncio.ensure_future(Agent("x").ask(str(n))) for n in range(9)]
        await asyncio.sleep(1)
        for task in asked:
            task.cancel()
        await asyncio.gather(*asked, return_exceptions=True)
        return len(provider.seen)

    started = time.monotonic()
    assert run(some()) == 4
    assert time.monotonic() - started < 10


def test_what_waiting_cannot_cure_is_not_waited_for(gateway, provider):
    message = "Request too large for gpt-4o on tokens per min (TPM): Limit 30000, Requested 50000."
    provider.script = [Answer(429, error(message, "rate_limit_exceeded"))]
    with pytest.raises(Exception, match="Request too large"):
        ask_many(1)
    assert len(provider.seen) == 1
