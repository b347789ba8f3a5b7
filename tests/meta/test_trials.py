"""Racing and confirming: what a score stands on, with made-up outcomes of a given quality."""

from __future__ import annotations

import asyncio
import random
from pathlib import Path

import pytest

from core.memo_manager import Memo_Manager
from core.records import Record
from core.trials import Trials
from evals.contract import Episode, EvalResult

TASKS = [f"t{i:02}" for i in range(14)]


class Made:
    """Outcomes by design: a gain over what a task usually gives, which is the same for all designs."""

    tasks = TASKS

    def __init__(self, gains: dict[str, float], broken: str = "") -> None:
        self.gains, self.broken = gains, broken
        self.calls: list[tuple[str, int, int]] = []

    async def evaluate(self, sha, path, mode, tasks=None, again=0) -> EvalResult:
        chosen = TASKS if tasks is None else tasks
        self.calls.append((mode, len(chosen), again))
        if mode == self.broken:
            return EvalResult("design_error", error="Traceback\nValueError: too late")
        rows = []
        for task in chosen:
            usual = random.Random(task).uniform(0.3, 0.7)
            for repeat in (1, 2, 3):
                noise = random.Random(f"{sha} {task} {repeat} {again}").uniform(-0.05, 0.05)
                reward = min(1.0, max(0.0, usual + self.gains[sha] + noise))
                row = Episode(
                    task=task, phase="retrieve", repeat=repeat, reward=reward, resolved=reward > 0.7
                )
                rows.append(row)
        return EvalResult("ok", rows)


def record(sha: str, made: Made, archive: Memo_Manager) -> Record:
    fields = asyncio.run(Trials(made, archive).score(sha, Path("x"))).fields
    return Record(sha, sha, "x", None, 0, 0, "ok", **fields)


@pytest.fixture
def archive(tmp_path: Path) -> Memo_Manager:
    return Memo_Manager(tmp_path / "run", tmp_path / "designs")


def scored(archive: Memo_Manager, gain: float, **options):
    """(fields, evaluations) of a rewrite that is better than its parent by so much."""
    made = Made({"no_mem": 0.0, "parent": 0.1, "child": 0.1 + gain})
    known = [record(sha, made, archive) for sha in ("no_mem", "parent")]
    made.calls.clear()
    trial = asyncio.run(Trials(made, archive, **options).score("child", Path("x"), known[1], known))
    return trial.fields, made.calls, known[1]


def test_a_worse_rewrite_is_stopped_on_a_third_of_the_tasks(archive):
    fields, calls, parent = scored(archive, -0.2, race=True)
    assert calls == [("eval", 5, 0)]
    assert (fields["tasks"], fields["episodes"]) == (5, 15)
    assert fields["judged"].startswith("reject: worse, p 0.031: ") and "5 of 14 tasks" in fields["judged"]
    # On all tasks it would have: five easy ones do not flatter it.
    assert fields["reward"] == pytest.approx(parent.reward - 0.2, abs=0.03)
    assert set(fields["runs"]["reward"]) == set(TASKS[:5])


def test_a_better_one_is_accepted_on_two_thirds_and_one_hardly_better_needs_them_all(archive):
    fields, calls, parent = scored(archive, 0.2, race=True)
    assert calls == [("eval", 5, 0), ("eval2", 5, 0)]
    assert fields["judged"].startswith("accept: better") and fields["tasks"] == 10
    assert fields["reward"] == pytest.approx(parent.reward + 0.2, abs=0.03)
    fields, calls, _ = scored(archive, 0.01, race=True)
    assert [n for _, n, _ in calls] == [5, 5, 4] and fields["tasks"] == 14
    whole, calls, _ = scored(archive, 0.01)
    assert [n for _, n, _ in calls] == [14]
    assert all(fields[name] == whole[name] for name in fields if name not in ("judged", "examples"))


def test_a_parent_that_was_stopped_early_is_raced_on_the_tasks_it_ran_on(archive):
    made = Made({"parent": 0.1, "child": 0.0})
    parent = record("parent", made, archive)
    for runs in parent.runs.values():
        for task in TASKS[5:]:
            del runs[task]
    made.calls.clear()
    trial = asyncio.run(Trials(made, archive, race=True).score("child", Path("x"), parent, [parent]))
    assert made.calls == [("eval", 5, 0)] and trial.fields["judged"].startswith(
        "reject: all tasks were needed"
    )


def test_two_races_of_one_source_do_not_write_over_each_others_examples(archive):
    short, long = scored(archive, -0.2, race=True)[0], scored(archive, 0.01, race=True)[0]
    assert short["examples"] != long["examples"]
    assert all((archive.run_dir / fields["examples"]).is_file() for fields in (short, long))


def test_what_would_be_the_best_is_completed_and_run_again_with_another_seed(archive):
    fields, calls, _ = scored(archive, 0.2, race=True, confirm=True)
    assert calls == [("eval", 5, 0), ("eval2", 5, 0), ("rest", 4, 0), ("confirm", 14, 1)]
    assert (fields["tasks"], fields["episodes"]) == (14, 84)
    assert all(len(runs) == 6 for runs in fields["runs"]["reward"].values())
    assert fields["reward"] == pytest.approx(
        sum(sum(v) for v in fields["runs"]["reward"].values()) / 84, abs=1e-6
    )
    _, calls, _ = scored(archive, -0.2, confirm=True)
    assert calls == [("eval", 14, 0)]


def test_a_design_that_breaks_on_later_tasks_has_failed(archive):
    made = Made({"parent": 0.1, "child": 0.3}, broken="eval2")
    parent = record("parent", made, archive)
    trial = asyncio.run(Trials(made, archive, race=True).score("child", Path("x"), parent, [parent]))
    assert trial.error.endswith("ValueError: too late") and not trial.fields
