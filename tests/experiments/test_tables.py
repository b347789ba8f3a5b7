"""The table of an evaluation: what it says where there is little to say."""

import math

import numpy as np
import pytest

from core.experiments.evaluate import Row, with_pairs
from core.experiments.statistics import score
from core.report import tables
from evals.contract import Episode

TASKS = [f"t{i:02}" for i in range(24)]


def row(design, resolved):
    """One run of each task; the first ``resolved`` tasks are resolved."""
    episodes = [
        Episode(task, "retrieve", 1, reward=float(i < resolved), resolved=i < resolved)
        for i, task in enumerate(TASKS)
    ]
    return Row(design, "ok", episodes, score(episodes), None, 0, 0.0)


def printed(capsys, *rows):
    projects = {task: f"p{i % 4}" for i, task in enumerate(TASKS)}
    tables.comparison(with_pairs(rows, projects, seed=0), "title", [])
    return capsys.readouterr().out


def test_equal_designs_and_one_task_of_difference_are_no_finding(capsys):
    out = printed(capsys, row("no_mem", 5), row("same", 5), row("one more", 6))
    assert out.count("no difference is shown") == 2
    assert "nan" not in out
    bound = 100 * (1 - 0.025 ** (1 / 24))
    assert f"-{bound:.1f} to +{bound:.1f}" in out


@pytest.mark.parametrize(("resolved", "word"), [(22, "more"), (0, "fewer")])
def test_a_clear_difference_is_named_with_its_direction(capsys, resolved, word):
    out = printed(capsys, row("no_mem", 11), row("memory", resolved))
    assert f"{word} tasks resolved" in out


def test_one_of_many_designs_has_to_show_more_than_one_alone(capsys):
    """Six tasks gained and none lost: p .031 alone. Of eight designs without effect one has that in every fifth
    comparison."""
    alone = printed(capsys, row("no_mem", 5), row("memory", 11))
    assert "more tasks resolved" in alone and "Holm" not in alone
    assert "by bounds that are too wide rather than too narrow, since few tasks differ" in alone
    among = printed(capsys, row("no_mem", 5), row("memory", 11), *(row(f"d{i}", 5) for i in range(7)))
    assert among.count("no difference is shown") == 8 and "for all designs compared 0.250 (Holm)" in among
    assert "p (Holm)" in among
    clear = printed(capsys, row("no_mem", 5), row("memory", 24), *(row(f"d{i}", 5) for i in range(7)))
    assert clear.count("more tasks resolved") == 1 and clear.count("no difference is shown") == 7


def test_designs_that_failed_are_no_comparisons_to_adjust_for():
    failed = [Row(f"bad{i}", "design_error", [], None, "broke", 0, 0.0) for i in range(5)]
    projects = {task: f"p{i % 4}" for i, task in enumerate(TASKS)}
    rows = with_pairs([row("no_mem", 5), *failed, row("memory", 11), row("same", 5)], projects, seed=0)
    assert rows[-2].p_holm == pytest.approx(2 * rows[-2].versus.p_shown)
    assert rows[-2].p_holm_resolved == rows[-2].p_shown_resolved == pytest.approx(2 / 2**5)
    assert rows[1].p_holm is rows[0].p_holm is None


def test_a_p_that_does_not_exist_is_a_dash():
    assert tables.p_value(math.nan) == "-" and tables.p_value(np.float64(0.25)) == "0.250"
