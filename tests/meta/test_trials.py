"""Racing and confirming: what a score stands on, with made-up outcomes of a given quality."""

from __future__ import annotations

import asyncio
import random
from pathlib import Path

import pytest

from core.memo_manager import Memo_Manager
from core.pareto import best_design, design_beliefs
from core.records import Record
from core.trials import Trials
from evals.contract import Episode, EvalResult

TASKS = [f"t{i:02}" for i in range(14)]


class Made:
    """Outcomes by design: a gain over what a task usually gives, which is the same for all designs."""

    tasks = TASKS
    noise = 0.05

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
                noise = random.Random(f"{sha} {task} {repeat} {again}").uniform(-self.noise, self.noise)
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
    trial = asyncio.run(Trials(made, archive, **options).score("child", Path("x"), [known[1]], known))
    return trial.fields, made.calls, known[1]


def test_a_worse_rewrite_is_stopped_on_a_third_of_the_tasks(archive):
    fields, calls, parent = scored(archive, -0.2, race=True)
    assert calls == [("eval", 5, 0)]
    assert (fields["tasks"], fields["episodes"]) == (5, 15)
    assert (
        fields["judged"].startswith("reject: probably worse, p 0.031: ")
        and "5 of 14 tasks" in fields["judged"]
    )
    # On all tasks it would have: five easy ones do not flatter it.
    assert fields["reward"] == pytest.approx(parent.reward - 0.2, abs=0.03)
    assert len(fields["runs"]["reward"]) == 5
    # Of the parent, and of what it differs by: not that of five tasks alone.
    assert fields["reward_se"] > parent.reward_se


class Alike(Made):
    """Every design passes the same 53 of 54 tests of each task, or 106 of 135."""

    async def evaluate(self, sha, path, mode, tasks=None, again=0) -> EvalResult:
        shares = {task: (53 / 54, 106 / 135)[number % 2] for number, task in enumerate(TASKS)}
        asked = TASKS if tasks is None else tasks
        return EvalResult(
            "ok", [Episode(task=t, phase="retrieve", repeat=1, reward=shares[t]) for t in asked]
        )


def test_how_scores_are_kept_is_no_evidence_in_a_race(archive):
    made = Alike({})
    parent = record("parent", made, archive)
    for i in range(10):
        trial = asyncio.run(
            Trials(made, archive, race=True).score(f"child{i}", Path("x"), [parent], [parent])
        )
        assert "(0 up, 0 down)" in trial.fields["judged"] and trial.fields["tasks"] == 14


def test_each_source_is_raced_on_tasks_of_its_own(archive):
    first = set()
    made = Made({"parent": 0.1} | {f"child{i}": -0.1 for i in range(30)})
    parent = record("parent", made, archive)
    for i in range(30):
        trial = asyncio.run(
            Trials(made, archive, race=True).score(f"child{i}", Path("x"), [parent], [parent])
        )
        again = asyncio.run(
            Trials(made, archive, race=True).score(f"child{i}", Path("x"), [parent], [parent])
        )
        assert trial == again and trial.fields["tasks"] == 5
        first |= trial.fields["runs"]["reward"].keys()
    assert first == set(TASKS)


def test_a_better_one_is_decided_on_two_thirds_and_completed_and_one_hardly_better_needs_them_all(archive):
    fields, calls, parent = scored(archive, 0.2, race=True)
    assert calls == [("eval", 5, 0), ("eval2", 5, 0), ("rest", 4, 0)]
    assert fields["judged"].startswith("accept: better") and "on 10 of 14 tasks" in fields["judged"]
    assert fields["tasks"] == 14
    assert fields["reward"] == pytest.approx(parent.reward + 0.2, abs=0.03)
    fields, calls, _ = scored(archive, 0.01, race=True)
    assert [n for _, n, _ in calls] == [5, 5, 4] and fields["tasks"] == 14
    whole, calls, _ = scored(archive, 0.01)
    assert [n for _, n, _ in calls] == [14]
    assert all(fields[name] == whole[name] for name in fields if name not in ("judged", "examples"))


def test_a_design_that_was_stopped_is_no_parent(archive):
    made = Made({"no_mem": 0.0, "parent": 0.1, "child": -0.1})
    archive.records = [record(sha, made, archive) for sha in ("no_mem", "parent")]
    fields = scored(archive, -0.2, race=True)[0]
    archive.records.append(Record("child", "child", "x", "parent", 1, 1, "ok", **fields))
    assert [c.sha for c in archive.candidates("reward")] == ["parent"]


def test_two_races_of_one_source_do_not_write_over_each_others_examples(archive):
    short, long = scored(archive, -0.2, race=True)[0], scored(archive, 0.01, race=True)[0]
    assert short["examples"] != long["examples"]
    assert all((archive.run_dir / fields["examples"]).is_file() for fields in (short, long))


def test_what_would_be_the_best_is_completed_and_run_again_with_another_seed(archive):
    fields, calls, _ = scored(archive, 0.2, race=True, confirm=True)
    assert calls == [("eval", 5, 0), ("eval2", 5, 0), ("rest", 4, 0), ("confirm", 14, 1)]
    assert (fields["tasks"], fields["episodes"]) == (14, 84)
    for runs in (fields["runs"], fields["confirmed"]):
        assert all(len(values) == 3 for values in runs["reward"].values())
    # The score is that on the tasks and with the luck of all others.
    means = [sum(v) / 3 for v in fields["runs"]["reward"].values()]
    assert fields["reward"] == pytest.approx(sum(means) / 14)
    _, calls, _ = scored(archive, -0.2, confirm=True)
    assert calls == [("eval", 14, 0)]


class Noisy(Made):
    noise = 0.3


def test_kin_count_when_it_is_decided_what_would_be_the_best(archive):
    """The same runs of a child of a line that does well, of one that does badly, and of a crossover of the two."""
    lines = {"good": 0.1, "bad": -0.1}
    gains = {"no_mem": 0.0, **lines} | {f"{line}{i}": gain for line, gain in lines.items() for i in range(4)}
    children = {f"child{i}": 0.05 + i / 400 for i in range(40)}
    made = Noisy(gains | children)
    known = {sha: record(sha, made, archive) for sha in gains}
    for sha, r in known.items():
        r.parent = sha[:-1] if sha[-1].isdigit() else None

    def confirmed(child: str, *parents: str) -> bool:
        trials = Trials(made, archive, confirm=True)
        above = [known[parent] for parent in parents]
        trial = asyncio.run(trials.score(child, Path("x"), above, list(known.values())))
        return bool(trial.fields.get("confirmed"))

    good, bad = ([confirmed(child, parent) for child in children] for parent in lines)
    crossed = [confirmed(child, "good", "bad") for child in children]
    assert sum(bad) < sum(crossed) < sum(good)
    assert all(g >= c >= b for g, c, b in zip(good, crossed, bad, strict=True))


class Lucky(Made):
    """Nothing but luck, which is that of the seed: designs that do nothing do not differ."""

    def __init__(self, number: int) -> None:
        super().__init__({})
        self.number = number

    async def evaluate(self, sha, path, mode, tasks=None, again=0) -> EvalResult:
        self.calls.append((sha, mode, again))
        rows = []
        for task in TASKS if tasks is None else tasks:
            for repeat in (1, 2, 3):
                solved = random.Random(f"{self.number} {task} {repeat} {again}").random() < 0.5
                rows.append(
                    Episode(task=task, phase="retrieve", repeat=repeat, reward=solved, resolved=solved)
                )
        return EvalResult("ok", rows)


@pytest.mark.parametrize("race", [False, True])
def test_designs_that_do_not_differ_are_told_apart_by_no_confirmation(archive, race):
    for number in range(20):
        made, known = Lucky(number), []
        trials = Trials(made, archive, race=race, confirm=True)
        for name in ("no_mem", "claude_md", "one", "two", "three"):
            parent = known[1] if len(known) > 1 else None
            fields = asyncio.run(trials.score(name, Path("x"), [parent] if parent else [], known)).fields
            known.append(Record(name, name, "x", parent and parent.sha, 0, 0, "ok", **fields))
        assert len({r.reward for r in known}) == 1
        assert len({round(b.mean, 9) for b in design_beliefs(known).values()}) == 1
        assert best_design(known, "reward").sha == "claude_md"
        # What the first ones have, and no tie asks for more.
        assert [sha for sha, mode, _ in made.calls if mode == "confirm"] == ["no_mem", "claude_md"]


def test_only_what_was_confirmed_is_named_the_best(archive):
    made = Made({"no_mem": 0.0, "sure": 0.1, "likely": 0.2})
    trials = Trials(made, archive, confirm=True)
    known = []
    for name in ("no_mem", "sure"):
        fields = asyncio.run(trials.score(name, Path("x"), [], known)).fields
        known.append(Record(name, name, "x", None, 0, 0, "ok", **fields))
    assert known[1].confirmed
    unconfirmed = asyncio.run(Trials(made, archive).score("likely", Path("x"))).fields
    known.append(Record("likely", "likely", "x", None, 0, 0, "ok", **unconfirmed))
    assert best_design(known, "reward").sha == "sure"


def test_a_design_that_breaks_on_later_tasks_has_failed(archive):
    made = Made({"parent": 0.1, "child": 0.3}, broken="eval2")
    parent = record("parent", made, archive)
    trial = asyncio.run(Trials(made, archive, race=True).score("child", Path("x"), [parent], [parent]))
    assert trial.error.endswith("ValueError: too late") and not trial.fields
