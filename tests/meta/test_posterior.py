from __future__ import annotations

import numpy as np
import pytest

from core.pareto import design_beliefs
from core.posterior import _kinship, beliefs
from core.records import Record

TASKS = [f"t{i}" for i in range(14)]


def archive(rng: np.random.Generator, abilities, repeats: int = 3) -> dict[str, dict[str, list[float]]]:
    """Designs whose outcomes are ability, plus an easy or hard task, plus chance."""
    tasks = rng.normal(0, 0.25, len(TASKS))
    return {
        f"d{i}": {
            t: list(a + of_task + rng.normal(0, 0.15, repeats))
            for t, of_task in zip(TASKS, tasks, strict=True)
        }
        for i, a in enumerate(abilities)
    }


def test_the_best_of_equals_is_believed_to_be_hardly_better():
    """The winner's curse: forty designs that do not differ; the best of them promises more than it has."""
    promised, believed = [], []
    for seed in range(12):
        found = beliefs(archive(np.random.default_rng(seed), [0.6] * 40))
        middle = np.mean([b.level for b in found.values()])
        best = max(found.values(), key=lambda b: b.level)
        promised.append(best.level - middle)
        believed.append(best.mean - middle)
    assert np.mean(promised) > 0.04
    assert np.mean(believed) < 0.3 * np.mean(promised)


def test_real_differences_are_believed_and_intervals_cover_them():
    hits, errors = [], []
    for seed in range(30):
        rng = np.random.default_rng(seed)
        abilities = rng.normal(0.6, 0.15, 20)
        found = beliefs(archive(rng, abilities))
        shift = np.mean([b.level for b in found.values()]) - abilities.mean()  # what the tasks happen to be
        for ability, b in zip(abilities, found.values(), strict=True):
            hits.append(abs(b.mean - shift - ability) < 1.96 * b.sd)
            errors.append((b.mean - shift - ability) ** 2 - (b.level - shift - ability) ** 2)
    assert np.mean(hits) == pytest.approx(0.95, abs=0.035)  # 600 intervals
    assert np.mean(errors) < 0


def test_a_design_that_ran_on_the_easy_tasks_alone_does_not_look_better_for_it():
    rng = np.random.default_rng(5)
    runs = archive(rng, [0.6, 0.6, 0.6, 0.5])
    difficulty = {t: np.mean([np.mean(runs[d][t]) for d in ("d0", "d1", "d2")]) for t in TASKS}
    easy = sorted(TASKS, key=difficulty.get)[-5:]
    runs["d3"] = {t: runs["d3"][t] for t in easy}
    raw = np.mean([np.mean(v) for v in runs["d3"].values()])
    found = beliefs(runs)
    assert raw > max(found[d].level for d in ("d0", "d1", "d2"))
    assert found["d3"].mean < min(found[d].mean for d in ("d0", "d1", "d2"))
    assert found["d3"].sd > found["d0"].sd


def test_scale_and_shift_carry_over_and_more_repeats_make_surer():
    runs = archive(np.random.default_rng(1), [0.5, 0.6, 0.7])
    moved = {d: {t: [8 * x - 3 for x in v] for t, v in of.items()} for d, of in runs.items()}
    for d, b in beliefs(runs).items():
        other = beliefs(moved)[d]
        assert (other.mean, other.sd, other.level) == pytest.approx(
            (8 * b.mean - 3, 8 * b.sd, 8 * b.level - 3)
        )
    again = {**runs, "d2": {t: v * 2 for t, v in runs["d2"].items()}}
    assert beliefs(again)["d2"].sd < beliefs(runs)["d2"].sd


def test_what_leaves_nothing_to_judge_by_is_believed_as_it_is():
    assert beliefs({}) == {} and beliefs({"a": {}}) == {}
    one = beliefs({"a": {"t": [0.5]}})["a"]
    assert (one.mean, one.sd, one.level) == pytest.approx((0.5, 0.0, 0.5))
    same = beliefs({d: {t: [0.5, 0.5] for t in TASKS} for d in "ab"})
    assert same["a"].mean == pytest.approx(0.5) and same["a"] == same["b"]


def lineage(rng: np.random.Generator, n: int, rho: float) -> tuple[list[float], dict[str, list[str]]]:
    """Abilities of designs that are as good as their parent but for a part of their own, every fifth of two parents."""
    of = [rng.normal(), rng.normal()]
    parents: dict[str, list[str]] = {}
    for i in range(2, n):
        above = rng.choice(i, 2 if i % 5 == 0 else 1, replace=False)
        parents[f"d{i}"] = [f"d{p}" for p in above]
        of.append(rho * np.mean([of[p] for p in above]) + np.sqrt(1 - rho**2) * rng.normal())
    return [0.6 + 0.08 * a for a in of], parents


@pytest.mark.parametrize(("rho", "gain"), [(0.9, 0.2), (0.0, -0.05)])
def test_kin_tell_about_each_other_as_far_as_worth_is_inherited(rho, gain):
    hits, alone, together = [], [], []
    for seed in range(20):
        rng = np.random.default_rng(seed)
        abilities, parents = lineage(rng, 40, rho)
        runs = archive(rng, abilities, repeats=1)
        known = beliefs(runs, parents)
        shift = np.mean([b.level for b in known.values()]) - np.mean(abilities)
        for errors, found in ((alone, beliefs(runs)), (together, known)):
            errors += [(b.mean - shift - a) ** 2 for a, b in zip(abilities, found.values(), strict=True)]
        hits += [
            abs(b.mean - shift - a) < 1.96 * b.sd for a, b in zip(abilities, known.values(), strict=True)
        ]
    assert np.mean(together) < (1 - gain) * np.mean(alone)
    assert np.mean(hits) == pytest.approx(0.95, abs=0.035)  # 800 intervals


def test_a_crossover_is_half_of_each_parent():
    """Roots 0 and 1, a child 2 of the first, a crossover 3 of those two, a crossover 4 of parent and child."""
    k = _kinship([[], [], [0], [2, 1], [0, 2]], 0.8)
    assert k[3].tolist() == pytest.approx([0.8 * 0.8 / 2, 0.8 / 2, 0.8 / 2, 1, 0.8 * 0.4 * (0.8 + 1) / 2])
    assert k[4, 0] == pytest.approx(0.8 * (1 + 0.8) / 2)
    assert np.array_equal(k, k.T) and (np.linalg.eigvalsh(k) > 0).all()


def test_of_two_designs_with_one_score_that_with_the_better_children_is_believed_more():
    rng = np.random.default_rng(3)
    abilities = [0.6, 0.6, *[0.75] * 6, *[0.45] * 6]
    runs = archive(rng, abilities)
    runs["d1"] = runs["d0"]
    parents = {f"d{i}": ["d0" if i < 8 else "d1"] for i in range(2, 14)}
    found = beliefs(runs, parents)
    assert found["d0"].level == found["d1"].level
    assert found["d0"].mean > found["d1"].mean + 0.01
    child = {**runs, "new": {t: runs["d0"][t] for t in TASKS[:3]}}
    above, beside = (beliefs(child, parents | {"new": [p]})["new"].mean for p in ("d2", "d8"))
    assert above > beside  # what is hardly known is believed to be like its parent
    assert beliefs(runs, parents | {"d0": ["gone"]}) == found


def test_the_beliefs_of_an_archive_go_by_descent_through_both_parents():
    rng = np.random.default_rng(7)
    runs = archive(rng, [0.6, 0.6, *[0.75] * 4, *[0.45] * 4, 0.6, 0.6, 0.6])
    for i in (11, 12):
        runs[f"d{i}"] = runs["d10"]
    parents = {i: ("d0",) if i < 6 else ("d1",) for i in range(2, 10)}
    parents |= {10: ("d2",), 11: ("d2", "d6"), 12: ("d6",)}
    records = []
    for i in range(13):
        above = [*parents.get(i, ()), None, None]
        records.append(
            Record(f"d{i}", f"d{i}", "x", above[0], 1, 0, "ok", reward=0.5, runs={"reward": runs[f"d{i}"]})
        )
        records[-1].second = above[1]
    found = design_beliefs(records)
    assert found["d10"].mean > found["d11"].mean > found["d12"].mean
