"""The schedule without a barrier: which parent a proposal gets depends on no clock, no concurrency and no kill."""

from __future__ import annotations

import asyncio
import shutil

import pytest

from core.memo_manager import Memo_Manager
from core.meta_agent import WINDOW, ProposalEnded

from .conftest import STEPS, ReplayEvaluator, evolve, open_archive

PARENTS = 6
PROPOSALS = STEPS * PARENTS
START = 3


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Memo_Manager:
    archive = open_archive(tmp_path_factory.mktemp("steady"), "reference")
    evolve(archive, concurrent=1, parents=PARENTS, selection="rank")
    return archive


@pytest.fixture(scope="module")
def reference(finished: Memo_Manager) -> str:
    return (finished.run_dir / "archive.json").read_text()


def test_as_many_parents_are_taken_as_asked_for_whatever_the_archive_holds(finished):
    own = [p for p in finished.proposals if p.step > 0]
    assert [p.step for p in own] == [1] * PARENTS + [2] * PARENTS
    assert all(p.end is not None for p in own)
    assert len({p.parent for p in own}) < PROPOSALS  # a good one is taken again
    for record in finished.records:
        assert record.visits == sum(record.sha in p.parents for p in own)


def test_a_proposal_knows_what_was_entered_a_fixed_number_of_proposals_before(finished):
    for p in finished.proposals[START:]:
        assert p.known == max(START, p.number - WINDOW)
        assert p.parent in {r.sha for r in finished.known_to(p)}
    assert any(p.parent not in {r.sha for r in finished.records[:START]} for p in finished.proposals[START:])


@pytest.mark.parametrize("concurrent", [2, 5])
def test_the_same_seed_gives_the_same_archive_at_any_concurrency(new_archive, reference, concurrent):
    async def uneven(number: int, sha: str, mode: str) -> None:
        await asyncio.sleep(0.05 * (number * 7 % 5) if mode == "eval" else 0)

    archive = new_archive("other")
    assert evolve(archive, ReplayEvaluator(uneven), concurrent, PARENTS, selection="rank") == reference


def test_nobody_waits_for_the_slowest(new_archive, reference):
    """The first rewrite takes until all others that may be under way beside it have finished."""
    finished_before = []

    async def slow(number: int, sha: str, mode: str) -> None:
        first = archive.proposals[START] if len(archive.proposals) > START else None
        if first is not None and mode == "eval" and not finished_before:
            finished_before.append(None)
            for _ in range(4000):
                if sum(p.outcome is not None for p in archive.proposals) == WINDOW - 1:
                    return
                await asyncio.sleep(0.005)
            raise AssertionError("the others wait")

    archive = new_archive("slow")
    assert evolve(archive, ReplayEvaluator(slow), WINDOW, PARENTS, selection="rank") == reference
    assert WINDOW > PARENTS  # so that proposals of the next step were finished before the first of this one


def test_a_run_killed_at_any_checkpoint_ends_with_the_same_archive(new_archive, reference, tmp_path):
    left: dict[str, str] = {}

    def photograph(event: object = None) -> None:
        checkpoint = (archive.run_dir / "archive.json").read_text()
        ended = isinstance(event, ProposalEnded) and event.proposal.number % 3 == 0
        if checkpoint not in left and (not left or ended):
            left[checkpoint] = f"killed{len(left)}"
            shutil.copytree(archive.run_dir, tmp_path / "logs" / left[checkpoint])
            shutil.copytree(archive.designs_dir.parent, tmp_path / f"{left[checkpoint]}_archive")

    async def uneven(number: int, sha: str, mode: str) -> None:
        await asyncio.sleep(0.03 * (number * 7 % 5) if mode == "eval" else 0)

    archive, whole = new_archive("whole"), ReplayEvaluator(uneven)
    assert evolve(archive, whole, 5, PARENTS, selection="rank", on_event=photograph) == reference
    assert len(left) > PROPOSALS // 3
    for name in left.values():
        again = ReplayEvaluator()
        again.finished = dict(whole.finished)  # it lies on disk
        assert evolve(new_archive(name), again, 3, PARENTS, selection="rank") == reference, name


def test_an_outage_is_gone_on_from(new_archive, reference):
    async def outage(number: int, sha: str, mode: str) -> None:
        if number == 14:
            raise ConnectionError("model is down")

    with pytest.raises(ConnectionError):
        evolve(new_archive("outage"), ReplayEvaluator(outage), 3, PARENTS, selection="rank")
    saved = new_archive("outage")
    assert START < saved.entered < START + PROPOSALS
    assert evolve(saved, None, 5, PARENTS, selection="rank") == reference


def test_another_run_is_evolved_on_from_without_a_barrier(finished, new_archive, tmp_path):
    archive = Memo_Manager(tmp_path / "next", finished.designs_dir)
    evolve(
        archive, parents=PARENTS, selection="thompson", history_ckpt_path=finished.run_dir / "archive.json"
    )
    own = [p for p in archive.proposals if p.step > finished.step]
    assert [p.step for p in own] == [3] * PARENTS + [4] * PARENTS
    assert archive.entered == len(archive.proposals)


def test_a_race_that_is_killed_and_resumed_at_another_concurrency_ends_the_same(new_archive):
    """Racing and confirming depend on the parent and on the known archive; both are fixed when a proposal is begun."""
    options = {"selection": "thompson", "evaluation": "race", "confirm": True, "objective": "resolved"}
    whole = ReplayEvaluator()
    reference = evolve(new_archive("reference"), whole, 1, PARENTS, **options)
    assert any(mode == "confirm" for _, mode in whole.calls)

    async def outage(number: int, sha: str, mode: str) -> None:
        await asyncio.sleep(0.03 * (number * 7 % 5) if mode != "test" else 0)
        if number == 24:
            raise ConnectionError("model is down")

    with pytest.raises(ConnectionError):
        evolve(new_archive("outage"), ReplayEvaluator(outage), 5, PARENTS, **options)
    assert evolve(new_archive("outage"), ReplayEvaluator(), 2, PARENTS, **options) == reference
