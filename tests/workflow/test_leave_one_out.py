"""No memory is asked about a task whose run it has been told of, whatever design it is and however tasks overlap."""

import asyncio
import json
import subprocess
import sys
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from evals.agents.memo_structure import MemoStructure
from evals.contract import Episode, EvalSpec, Verdict
from evals.eval_envs.base_envs import Basic_Env, Basic_Recorder
from evals.workflows.agent_workflow import Agent_Workflow
from evals.workflows.memory_calls import MemoryCalls, Watch

ROOT = Path(__file__).resolve().parents[2]


class Instant(Basic_Env):
    """An environment whose tasks end before the first step."""

    def __init__(self, tasks):
        super().__init__(max_trails=0)
        self.tasks, self.verdict = {task["id"]: task for task in tasks}, None

    async def set_task_env(self, task):
        self.recorder = Basic_Recorder({k: self.tasks[task][k] for k in ("project", "problem_statement")})
        return self.recorder.init, self.recorder

    async def get_prompt(self, memory=""):
        return ["system", memory]

    async def run_step(self, action, task, **last_obs):
        raise AssertionError("no step is taken")

    async def cal_reward(self, scores, task):
        self.verdict = Verdict(1.0, True, 1.0, 1.0)
        await self.recorder.set_reward(1.0)
        return self.recorder

    async def close(self):
        pass


class Hoarder(MemoStructure):
    """Keeps all it is told and hands out all it has."""

    def __init__(self):
        super().__init__()
        self.told = []

    async def general_retrieve(self, recorder):
        return {"told": list(self.told)}

    async def general_update(self, recorder):
        self.told.append(recorder.init["problem_statement"])


def fatal(message):
    raise AssertionError(message)


WATCH = Watch(fatal)


def task(number, alias=0):
    return {"id": f"t{number}.{alias}", "project": "p", "problem_statement": f"issue  {number}\n", "base": ""}


def run(update, retrieve, rollout, repeats=2):
    spec = EvalSpec("hoarder", "x.py", "offline", update, retrieve, rollout=rollout, repeats=repeats)
    episodes, kept = [], []
    workflow = Agent_Workflow(
        spec,
        lambda phase, repeat: Instant(update + retrieve),
        lambda: MemoryCalls(Hoarder(), WATCH, 5, 4000),
        episodes.append,
        lambda memory, learned: kept.append((list(memory.memory.told), learned)),
    )
    collected = [
        Episode(t["id"], "update", 0, init={k: t[k] for k in ("project", "problem_statement")})
        for t in update
    ]
    asyncio.run(workflow.run_all_tasks(collected, []))
    return episodes, kept, workflow.updates


ALIASED = st.builds(task, st.integers(0, 4), st.integers(0, 1))


def unique(tasks):
    return list({t["id"]: t for t in tasks}.values())


@settings(max_examples=60, deadline=None)
@given(
    st.lists(ALIASED, max_size=6).map(unique),
    st.lists(ALIASED, min_size=1, max_size=6).map(unique),
    st.sampled_from(["batched", "sequential"]),
)
def test_a_task_never_meets_its_own_run(update, retrieve, rollout):
    episodes, _, _ = run(update, retrieve, rollout)
    assert len(episodes) == 2 * len(retrieve)
    for episode in episodes:
        assert episode.init["problem_statement"] not in episode.memory_retrieved["told"]


def test_batched_leaves_out_the_task_alone_and_says_what_was_learned():
    update, retrieve = [task(1), task(2), task(3)], [task(2), task(8), task(9)]
    episodes, kept, updates = run(update, retrieve, "batched", 1)
    told = {e.task: e.memory_retrieved["told"] for e in episodes}
    everything = [t["problem_statement"] for t in update]
    assert told["t8.0"] == told["t9.0"] == everything
    assert told["t2.0"] == [everything[0], everything[2]]
    assert len(kept) == 1 and kept[0][0] == everything and len(kept[0][1]) == 3
    assert updates.tasks == 5


def test_sequential_learns_from_a_scored_task_in_its_turn():
    update, retrieve = [task(1), task(2)], [task(2), task(3), task(3, alias=1), task(4)]
    episodes, kept, _ = run(update, retrieve, "sequential", 2)
    told = {(e.task, e.repeat): [line.split()[1] for line in e.memory_retrieved["told"]] for e in episodes}
    for repeat in (1, 2):
        assert told["t2.0", repeat] == ["1"]
        assert told["t3.0", repeat] == told["t3.1", repeat] == ["1", "2"]
        assert told["t4.0", repeat] == ["1", "2", "3"]
    assert len(kept) == 1 and [e.task for e in kept[0][1]] == ["t1.0", "t2.0", "t3.1", "t4.0"]


SHARED = """
from agents.memo_structure import MemoStructure
COUNT = []

class Shares(MemoStructure):
    runs = []

    async def general_retrieve(self, recorder):
        return {"runs": self.runs, "count": COUNT}

    async def general_update(self, recorder):
        self.runs.append(recorder.reward)
        COUNT.append(1)
"""
TWO_MEMORIES = """
import asyncio, json, sys
from launch import AliasFinder, new_memory, EvalSpec, Watch
from evals.eval_envs.base_envs import Basic_Recorder
sys.meta_path.insert(0, AliasFinder())
spec = EvalSpec("x", sys.argv[1], "offline", [], [])
first, second = new_memory(Watch(print), spec), new_memory(Watch(print), spec)
asyncio.run(first.update(Basic_Recorder(reward=1.0)))
print(json.dumps([asyncio.run(m.retrieve(Basic_Recorder())).value for m in (first, second)]))
"""


def test_memories_share_nothing_through_their_class_or_module(tmp_path):
    path = tmp_path / "json.py"  # a name that must not stand in for the library's
    path.write_text(SHARED)
    done = subprocess.run(
        [sys.executable, "-c", TWO_MEMORIES, str(path)],
        cwd=ROOT / "evals",
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert json.loads(done.stdout) == [{"runs": [1.0], "count": [1]}, {"runs": [], "count": []}], done.stderr
