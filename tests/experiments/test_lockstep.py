"""Arms go through the same episodes side by side, at any speeds, and no arm can hold up the others for good."""

import asyncio
import random

import pytest

from core.experiments.lockstep import Lockstep

ORDER = [(f"t{i}", repeat) for repeat in (1, 2) for i in range(20)]
WINDOW = 4


async def walk(lockstep, arm, seconds, started, concurrency=3, episodes=ORDER):
    """An arm: up to ``concurrency`` episodes at a time, in order, each asking for its turn."""
    slots = asyncio.Semaphore(concurrency)

    async def one(task, repeat):
        body = {"task": task, "repeat": repeat}
        async with slots:
            await lockstep.turn({"design": arm}, {**body, "state": "start"})
            started.append((arm, ORDER.index((task, repeat))))
            await asyncio.sleep(seconds())
            await lockstep.turn({"design": arm}, {**body, "state": "end"})

    await asyncio.gather(*(one(*episode) for episode in episodes))
    await lockstep.leave(arm)


def run(*arms, timeout=20):
    """Starts in their order: (arm, position)."""
    started = []

    async def all_arms():
        lockstep = Lockstep(ORDER, [arm for arm, *_ in arms], WINDOW)
        await asyncio.gather(*(walk(lockstep, arm, seconds, started, **more) for arm, seconds, more in arms))

    asyncio.run(asyncio.wait_for(all_arms(), timeout))
    return started


def leads(started, arms):
    """How far each start was ahead of the last start of the arm furthest back."""
    reached = dict.fromkeys(arms, -1)
    for arm, position in started:
        reached[arm] = max(reached[arm], position)
        yield position - min(reached.values())


@pytest.mark.parametrize("seed", range(3))
def test_a_fast_arm_waits_for_a_slow_one_and_all_finish(seed):
    rng = random.Random(seed)
    started = run(
        ("slow", lambda: rng.choice([0.001, 0.02]), {}),
        ("fast", lambda: 0.0, {}),
        ("single file", lambda: 0.003, {"concurrency": 1}),
    )
    assert sorted(started) == sorted((arm, i) for arm in ("slow", "fast", "single file") for i in range(40))
    assert max(leads(started, ["slow", "fast", "single file"])) <= WINDOW


def test_without_the_lockstep_the_fast_arm_would_be_through_first():
    """The check above can fail: a window as wide as the experiment holds nobody up."""
    started = []

    async def both():
        free = Lockstep(ORDER, ["slow", "fast"], len(ORDER))
        await asyncio.gather(
            walk(free, "slow", lambda: 0.01, started), walk(free, "fast", lambda: 0.0, started)
        )

    asyncio.run(both())
    assert max(leads(started, ["slow", "fast"])) > 4 * WINDOW


def test_an_arm_that_dies_in_the_middle_frees_the_others():
    started = []

    async def main():
        lockstep = Lockstep(ORDER, ["dies", "lives"], WINDOW)
        dying = asyncio.create_task(walk(lockstep, "dies", lambda: 30.0, started))
        living = asyncio.create_task(walk(lockstep, "lives", lambda: 0.0, started))
        await asyncio.sleep(0.05)
        assert not living.done()
        dying.cancel()
        await lockstep.leave("dies")
        await asyncio.wait_for(living, 5)

    asyncio.run(main())
    assert sorted(p for arm, p in started if arm == "lives") == list(range(40))


def test_an_arm_that_resumes_with_its_last_episodes_does_not_wait_for_those_behind():
    started = run(("new", lambda: 0.001, {}), ("resumed", lambda: 0.001, {"episodes": ORDER[10:]}))
    assert len(started) == 40 + 30


@pytest.mark.parametrize(
    "body",
    [{}, {"task": "t0", "repeat": 9, "state": "start"}, {"task": "t0", "repeat": 1, "state": "x"}],
)
def test_a_turn_that_is_none_is_refused(body):
    with pytest.raises(ValueError, match="a turn needs"):
        asyncio.run(Lockstep(ORDER, ["a"], WINDOW).turn({"design": "a"}, body))
