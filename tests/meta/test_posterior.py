from __future__ import annotations

import numpy as np
import pytest

from core.posterior import beliefs

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
