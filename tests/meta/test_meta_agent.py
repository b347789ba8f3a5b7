"""The loop with real prompts, the offline model, and designs that are really run."""

from __future__ import annotations

import asyncio
import json
import random
import shutil
from pathlib import Path

import pytest

from core.design_file import content_sha
from core.gateway.offline.design.compose import compose
from core.gateway.offline.design.space import Params
from core.memo_manager import Memo_Manager
from core.meta_agent import MetaAgent, ProposalEnded, StepStarted
from evals.utils import gateway_client

from .conftest import PARENTS, STEPS, ReplayEvaluator, agent_for, evolve, open_archive


class Picky(ReplayEvaluator):
    """Does not let a layer of fixes through the examination."""

    async def evaluate(self, sha: str, path: Path, mode: str, *more):
        result = await super().evaluate(sha, path, mode, *more)
        if "FixesLayer" in path.read_text() and mode == "test":
            result.status, result.error = "design_error", "Traceback:\nTypeError: FixesLayer is not allowed"
        return result


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Memo_Manager:
    """The archive of an undisturbed run."""
    archive = open_archive(tmp_path_factory.mktemp("finished"), "reference")
    evolve(archive)
    return archive


@pytest.fixture(scope="module")
def reference(finished: Memo_Manager) -> str:
    return (finished.run_dir / "archive.json").read_text()


def test_an_evolution_starts_with_the_baselines_and_archives_scored_children(finished):
    archive = finished
    assert [r.sha for r in archive.records][:2] == ["no_mem", "claude_md"]
    assert archive.records[2].parent is None and archive.records[2].step == 0
    children = [r for r in archive.records if r.parent]
    assert {r.step for r in children} == {1, 2}
    for child in children:
        assert child.sha == child.content and archive.path(child).name == f"memo_structure_{child.sha}.py"
        assert child.suggestion["suggested_changes"]
        assert child.generation == archive.find(child.parent).generation + 1
        if child.status == "ok":
            assert child.improve_score == pytest.approx(child.reward - archive.find(child.parent).reward)
            assert archive.examples(child)
    assert archive.no_memo_reward == 0.5


def test_visits_and_proposals_agree(finished):
    taken = [p.parent for p in finished.proposals if p.kind == "rewrite"]
    assert len(taken) >= STEPS
    for record in finished.records:
        assert record.visits == taken.count(record.sha)
    assert all(p.end in ("ok", "design_error", "duplicate") for p in finished.proposals)


def test_no_source_is_evaluated_twice(new_archive):
    evaluator = ReplayEvaluator()
    evolve(new_archive("run"), evaluator, concurrent=5)
    assert len(evaluator.calls) == len(set(evaluator.calls))


@pytest.mark.parametrize("concurrent", [1, 5])
def test_the_same_seed_gives_the_same_archive_at_any_concurrency(new_archive, reference, concurrent):
    async def jitter(number: int, sha: str, mode: str) -> None:
        await asyncio.sleep(
            0.02 * (int(sha, 16) % 3 if sha.isalnum() and mode == "eval" and len(sha) == 8 else 0)
        )

    assert evolve(new_archive("other"), ReplayEvaluator(jitter), concurrent) == reference


def test_another_seed_gives_another_archive(new_archive, reference):
    assert evolve(new_archive("other"), rng=random.Random(8)) != reference


def test_a_run_killed_at_any_checkpoint_ends_with_the_same_archive(new_archive, reference, tmp_path):
    """What is on disk at an event, or when an evaluation begins, is what a kill at that moment leaves."""
    left: dict[str, str] = {}

    def photograph(event: object = None) -> None:
        checkpoint = (archive.run_dir / "archive.json").read_text()
        if checkpoint not in left:
            left[checkpoint] = f"killed{len(left)}"
            shutil.copytree(archive.run_dir, tmp_path / "logs" / left[checkpoint])
            shutil.copytree(archive.designs_dir.parent, tmp_path / f"{left[checkpoint]}_archive")

    async def out_of_order(number: int, sha: str, mode: str) -> None:
        """The first design evaluated in step 2 is the last to finish, though its turn comes earlier."""
        photograph()
        if archive.step == 2 and mode == "eval" and not held:
            held.append(sha)
            while len(archive.pending()) > 1:  # noqa: ASYNC110 (there is no event for "the others have finished")
                await asyncio.sleep(0.005)

    held: list[str] = []
    archive = new_archive("whole")
    evaluator = ReplayEvaluator(out_of_order)
    assert evolve(archive, evaluator, concurrent=2, on_event=photograph) == reference
    assert len(left) > 8
    assert any('"outcome": {' in checkpoint for checkpoint in left), "one finished before its turn"
    for name in left.values():
        again = ReplayEvaluator()
        assert evolve(new_archive(name), again, rng=random.Random(99)) == reference, name
        assert len(again.calls) < len(evaluator.calls) or name == "killed0"


def test_an_outage_stops_the_run_after_what_is_under_way_and_scores_nothing(new_archive, reference):
    async def outage(number: int, sha: str, mode: str) -> None:
        if number == 8:
            raise ConnectionError("model is down")

    archive = new_archive("outage")
    with pytest.raises(ConnectionError):
        evolve(archive, ReplayEvaluator(outage), concurrent=3)
    saved = new_archive("outage")
    full = [r["sha"] for r in json.loads(reference)["records"]]
    assert [r.sha for r in saved.records] == full[: len(saved.records)]
    assert saved.pending()
    assert evolve(saved) == reference


def test_a_design_that_fails_is_repaired_or_kept_with_its_reason(new_archive):
    """One kind of layer is not allowed here: the repair takes it out, or the design is given up."""
    archive = new_archive("picky")
    evolve(archive, Picky())
    evolved = [r for r in archive.records if r.sha == r.content]
    assert any(len(r.attempts) > 1 and r.status == "ok" for r in evolved), "something was repaired"
    for record in evolved:
        assert [a.error is None for a in record.attempts] == [False] * (len(record.attempts) - 1) + [
            record.status == "ok"
        ]
        assert ("FixesLayer" in archive.source(record)) == (record.status == "design_error")
        if record.status == "design_error":
            assert len(record.attempts) == 3 and "not allowed" in record.error and record.reward is None


def test_failed_designs_are_shown_to_the_meta_agent(new_archive, monkeypatch):
    from core import proposing

    prompts = []
    ask = proposing.ask_model

    async def spy(model, prompt):
        prompts.append(prompt)
        return await ask(model, prompt)

    monkeypatch.setattr(proposing, "ask_model", spy)

    class Hostile(ReplayEvaluator):
        async def evaluate(self, sha: str, path: Path, mode: str, *more):
            result = await super().evaluate(sha, path, mode, *more)
            if sha == path.stem.removeprefix("memo_structure_") and len(sha) == 8:
                result.status, result.error = "design_error", "ValueError: broken on purpose"
            return result

    archive = new_archive("hostile")
    evolve(archive, Hostile())
    failed = [r for r in archive.records if r.status == "design_error" and r.step < STEPS]
    last = next(p for p in reversed(prompts) if p.purpose == "analyze")
    assert failed
    for record in failed:
        assert f"- {record.sha} (failed): " in last.user
    assert "It failed: ValueError: broken on purpose" in last.user
    assert {p.parent for p in archive.proposals if p.kind == "rewrite"} == {"claude_md"}


def test_a_run_can_start_from_another_runs_archive(finished, reference, tmp_path):
    history = finished.run_dir / "archive.json"
    archive = Memo_Manager(tmp_path / "next", finished.designs_dir)
    evaluator = ReplayEvaluator()
    evolve(archive, evaluator, history_ckpt_path=str(history))
    old = [r["sha"] for r in json.loads(reference)["records"]]
    assert [r.sha for r in archive.records][: len(old)] == old
    assert archive.step == 2 * STEPS and len(archive.records) > len(old)
    assert not {sha for sha, _ in evaluator.calls} & set(old)
    assert history.read_text() == reference
    assert all((archive.run_dir / r.examples).exists() for r in archive.records if r.examples)


def test_a_start_from_an_interrupted_run_leaves_its_unfinished_visits_behind(new_archive):
    async def outage(number: int, sha: str, mode: str) -> None:
        if number == 8:
            raise ConnectionError("model is down")

    with pytest.raises(ConnectionError):
        evolve(new_archive("outage"), ReplayEvaluator(outage), concurrent=1)
    interrupted = new_archive("outage")
    assert (
        sum(r.visits for r in interrupted.records) > sum(p.end is not None for p in interrupted.proposals) - 3
    )
    archive = Memo_Manager(interrupted.run_dir.parent / "next", interrupted.designs_dir)
    archive.adopt(interrupted.run_dir)
    finished = [p.parent for p in archive.proposals if p.kind == "rewrite"]
    assert [r.visits for r in archive.records] == [finished.count(r.sha) for r in archive.records]
    evolve(archive)
    assert archive.step == interrupted.step + STEPS


def test_a_run_under_way_cannot_start_from_another(finished, new_archive):
    with pytest.raises(ValueError, match="a run that has begun"):
        finished.adopt(finished.run_dir)
    with pytest.raises(ValueError, match="no archive at "):
        new_archive("x").adopt(finished.run_dir / "nothing.json")


@pytest.mark.parametrize("text", ["", "{", "[]", '{"schema": 1}', '{"schema": 2}'])
def test_a_broken_checkpoint_is_named(new_archive, text):
    folder = new_archive("broken").run_dir
    folder.mkdir(parents=True)
    (folder / "archive.json").write_text(text)
    with pytest.raises(ValueError, match=r"broken/archive\.json: not a readable archive: "):
        new_archive("broken")


@pytest.mark.parametrize("runs", [[1], {"reward": {}}, {"reward": {"t": ["x"]}}, {"reward": {"t": []}}])
def test_runs_that_are_none_are_named(finished, reference, tmp_path, runs):
    broken = json.loads(reference)
    broken["records"][1]["runs"] = runs
    (tmp_path / "archive.json").write_text(json.dumps(broken))
    with pytest.raises(ValueError, match="not a readable archive"):
        Memo_Manager.load(tmp_path, finished.designs_dir)


def test_a_missing_design_file_is_named(new_archive):
    archive = new_archive("gone")
    evolve(archive)
    lost = archive.path(archive.records[2])
    lost.unlink()
    with pytest.raises(ValueError, match=f"design file missing: coding/{lost.name}"):
        new_archive("gone")


def test_a_model_that_refuses_costs_one_proposal_and_says_so(new_archive, monkeypatch):
    usual = gateway_client.request

    async def refuse(path, body, purpose):
        if purpose == "generate" and "# Design claude_md" in body["messages"][1]["content"]:
            raise gateway_client.Refused("not this one")
        return await usual(path, body, purpose)

    monkeypatch.setattr(gateway_client, "request", refuse)
    archive = new_archive("refused")
    evolve(archive)
    refused = [p for p in archive.proposals if p.parent == "claude_md" and p.kind == "rewrite"]
    assert refused and archive.find("claude_md").visits == len(refused)
    for proposal in refused:
        assert (proposal.end, proposal.child) == ("design_error", None)
        assert proposal.reason == "the meta model gave no design: not this one"
    assert new_archive("refused").pending() == []


def test_a_reply_without_code_is_sent_back_and_an_unusable_analysis_is_asked_for_again(
    new_archive, monkeypatch
):
    usual, asked = gateway_client.request, []

    async def clumsy(path, body, purpose):
        answer = await usual(path, body, purpose)
        if "messages" in body:
            asked.append((purpose, body["messages"][1]["content"]))
        if purpose in ("analyze", "generate") and len(body["messages"]) == 2:
            answer["choices"][0]["message"]["content"] = f"I would rather talk. {len(asked)}"
        return answer

    monkeypatch.setattr(gateway_client, "request", clumsy)
    archive = new_archive("clumsy")
    evolve(archive)
    evolved = [r for r in archive.records if r.sha == r.content]
    assert evolved
    for record in evolved:
        assert record.attempts[0].error.startswith("The reply holds no Python code")
        assert record.status == "ok" and "no Python code" not in str(record.attempts[1].error)
    repairs = [text for purpose, text in asked if purpose == "repair"]
    assert sum("I would rather talk." in text for text in repairs) == len(evolved)


def test_the_same_source_from_two_parents_is_one_design(new_archive, monkeypatch):
    """A model with a single idea: it is evaluated once, entered once, and the other proposal says why it is not."""
    usual = gateway_client.request
    idea = compose(Params(layers=("fixes", "cases"), k=16))

    async def stubborn(path, body, purpose):
        answer = await usual(path, body, purpose)
        if purpose in ("generate", "repair") and "# Design " in body["messages"][1]["content"]:
            answer["choices"][0]["message"]["content"] = f"```python\n{idea}```"
        return answer

    monkeypatch.setattr(gateway_client, "request", stubborn)
    checkpoints = []
    for name, concurrent in (("one", 1), ("two", 2)):
        archive, evaluator = new_archive(name), ReplayEvaluator()
        checkpoints.append(evolve(archive, evaluator, concurrent))
        first = [p for p in archive.proposals if p.step == 1]
        assert [p.end for p in first] == ["ok", "duplicate"]
        assert first[1].reason == f"the same source as {content_sha(idea)}"
        assert [r.content for r in archive.records].count(content_sha(idea)) == 1
        assert [sha for sha, mode in evaluator.calls if mode == "eval"].count(content_sha(idea)) == 1
        assert all(
            p.end == "duplicate" and "exactly the source" in p.reason
            for p in archive.proposals
            if p.step == 2
        )
    assert checkpoints[0] == checkpoints[1]


def stubborn_model(monkeypatch: pytest.MonkeyPatch, idea: str) -> None:
    """Whatever is asked, the successor of a design is this one; repairs are as usual."""
    usual = gateway_client.request

    async def request(path, body, purpose):
        answer = await usual(path, body, purpose)
        if purpose == "generate" and "# Design " in body["messages"][1]["content"]:
            answer["choices"][0]["message"]["content"] = f"```python\n{idea}```"
        return answer

    monkeypatch.setattr(gateway_client, "request", request)


def test_a_version_that_failed_once_is_not_examined_again_in_a_later_step(new_archive, monkeypatch):
    idea = compose(Params(layers=("fixes", "cases"), k=16))
    stubborn_model(monkeypatch, idea)
    evaluator = Picky()
    archive = new_archive("again")
    evolve(archive, evaluator)
    assert evaluator.calls.count((content_sha(idea), "test")) == 1
    repaired = [r for r in archive.records if r.parent]
    assert {r.step for r in repaired} == {1, 2}
    assert all(
        r.attempts[0].content == content_sha(idea) and "not allowed" in r.attempts[0].error for r in repaired
    )


def test_nothing_new_is_begun_after_an_outage(new_archive):
    async def outage(number: int, sha: str, mode: str) -> None:
        if number >= 6:
            raise ConnectionError("model is down")

    evaluator = ReplayEvaluator(outage)
    with pytest.raises(ConnectionError):
        evolve(new_archive("outage"), evaluator, concurrent=1)
    assert len(evaluator.calls) == 6


def test_an_interrupted_run_waits_for_its_evaluations_to_clean_up(new_archive, reference):
    cleaned = []

    async def slow(number: int, sha: str, mode: str) -> None:
        if number >= 6:
            try:
                await asyncio.sleep(60)
            finally:
                await asyncio.sleep(0.01)
                cleaned.append(sha)

    async def interrupted() -> None:
        evaluator = ReplayEvaluator(slow)
        agent = agent_for(new_archive("interrupted"), evaluator)
        running = asyncio.ensure_future(agent.forward(STEPS, PARENTS, 2))
        while len(evaluator.calls) < 6:  # noqa: ASYNC110 (the evaluator has no event for it)
            await asyncio.sleep(0.005)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        assert len(cleaned) == len(evaluator.calls) - 5

    asyncio.run(interrupted())
    assert evolve(new_archive("interrupted")) == reference


def test_events_tell_the_run_in_order(new_archive):
    events = []
    archive = new_archive("events")
    evolve(archive, on_event=events.append)
    assert [e.step for e in events if isinstance(e, StepStarted)] == list(range(STEPS + 1))
    ended = [e for e in events if isinstance(e, ProposalEnded)]
    assert [e.proposal.parent for e in ended] == [p.parent for p in archive.proposals]
    assert [e.record.sha for e in ended if e.record] == [r.sha for r in archive.records]


def test_evolution_finds_a_design_better_than_no_memory_and_claude_md(new_archive):
    archive = new_archive("long")
    agent = agent_for(archive, ReplayEvaluator())
    asyncio.run(agent.forward(6, 3, 3))
    assert archive.best().reward > max(archive.no_memo_reward, archive.find("claude_md").reward)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"task_type": "alfworld"}, "no meta prompts for task type 'alfworld'"),
        ({"status": "test"}, "evolve on the 'train' split"),
        ({"hints": "some"}, "unknown hints 'some'"),
        ({"proposer": "oracle"}, "unknown proposer 'oracle'"),
        ({"selection": "best"}, "unknown selection policy 'best'"),
        ({"objective": "resolved"}, "alma is defined on the reward, not on 'resolved'"),
    ],
)
def test_what_cannot_be_used_is_said_in_one_line(new_archive, options, message):
    values = {"task_type": "coding", "status": "train", "hints": "full", "selection": "alma", **options}
    with pytest.raises(ValueError, match=message):
        MetaAgent(
            values.pop("task_type"),
            "offline",
            "offline",
            values.pop("status"),
            evaluator=ReplayEvaluator(),
            archive=new_archive("x"),
            rng=random.Random(1),
            **values,
        )
