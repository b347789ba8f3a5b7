"""The grading desk is no oracle: one verdict per expected episode, however often and however fast it is asked."""

from __future__ import annotations

import asyncio
import base64

import pytest
from solvers import BUGGY, FIXED

from core.grading_desk import GradingDesk
from envs_archive.coding.grading_rooms import GradingRooms
from envs_archive.coding.workspace import prepare_base
from evals.utils.sandbox import Limits, probe
from tests.env.env_project import NOP_REWARD, TASK

SCOPE = {"evaluation": "e", "design": "d"}
TASK_ID = TASK.instance_id


def asked(source: str, phase="retrieve", repeat=1, task=TASK_ID) -> dict:
    changes = {"shapes/area.py": base64.b64encode(source.encode()).decode()}
    return {"task": task, "phase": phase, "repeat": repeat, "changes": changes}


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    return asyncio.run(prepare_base(TASK, tmp_path_factory.mktemp("bases") / TASK_ID))


def at_the_desk(tmp_path, base, use):
    async def run():
        rooms = GradingRooms(probe("auto"), Limits(wall_s=40))
        desk = GradingDesk(
            tmp_path / "verdicts.jsonl", {TASK_ID: TASK}, {TASK_ID: base}, rooms, 2, lambda _: None
        )
        desk.expect("e", [("retrieve", TASK_ID, 1)])
        try:
            return await use(desk)
        finally:
            await rooms.close()

    return asyncio.run(run())


def test_of_many_at_once_only_the_first_is_graded(tmp_path, base):
    async def use(desk):
        sources = [BUGGY, FIXED, BUGGY + "# 1\n", FIXED + "# 2\n"]
        verdicts = await asyncio.gather(*(desk.grade(SCOPE, asked(source)) for source in sources))
        return [*verdicts, await desk.grade(SCOPE, asked(FIXED))]

    assert [verdict.reward for verdict in at_the_desk(tmp_path, base, use)] == [NOP_REWARD] * 5
    assert (tmp_path / "verdicts.jsonl").read_text().count("\n") == 1


@pytest.mark.parametrize(
    "request_",
    [
        asked(FIXED, phase="probe"),
        asked(FIXED, phase="update", repeat=0),
        asked(FIXED, repeat=2),
        asked(FIXED, repeat=True),
        asked(FIXED, repeat=1.0),
        asked(FIXED, task=["shapes-01"]),
        asked(FIXED, task="another"),
    ],
)
def test_nothing_else_is_graded(tmp_path, base, request_):
    async def use(desk):
        with pytest.raises(ValueError):
            await desk.grade(SCOPE, request_)
        with pytest.raises(ValueError):
            await desk.grade({"evaluation": "another", "design": "d"}, asked(FIXED))

    at_the_desk(tmp_path, base, use)
    assert not (tmp_path / "verdicts.jsonl").exists()
