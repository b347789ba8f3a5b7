"""The base classes designs build on, and the token estimate."""

import asyncio
import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evals.agents.base import count_tokens, truncate_to_tokens
from evals.agents.memo_structure import MemoStructure, Sub_memo_layer
from evals.eval_envs.base_envs import Basic_Env, Basic_Recorder


def test_a_recorder_takes_a_run_and_explains_its_fields():
    recorder, other = Basic_Recorder(), Basic_Recorder()

    async def record():
        await recorder.log_init(project="geometry", problem_statement="wrong area")
        await recorder.log_memo_retrieved({"notes": "multiply"})
        await recorder.log_step(step=1, action={"action": "submit"}, observation="")
        await recorder.set_reward(1)

    asyncio.run(record())
    assert recorder.init["project"] == "geometry"
    assert [step["step"] for step in recorder.steps] == [1]
    assert (recorder.reward, recorder.memory_retrieved) == (1.0, {"notes": "multiply"})
    assert other.steps == [] and other.init == {}
    for field in dataclasses.fields(Basic_Recorder):
        assert set(field.metadata) == {"description", "type", "example"}


def test_a_design_may_leave_out_what_the_original_let_it_leave_out():
    class Layer(Sub_memo_layer):
        def __init__(self):
            self.store = []

        async def retrieve(self, **kwargs):
            return self.store

        async def update(self, item):
            self.store.append(item)

    class Design(MemoStructure):
        def __init__(self):  # without super().__init__()
            self.layer = Layer()

        async def general_retrieve(self, recorder):
            return {"items": await self.layer.retrieve()}

        async def general_update(self, recorder):
            await self.layer.update(recorder.reward)

    design = Design()
    asyncio.run(design.general_update(Basic_Recorder(reward=0.5)))
    assert asyncio.run(design.general_retrieve(Basic_Recorder())) == {"items": [0.5]}
    assert design.database is None and design.layer.database is None and design.layer.layer_intro


def test_what_is_not_implemented_cannot_be_used():
    with pytest.raises(TypeError):
        MemoStructure()
    with pytest.raises(TypeError):
        Basic_Env()


def test_the_token_estimate_is_near_the_usual_ratio():
    prose = "The average of an empty list should be reported as an error, and not as a zero. " * 20
    code = "for index, value in enumerate(self._items):\n    total += value * self.weights[index]\n" * 20
    assert 3.5 < len(prose) / count_tokens(prose) < 5
    assert 2.5 < len(code) / count_tokens(code) < 4.5
    assert count_tokens("") == 0


@given(st.text(max_size=300), st.integers(min_value=-1, max_value=80))
def test_truncation_gives_a_prefix_within_the_limit(text, limit):
    short = truncate_to_tokens(text, limit)
    assert text.startswith(short)
    assert count_tokens(short) <= max(limit, 0)
    if count_tokens(text) <= limit:
        assert short == text


def test_truncation_cuts_after_a_whole_line():
    lines = "".join(f"- change number {i} to {i + 1}\n" for i in range(40))
    assert truncate_to_tokens(lines, 100).endswith("\n")
