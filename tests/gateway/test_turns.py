"""An interleaved evaluation asks its parent before each episode, through a real gateway."""

from __future__ import annotations

import asyncio

import pytest

from core.experiments.lockstep import Lockstep
from evals.agents.memo_structure import MemoStructure
from evals.contract import EvalSpec, Verdict
from evals.eval_envs.base_envs import Basic_Env, Basic_Recorder
from evals.utils import gateway_client
from evals.utils.gateway_client import RequestRejected
from evals.workflows.agent_workflow import Agent_Workflow
from evals.workflows.memory_calls import MemoryCalls, Watch

TASKS = [f"t{i}" for i in range(12)]
WINDOW = 4


class Forgets(MemoStructure):
    async def general_retrieve(self, recorder):
        return {}

    async def general_update(self, recorder):
        pass


class Instant(Basic_Env):
    """Tasks that are over before the first step."""

    verdict = Verdict(1.0, True, 1.0, 1.0)

    def __init__(self):
        super().__init__(max_trails=0)

    async def set_task_env(self, task):
        return {}, Basic_Recorder(init={"problem_statement": task})

    async def run_step(self, action, task, **last_obs):
        raise AssertionError("no step is left")

    async def cal_reward(self, scores, task):
        return Basic_Recorder(reward=1.0)

    async def get_prompt(self, *args, **kwargs):
        return ["system", "user"]

    async def close(self):
        pass


def workflow(finished, interleaved):
    rows = [{"id": task, "project": "p", "problem_statement": task} for task in TASKS]
    spec = EvalSpec(
        "a", "a.py", "offline", [], rows, repeats=1, retrieve_concurrency=2, interleaved=interleaved
    )
    memory = MemoryCalls(Forgets(), Watch(lambda message: None), 10.0, 1000)
    return Agent_Workflow(spec, lambda phase, repeat: Instant(), lambda: memory, finished.append)


@pytest.mark.parametrize("interleaved", [True, False])
def test_an_evaluation_stays_beside_the_other_arm_if_it_is_interleaved(start_gateway, interleaved):
    running = start_gateway()
    lockstep = Lockstep([(task, 1) for task in TASKS], ["a", "b"], WINDOW)
    running.gateway.set_turnstile(lockstep.turn)
    running.connect(design="a", evaluation="a_eval_1")
    finished = []

    async def main():
        evaluation = asyncio.create_task(workflow(finished, interleaved).run_all_tasks([], []))
        reached = [await settled()]
        for task in TASKS[:3]:
            for state in ("start", "end"):
                turn = lockstep.turn({"design": "b"}, {"task": task, "repeat": 1, "state": state})
                await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(turn, running.loop))
            reached.append(await settled())
        leave = asyncio.run_coroutine_threadsafe(lockstep.leave("b"), running.loop)
        await asyncio.wrap_future(leave)
        await asyncio.wait_for(evaluation, 20)
        await gateway_client.close()
        return reached

    async def settled():
        """How many episodes are finished when no more come for a while."""
        count, still = -1, 0
        while still < 5:
            still = still + 1 if len(finished) == count else 0
            count = len(finished)
            await asyncio.sleep(0.05)
        return count

    reached = asyncio.run(main())
    assert reached == ([4, 5, 6, 7] if interleaved else [12] * 4)
    assert sorted(e.task for e in finished) == sorted(TASKS)


def test_a_turn_without_an_experiment_is_granted_and_one_of_no_episode_refused(start_gateway):
    running = start_gateway()
    running.connect(design="a")

    async def ask(task):
        try:
            await gateway_client.take_turn(task, 1, "start")
        finally:
            await gateway_client.close()

    asyncio.run(asyncio.wait_for(ask("anything"), 10))
    running.gateway.set_turnstile(Lockstep([("t0", 1)], ["a"], WINDOW).turn)
    asyncio.run(asyncio.wait_for(ask("t0"), 10))
    with pytest.raises(RequestRejected, match="a turn needs"):
        asyncio.run(asyncio.wait_for(ask("t9"), 10))
