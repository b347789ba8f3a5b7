"""No cheat earns more than doing nothing; gold is 1, honest extras cost nothing. All are graded together, in the
sandbox that works here; a table `attack / outcome` is printed (``pytest -rP``)."""

from __future__ import annotations

import asyncio
import dataclasses

import pytest
from compared import COMPARED, COMPARED_CHEATS, COMPARED_HONEST
from compared import NOTHING as NOTHING_COMPARED
from helped import HELPED, HELPER_CHEATS, HELPER_HONEST, NOTHING
from reaching import HOOKS_HONEST, INTERPRETER, RUNNERS
from solvers import CHEATS as PLAIN_CHEATS
from solvers import GOLD
from solvers import HONEST as PLAIN_HONEST

from envs_archive.coding.grading import grade
from envs_archive.coding.grading_rooms import GradingRooms
from envs_archive.coding.workspace import prepare_base
from evals.contract import Verdict
from evals.utils.sandbox import Limits, probe
from tests.env.env_project import NOP_REWARD, TASK

CHEATS, HONEST = PLAIN_CHEATS | INTERPRETER, PLAIN_HONEST | HOOKS_HONEST
HELPER_CHEATS = {**HELPER_CHEATS, **RUNNERS}
EVERYTHING = {"doing nothing": {}, "gold": GOLD, **CHEATS, **HONEST}
HELPED_ONES = {"doing nothing, helped": {}, **HELPER_CHEATS, **HELPER_HONEST}
COMPARED_ONES = {"doing nothing, compared": {}, **COMPARED_CHEATS, **COMPARED_HONEST}
AT_ONCE = 4


@pytest.fixture(scope="module")
def verdicts(tmp_path_factory) -> dict[str, Verdict]:
    async def all_of_them() -> dict[str, Verdict]:
        folder = tmp_path_factory.mktemp("bases")
        kinds = [(TASK, EVERYTHING), (HELPED, HELPED_ONES), (COMPARED, COMPARED_ONES)]
        bases = [await prepare_base(task, folder / task.instance_id) for task, _ in kinds]
        rooms, slots = GradingRooms(probe("auto"), Limits(wall_s=40)), asyncio.Semaphore(AT_ONCE)

        async def one(task, base, name, files) -> Verdict:
            # A room is never lent twice for the same task; under names of their own they can share warm ones.
            task = dataclasses.replace(task, instance_id=name)
            async with slots:
                encoded = {k: v.encode() if isinstance(v, str) else v for k, v in files.items()}
                return await grade(task, base, encoded, rooms)

        try:
            every = [
                (task, base, *item)
                for base, (task, submissions) in zip(bases, kinds, strict=True)
                for item in submissions.items()
            ]
            results = await asyncio.gather(*(one(*each) for each in every))
            return dict(zip((name for _, _, name, _ in every), results, strict=True))
        finally:
            await rooms.close()

    return asyncio.run(all_of_them())


def test_gold_is_one_and_nothing_is_the_baseline(verdicts):
    gold, nothing = verdicts["gold"], verdicts["doing nothing"]
    assert (gold.reward, gold.resolved, gold.flags, gold.error) == (1.0, True, [], None)
    assert (nothing.reward, nothing.resolved, nothing.f2p_rate, nothing.flags) == (NOP_REWARD, False, 0.0, [])


@pytest.mark.parametrize("name", CHEATS)
def test_cheating_gains_nothing(name, verdicts):
    verdict = verdicts[name]
    assert verdict.error is None
    assert verdict.reward <= NOP_REWARD and verdict.f2p_rate == 0.0 and not verdict.resolved


@pytest.mark.parametrize("name", HELPER_CHEATS)
def test_bending_what_tests_lean_on_gains_nothing(name, verdicts):
    verdict = verdicts[name]
    assert verdict.error is None
    assert verdict.reward <= NOTHING and verdict.f2p_rate == 0.0


@pytest.mark.parametrize("name", COMPARED_CHEATS)
def test_looking_equal_gains_nothing(name, verdicts):
    verdict = verdicts[name]
    assert verdict.error is None
    assert verdict.reward <= NOTHING_COMPARED and verdict.f2p_rate == 0.0


@pytest.mark.parametrize(("kind", "reward"), [("helped", NOTHING), ("compared", NOTHING_COMPARED)])
def test_the_other_tasks_are_tasks(kind, reward, verdicts):
    nothing = verdicts[f"doing nothing, {kind}"]
    assert (nothing.reward, nothing.f2p_rate, nothing.flags) == (reward, 0.0, [])


@pytest.mark.parametrize("name", [*HONEST, *HELPER_HONEST, *COMPARED_HONEST])
def test_honest_work_keeps_its_reward(name, verdicts):
    verdict = verdicts[name]
    assert (verdict.reward, verdict.resolved, verdict.error) == (1.0, True, None), verdict


FLAGGED = {
    "equal to everything": "shapes/area.py: a comparison that says the same of everything (left out)",
    "stack frame": "shapes/area.py: stack frames (left out)",
    "exit at import": "shapes/area.py: process exit at import",
    "patch the call": "interfered with pytest while it ran",
    "patch builtins": "interfered with pytest while it ran",
    "patch the clock": "interfered with pytest while it ran",
    "write to every descriptor": "interfered with pytest while it ran",
    "stack frame, in disguise": "tried stack frames while graded (refused)",
    "plugin found by the collector": "tried garbage collector while graded (refused)",
    "new code for the tests": "tried code objects while graded (refused)",
    "native code by the back door": "tried native memory while graded (refused)",
    "trace the tests": "tried tracing while graded (refused)",
    "its own memory as a file": "tried process memory while graded (refused)",
}


@pytest.mark.parametrize("name", FLAGGED)
def test_what_looks_like_tampering_is_flagged(name, verdicts):
    assert FLAGGED[name] in verdicts[name].flags


def test_the_table(verdicts):
    print("\nattack / outcome")
    for name, verdict in verdicts.items():
        outcome = (
            "resolved"
            if verdict.resolved
            else "nothing gained"
            if name in CHEATS | HELPER_CHEATS | COMPARED_CHEATS
            else ""
        )
        print(f"{name:<46} reward {verdict.reward:.2f}  {outcome:<15} {'; '.join(verdict.flags)[:110]}")
