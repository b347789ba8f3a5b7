"""Runs one memory design on its tasks: the update phase, then the retrieve phase.

update    tasks run without memory; their finished recorders go to ``general_update`` one by one, in order.
retrieve  *batched*: every task x repeat concurrently against one memory that is only read;
          *sequential*: each repeat is an independent stream that retrieves before and updates after every task.

Leave one task out: no memory is asked about a task after it has been updated with a run of that task, its repeats
and its other ids included, whatever the design does. Batched: an update task that is also scored is left out of the
memory that meets it; the others keep it. Sequential: update tasks that are scored too are learned from only in their
turn, and a task that comes twice in a stream only after its last turn. Every memory is made from a freshly executed
copy of the design's file, so that streams share nothing through classes or modules either.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import time
from collections.abc import AsyncIterator, Callable, Iterable
from typing import Any

from evals.contract import Episode, EvalSpec, Phase, Updates
from evals.eval_envs.base_envs import Basic_Env, Basic_Recorder
from evals.utils.gateway_client import (
    ContextOverflow,
    InfraError,
    Refused,
    RequestRejected,
    Usage,
    call_purpose,
    call_scope,
    call_seed,
    call_usage,
    take_turn,
)
from evals.utils.hire_agent import Agent
from evals.workflows.history import cut_old_observations
from evals.workflows.memory_calls import MemoryCalls
from evals.workflows.same_task import task_keys, without


def episode_seed(seed: int, phase: Phase, task: str, repeat: int) -> int:
    """The agent's seed: a function of the run's seed and the episode, the same for every design under comparison."""
    digest = hashlib.sha256(f"{seed}/{phase}/{task}/{repeat}".encode()).digest()
    return int.from_bytes(digest[:4], "big") >> 1


@contextlib.contextmanager
def model_calls(scope: dict[str, Any], purpose: str, seed: int, usage: Usage):
    """Label every model call made inside the block; usage is added up in ``usage``."""
    tokens = [
        (call_scope, call_scope.set(scope)),
        (call_purpose, call_purpose.set(purpose)),
        (call_seed, call_seed.set(seed)),
        (call_usage, call_usage.set(usage)),
    ]
    try:
        yield
    finally:
        for variable, token in reversed(tokens):
            variable.reset(token)


class Agent_Workflow:
    """Args:
    spec: what to evaluate.
    make_env: a new environment for one episode of a phase and repeat.
    new_memory: a new, empty memory of the design, behind its guards; None when the spec has no design.
    on_episode: called with every finished episode, in the order of finishing.
    on_memory: called with a finished memory and the tasks it learned from: in batched mode with the one that most
        tasks are scored with, before they are; in sequential mode with that of the first stream, at its end.

    Attributes:
        updates: what it took the memories to learn, all of them together.
    """

    def __init__(
        self,
        spec: EvalSpec,
        make_env: Callable[[Phase, int], Basic_Env],
        new_memory: Callable[[], MemoryCalls] | None,
        on_episode: Callable[[Episode], None],
        on_memory: Callable[[MemoryCalls, list[Episode]], None] = lambda memory, learned: None,
    ) -> None:
        self.spec = spec
        self.make_env = make_env
        self.new_memory = new_memory
        self.on_episode = on_episode
        self.on_memory = on_memory
        self.updates = Updates()

    async def run_all_tasks(self, collected: list[Episode] | None, finished: list[Episode]) -> None:
        """Run both phases.

        Args:
            collected: update episodes that ran before, in order; None runs them here.
            finished: episodes of an earlier, broken-off try that need not run again.

        Raises:
            DesignError: the design broke its contract.
            InfraError: a fault outside the design; what is finished has been handed to ``on_episode``.
        """
        if collected is None:
            collected = await self._collect({e.task: e for e in finished if e.phase == "update"})
        if self.new_memory is None:
            return
        if self.spec.rollout == "batched":
            done = {(e.task, e.repeat) for e in finished if e.phase == "retrieve"}
            await self._retrieve_batched(collected, done)
        else:
            await self._retrieve_sequential(collected)

    async def _collect(self, done: dict[str, Episode]) -> list[Episode]:
        limit = asyncio.Semaphore(self.spec.update_concurrency)

        async def one(task: str) -> Episode:
            if task in done:
                return done[task]
            async with limit:
                episode, _ = await self._run_episode(task, "update", 0, None)
                return episode

        return await _all(one(task["id"]) for task in self.spec.update_tasks)

    async def _build(self, collected: list[Episode], stream: int) -> MemoryCalls:
        usage = Usage()
        seed = episode_seed(self.spec.seed, "update", "", stream)
        with _outages_first(usage), model_calls({"phase": "update", "repeat": stream}, "memory", seed, usage):
            memory = self.new_memory()
        for episode in collected:
            await self._update(memory, recorder_of(episode), episode.task, "update", stream)
        return memory

    async def _update(
        self, memory: MemoryCalls, recorder: Basic_Recorder, task: str, phase: Phase, repeat: int
    ) -> None:
        seed = episode_seed(self.spec.seed, phase, task, repeat)
        usage, started = Usage(), time.monotonic()
        with (
            _outages_first(usage),
            model_calls({"phase": phase, "task": task, "repeat": repeat}, "memory", seed, usage),
        ):
            await memory.update(recorder)
        self.updates.tasks += 1
        self.updates.calls += usage.calls
        self.updates.seconds = round(self.updates.seconds + time.monotonic() - started, 3)

    async def _retrieve_batched(self, collected: list[Episode], done: set[tuple[str, int]]) -> None:
        limit = asyncio.Semaphore(self.spec.retrieve_concurrency)

        async def one(task: str, repeat: int, memory: MemoryCalls) -> None:
            async with limit, self._turn(task, repeat):
                await self._run_episode(task, "retrieve", repeat, memory)

        for number, (learned, tasks) in enumerate(self._by_memory(collected)):
            memory = await self._build(learned, 0)
            if number == 0:
                self.on_memory(memory, learned)
            await _all(
                one(task, repeat, memory)
                for repeat in range(1, self.spec.repeats + 1)
                for task in tasks
                if (task, repeat) not in done
            )

    def _by_memory(self, collected: list[Episode]) -> list[tuple[list[Episode], list[str]]]:
        """(episodes to learn from, ids of the tasks to score with that), the most tasks first."""
        groups: dict[tuple[int, ...], tuple[list[Episode], list[str]]] = {}
        for task in self.spec.retrieve_tasks:
            learned = without(collected, [task])
            key = tuple(id(episode) for episode in learned)
            groups.setdefault(key, (learned, []))[1].append(task["id"])
        return sorted(groups.values(), key=lambda group: -len(group[1]))

    async def _retrieve_sequential(self, collected: list[Episode]) -> None:
        tasks = self.spec.retrieve_tasks
        kept = without(collected, tasks)

        async def stream(repeat: int) -> None:
            memory, learned = await self._build(kept, repeat), list(kept)
            for number, task in enumerate(tasks):
                async with self._turn(task["id"], repeat):
                    episode, recorder = await self._run_episode(task["id"], "retrieve", repeat, memory)
                if not any(task_keys(task) & task_keys(later) for later in tasks[number + 1 :]):
                    await self._update(memory, recorder, task["id"], "retrieve", repeat)
                    learned.append(episode)
            if repeat == 1:
                self.on_memory(memory, learned)

        await _all(stream(repeat) for repeat in range(1, self.spec.repeats + 1))

    async def _run_episode(
        self, task: str, phase: Phase, repeat: int, memory: MemoryCalls | None
    ) -> tuple[Episode, Basic_Recorder]:
        """One agent on one task. The step limit, a submit or a full context ends it; then it is graded."""
        episode = Episode(task=task, phase=phase, repeat=repeat)
        scope = {"phase": phase, "task": task, "repeat": repeat}
        seed = episode_seed(self.spec.seed, phase, task, repeat)
        acting, started = Usage(), time.monotonic()
        async with self._environment(phase, repeat) as env:
            _, recorder = await env.set_task_env(task)
            notes = ""
            if memory is not None:
                remembering, asked = Usage(), time.monotonic()
                with _outages_first(remembering), model_calls(scope, "memory", seed, remembering):
                    recalled = await memory.retrieve(recorder)
                notes, episode.memory_tokens = recalled.text, recalled.tokens
                episode.memory_calls = remembering.calls
                episode.memory_seconds = round(time.monotonic() - asked, 3)
                await recorder.log_memo_retrieved(recalled.value)
            with model_calls(scope, "act", seed, acting):
                episode.ended = await self._act(env, task, notes, episode)
            recorder = await env.cal_reward(None, task)
        verdict = env.verdict
        episode.reward, episode.resolved = verdict.reward, verdict.resolved
        episode.f2p_rate, episode.p2p_rate = verdict.f2p_rate, verdict.p2p_rate
        episode.flags, episode.grading_seconds = verdict.flags, verdict.seconds
        episode.steps = len(recorder.steps)
        episode.prompt_tokens, episode.completion_tokens = acting.prompt_tokens, acting.completion_tokens
        episode.seconds = round(time.monotonic() - started, 3)
        episode.init, episode.trajectory = recorder.init, recorder.steps
        episode.memory_retrieved = recorder.memory_retrieved
        self.on_episode(episode)
        return episode, recorder

    @contextlib.asynccontextmanager
    async def _turn(self, task: str, repeat: int) -> AsyncIterator[None]:
        if not self.spec.interleaved:
            yield
            return
        await take_turn(task, repeat, "start")
        try:
            yield
        finally:
            await take_turn(task, repeat, "end")

    @contextlib.asynccontextmanager
    async def _environment(self, phase: Phase, repeat: int) -> AsyncIterator[Basic_Env]:
        env = self.make_env(phase, repeat)
        try:
            yield env
        finally:
            await env.close()

    async def _act(self, env: Basic_Env, task: str, notes: str, episode: Episode) -> str:
        """The agent's loop; returns how it ended."""
        limit = self.spec.history_limit
        system, message = await env.get_prompt(notes)
        agent = Agent(system, model=self.spec.model)
        for _ in range(env.max_trails):
            if limit is not None:
                episode.cut_observations += cut_old_observations(agent.history, limit)
            try:
                reply = await agent.ask(message, with_history=True)
            except ContextOverflow:
                return "context"
            except Refused:
                return "refused"
            except RequestRejected as error:  # an unknown model, say: nothing that a design could help
                raise InfraError(f"model {self.spec.model}: {error}") from error
            observation, _ = await env.run_step(reply, task)
            if observation["dones"]:
                return "submit"
            message = observation["observation"]
        return "step_limit"


@contextlib.contextmanager
def _outages_first(usage: Usage):
    """A design may swallow the exception of a model that was down, or raise its own: neither says anything of it."""
    try:
        yield
    except Exception as error:
        if usage.infra_error is not None:
            raise InfraError(usage.infra_error) from error
        raise
    if usage.infra_error is not None:
        raise InfraError(usage.infra_error)


def recorder_of(episode: Episode) -> Basic_Recorder:
    """The recorder a design sees for an episode that ran before: its own copy, so that no design can change it."""
    fresh = Episode.from_json(episode.to_json())
    return Basic_Recorder(init=fresh.init, steps=fresh.trajectory, reward=fresh.reward, memory_retrieved={})


async def _all(coroutines: Iterable[Any]) -> list[Any]:
    """Run all to the end, results in order. After a first fault the others are cancelled; the worst one is raised:
    a design's error before an infrastructure fault, since the former needs no second try."""
    tasks = [asyncio.ensure_future(coroutine) for coroutine in coroutines]
    try:
        return await asyncio.gather(*tasks)
    except BaseException as first:
        for task in tasks:
            task.cancel()
        outcomes = await asyncio.gather(*tasks, return_exceptions=True)
        faults = [o for o in outcomes if isinstance(o, Exception) and not isinstance(o, InfraError)]
        if isinstance(first, InfraError) and faults:
            raise faults[0] from first
        raise
