"""What is read from the streams of an H2 experiment, on streams whose truth is known."""

import dataclasses
import random

import numpy as np
import pytest

from core.experiments.accumulation import accumulations
from core.experiments.h2 import AGAIN, opposites, orders, step_of
from core.experiments.stream import curves, read_stream, write_stream
from core.options import PROJECT_ROOT
from core.report.h2 import sentence
from core.report.h2_figure import draw
from envs_archive.coding.tasks import Task, load_tasks
from evals.contract import Episode

FAMILIES = ["a"] * 6 + ["b"] * 6 + [""] * 12


def library():
    """24 tasks; the last one of family b contradicts two earlier ones."""
    tasks = [
        Task(f"t{i:02}", "issue", ("x",), (), project="p", family=family) for i, family in enumerate(FAMILIES)
    ]
    tasks[11] = dataclasses.replace(tasks[11], contradicts=("t06", "t07"))
    return {task.instance_id: task for task in tasks}


TASKS = library()


def steps(chance, count=6, seed=1, again=None, arm="memory"):
    """Streams of a control that resolves the even tasks, and of an arm whose ``chance(step)`` is asked for each."""
    rng = random.Random(seed)
    found = []
    for label in ("no_mem", arm):
        for number, (_, order) in enumerate(orders(list(TASKS), seed, count), 1):
            for task in order:
                step = step_of(TASKS, order, label, number, Episode(task, "retrieve", 1), "stream")
                even = int(task[1:]) % 2 == 0
                solved = rng.random() < chance(step) if label == arm else even
                found.append(dataclasses.replace(step, resolved=solved, reward=0.5 + solved / 2))
            if label == arm and again is not None:
                for task in order[:AGAIN]:
                    step = step_of(TASKS, order, label, number, Episode(task, "retrieve", 1), "again")
                    found.append(dataclasses.replace(step, resolved=again))
    return found


def even(step):
    return int(step.task[1:]) % 2 == 0


def test_orders_are_permutations_that_depend_on_the_seed_alone():
    found = orders(list(TASKS), 42, 6)
    assert all(sorted(order) == sorted(TASKS) for _, order in found)
    assert len({tuple(order) for _, order in found}) == 6 and found[0][0] == 42
    assert found == orders(list(reversed(TASKS)), 42, 6)
    places = np.array(
        [[order.index(t) for t in TASKS] for seed in range(200) for _, order in orders(list(TASKS), seed, 1)]
    )
    assert abs(places.mean(axis=0) - 11.5).max() < 2


def test_steps_know_their_relatives_and_what_they_contradict():
    assert opposites(TASKS)["t06"] == {"t11"} and opposites(TASKS)["t11"] == {"t06", "t07"}
    order = ["t00", "t06", "t11", "t08", "t07", "t01", *(f"t{i:02}" for i in range(12, 24))]

    def of(task, part="stream"):
        step = step_of(TASKS, order, "m", 1, Episode(task, "retrieve", 1), part)
        return step.position, step.relatives, step.contradicted

    assert of("t00") == (1, 0, 0) and of("t06") == (2, 0, 0)
    assert of("t11") == (3, 0, 1)  # t06 was met; t07 not yet
    assert of("t08") == (4, 2, 0)  # what contradicts others of the family is no contradiction to this one
    assert of("t07") == (5, 2, 1)
    assert of("t01") == (6, 1, 0) and of("t13") == (8, 0, 0)
    assert of("t00", "again") == (1, 1, 0)


def test_a_memory_that_helps_more_and_more_is_seen_to():
    [found] = accumulations(steps(lambda s: 1.0 if even(s) else s.position / 24), seed=0)
    rise = found.rise["resolved"]
    assert rise.delta > 0.3 and rise.p_shown < 0.05 and len(rise.by_order) == 6
    assert found.level["resolved"].paired.n == 24 and len(found.level["resolved"].by_build) == 6
    assert found.level["reward"].paired.delta == pytest.approx(found.level["resolved"].paired.delta / 2)
    assert found.gain["resolved"] == pytest.approx(24 * found.level["resolved"].paired.delta)


def test_a_memory_that_changes_nothing_shows_nothing():
    [found] = accumulations(steps(even), seed=0)
    assert found.rise["resolved"].p_shown == 1 and found.level["resolved"].p_shown == 1
    assert all(group.gained == group.lost == 0 for group in found.groups)


def test_sentences_claim_a_rise_only_where_there_is_one():
    [grows] = accumulations(steps(lambda s: 1.0 if even(s) else s.position / 24), seed=0)
    assert "Shown: in this project memory is worth more the more tasks it has seen." in sentence(grows, True)
    [fades] = accumulations(steps(lambda s: 1.0 - s.position / 24 if even(s) else 0.0), seed=0)
    assert "Shown: in this project memory is worth less" in sentence(fades, True)
    [level] = accumulations(steps(lambda s: 1.0), seed=0)
    assert "Shown: with it more tasks are resolved. Not shown: that this grows" in sentence(level, True)
    [same] = accumulations(steps(even), seed=0)
    assert "Not one task came out differently" in sentence(same, False) and "Further: memory" in sentence(
        same, False
    )
    [chance] = accumulations(steps(lambda s: 0.5), seed=0)
    assert "Not shown: that memory accumulates anything of use" in sentence(chance, True)
    [one] = accumulations(steps(lambda s: 1.0 if even(s) else s.position / 24, count=1), seed=0)
    assert "One order shows no rise" in sentence(one, True) and "Shown: " not in sentence(one, True)
    for found in (grows, fades, level, same, chance, one):
        assert "nan" not in sentence(found, True)


def test_what_is_said_of_the_level_holds_for_other_orders_too():
    """Half of the orders have a memory that solves everything: the tasks alone would show it."""
    [found] = accumulations(steps(lambda s: even(s) or s.order < 3), seed=0)
    level = found.level["resolved"]
    low, high = level.over_builds.interval
    assert level.paired.p_shown < 0.05 <= level.p_shown and low < 0 < level.paired.interval[0]
    assert f"(95 % {100 * low:+.1f} to {100 * high:+.1f}, p {level.p_shown:.3f}" in sentence(found, True)


def test_a_fall_that_only_the_number_of_arms_makes_doubtful_rules_out_no_rise():
    [found] = accumulations(steps(lambda s: 1.0 - s.position / 24 if even(s) else 0.0), seed=0)
    rise = dataclasses.replace(found.rise["resolved"], p_holm=0.06)
    assert rise.interval[1] < 0
    doubtful = dataclasses.replace(found, rise={**found.rise, "resolved": rise})
    assert "Not shown" in sentence(doubtful, False) and "ruled out" not in sentence(doubtful, False)
    [chance] = accumulations(steps(lambda s: 0.5), seed=0)
    assert "a rise above" in sentence(chance, True)


def test_harm_by_what_is_contradicted_is_counted_where_it_happens():
    [found] = accumulations(steps(lambda s: even(s) and not s.contradicted), seed=0)
    first, relative, against = found.groups
    assert (first.lost, relative.lost) == (0, 0) and against.lost > 0 and against.gained == 0
    assert sum(group.runs for group in found.groups) == 6 * 24


def test_tasks_asked_again_tell_what_was_forgotten():
    [forgot] = accumulations(steps(even, again=False), seed=0)
    again = forgot.again
    assert again.runs == 6 * AGAIN and again.won == again.kept == 0 and again.lost > 0
    assert again.transfer.delta == pytest.approx(-again.lost / again.runs)
    [kept] = accumulations(steps(lambda s: True, again=True), seed=0)
    assert (kept.again.kept, kept.again.lost) == (6 * AGAIN, 0)
    assert accumulations(steps(even), seed=0)[0].again is None


def test_further_arms_are_adjusted_for_their_number():
    first = steps(lambda s: 1.0 if even(s) else s.position / 24)
    more = [
        s
        for s in steps(lambda s: 1.0 if even(s) else s.position / 24, seed=1, arm="other")
        if s.arm == "other"
    ]
    primary, other = accumulations([*first, *more], seed=0)
    assert primary.rise["resolved"].p_holm is None
    assert other.rise["resolved"].p_holm >= other.rise["resolved"].p_both


def test_the_stream_is_read_as_it_was_written_and_drawn_the_same_twice(tmp_path):
    made = steps(even, again=True, count=3)
    write_stream(tmp_path / "stream.csv", made)
    assert read_stream(tmp_path / "stream.csv") == made
    both = [curves(read_stream(tmp_path / "stream.csv"), value) for value in ("resolved", "reward")]
    control, memory = both[0]
    assert control.gain == [] and len(memory.gain) == len(memory.mean) == 24
    drawn = [draw(*both, "title", tmp_path / name) for name in ("one", "two")]
    for one, two in zip(*drawn, strict=True):
        assert one.read_bytes() == two.read_bytes() and one.stat().st_size > 5000


def test_the_committed_series_are_long_and_contradict_themselves():
    rows = load_tasks(PROJECT_ROOT / "data/coding/longitudinal.jsonl")
    for project in ("clubledger", "probelog"):
        own = [task for task in rows if task.project == project]
        assert len(own) == 24
        families = [task.family for task in own if task.family]
        assert 10 <= len(families) <= 15 and all(families.count(f) > 2 for f in families)
        assert sum(bool(task.contradicts) for task in own) >= 3
        assert all("family" not in task.public("") and "contradicts" not in task.public("") for task in own)
