"""What an H3 experiment concludes from scores on the test half whose truth is known."""

import dataclasses
import re

import numpy as np
import pytest

from core.design_file import Design
from core.experiments.evaluate import Row
from core.experiments.h3 import Found, Search, evolved_against_by_hand
from core.experiments.statistics import paired_t, score
from core.memo_manager import Memo_Manager
from core.records import Record
from core.report.h3 import against_each, in_words
from evals.contract import Episode

TASKS = [f"p{i % 4}-{i:02}" for i in range(24)]
PROJECTS = {task: task[:2] for task in TASKS}


def row(name, chance, rng, repeats=2):
    """A design's row; ``chance`` to resolve each task."""
    episodes = [
        Episode(task, "retrieve", repeat, resolved=bool(rng.random() < p), reward=0.5)
        for task, p in zip(TASKS, chance, strict=True)
        for repeat in range(1, repeats + 1)
    ]
    return Row(name, "ok", episodes, score(episodes), None, 0, 0.0)


def experiment(tmp_path, gains, seed=1):
    """Three designs by hand, and one winner of a search for each gain over them."""
    rng = np.random.default_rng(seed)
    ease = rng.beta(1, 1, len(TASKS))
    rows = [row(name, ease, rng) for name in ("no_mem", "a", "b", "c")]
    searches = []
    for number, gain in enumerate(gains, 1):
        sha = f"{number:08x}"
        best = Record(sha, sha, f"coding/{sha}.py", None, 0, 0, "ok", reward=0.9, resolved=0.5)
        searches.append(Search(number, number, Memo_Manager(tmp_path, tmp_path), best))
        rows.append(row(sha, np.clip(ease + gain, 0, 1), rng))
    by_hand = [Design(name, tmp_path / name) for name in "abc"]
    winners = [Design(s.best.sha, tmp_path / s.best.sha) for s in searches]
    return Found(searches, by_hand, winners, rows)


def said(found):
    measure = evolved_against_by_hand(found, PROJECTS, 0, "resolved")
    return in_words(found, measure, [{"search_gain": 0.1, "test_gain": 0.02} for _ in found.searches])


def test_winners_are_set_against_the_mean_of_those_made_by_hand(tmp_path):
    found = experiment(tmp_path, [0.2, 0.1, 0.0])
    means = {
        r.design: np.array([np.mean([e.resolved for e in r.episodes if e.task == t]) for t in sorted(TASKS)])
        for r in found.rows
    }
    by_hand = np.mean([means[name] for name in "abc"], axis=0)
    each = [means[s.best.sha] - by_hand for s in found.searches]
    measure = evolved_against_by_hand(found, PROJECTS, 0, "resolved")
    assert measure.by_build == pytest.approx([d.mean() for d in each])
    assert measure.paired.n == 24 and measure.paired.t == pytest.approx(paired_t(np.mean(each, axis=0)).t)
    assert measure.over_builds.delta == pytest.approx(measure.paired.delta)


def test_a_gain_is_claimed_where_every_search_has_one(tmp_path):
    assert "Shown: on tasks like these evolution without hints beats the mean" in said(
        experiment(tmp_path, [0.5] * 3)
    )
    assert "Shown: on tasks like these evolution without hints does worse" in said(
        experiment(tmp_path, [-0.5] * 3)
    )


def test_a_gain_over_the_mean_is_told_apart_from_one_over_each(tmp_path):
    found = experiment(tmp_path, [0.3] * 3)
    rows = {row.design: row for row in found.rows}
    best = dataclasses.replace(rows[found.searches[0].best.sha], design="a")
    found = dataclasses.replace(found, rows=[best if row.design == "a" else row for row in found.rows])
    [each] = against_each(found, PROJECTS, 0)
    a, b, c = (float(x) for x in re.findall(r" [abc] ([+-][\d.]+) ", each))
    assert abs(a) < 5 < min(b, c)
    p = [float(x) for x in re.findall(r"\(p ([\d.]+)\)", each)]
    alone = evolved_against_by_hand(
        dataclasses.replace(found, by_hand=found.by_hand[1:2]), PROJECTS, 0, "resolved"
    )
    assert p[1] >= alone.p_shown
    lost = dataclasses.replace(found.searches[2], best=None)
    searches = [*found.searches[:2], lost]
    assert (
        "Left out: search 3" in against_each(dataclasses.replace(found, searches=searches), PROJECTS, 0)[-1]
    )


def test_nothing_is_claimed_by_chance_or_from_one_lucky_search(tmp_path):
    nothing = said(experiment(tmp_path, [0.0] * 3))
    assert "Not shown" in nothing and "Shown: " not in nothing and "nan" not in nothing
    assert "Shown: " not in said(experiment(tmp_path, [0.6, 0.0, 0.0]))
    assert "Fewer than three searches" in said(experiment(tmp_path, [0.0]))


def test_what_is_ruled_out_holds_for_other_searches_too(tmp_path):
    found = experiment(tmp_path, [0.6, 0.0, 0.0])
    m = evolved_against_by_hand(found, PROJECTS, 0, "resolved")
    low, high = m.over_builds.interval
    assert low < m.paired.interval[0] and m.paired.interval[1] < high
    text = said(found)
    assert f"95 % {100 * low:+.1f} to {100 * high:+.1f}" in text
    assert f"a gain above {100 * high:.1f} and a loss beyond {-100 * low:.1f} points are ruled out" in text


def test_the_promise_of_the_search_stands_beside_what_the_test_kept(tmp_path):
    assert "promised +10.0 points of reward over no memory there and kept +2.0" in said(
        experiment(tmp_path, [0.0] * 3)
    )


def test_designs_that_failed_in_the_test_leave_nothing_to_compare(tmp_path):
    found = experiment(tmp_path, [0.1])
    found.rows[-1] = Row("00000001", "design_error", [], None, "broke", 0, 0.0)
    assert evolved_against_by_hand(found, PROJECTS, 0, "resolved") is None
    assert "nothing is shown" in in_words(found, None, [])
