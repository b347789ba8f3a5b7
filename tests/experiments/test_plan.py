"""What a plan promises: that the whole rule of a claim finds what the plan says it finds, as often as it says."""

import math

import numpy as np
import pytest

from core.experiments.contrasts import measure
from core.experiments.plan import Pilot, plan
from core.experiments.power import Layers, minimum_detectable
from core.gateway.provider import Tokens
from run_main import options_from, parser
from tests.experiments.test_power import layered

PROJECTS = {f"{p}-{i}": p for p in "abcdef" for i in range(9)}
PARTS = {"task": 0.03, "build": 0.004, "task_by_build": 0.03, "repeat": 0.08}


def planned(*asked, pilot=None, **parts):
    arguments = ["--experiment", "h1", "--memo_SHA", "claude_md,expel", *asked]
    asked = options_from(parser().parse_args([*arguments, "--execution_model", "offline"]))
    if parts:
        layers = Layers(**{**PARTS, **parts}, se=math.nan, df=math.nan)
        pilot = Pilot("first", Tokens(1000, 100), 1.0, "claude_md", layers)
    return plan(asked, PROJECTS, ["no_mem", "claude_md", "expel"], pilot)


def smallest(lines):
    """The smallest difference that is found, as a share."""
    [line] = [line for line in lines if "smallest difference" in line]
    return float(line.split(": ")[1].removesuffix(" points")) / 100


@pytest.mark.parametrize("builds", [2, 3])
def test_a_difference_of_the_planned_size_is_claimed_in_four_of_five_experiments(builds):
    effect = smallest(planned("--builds", str(builds), "--repeats", "3", build=0.004))
    rng, tasks = np.random.default_rng(builds), sorted(PROJECTS)
    claimed = 0
    for _ in range(100):
        d = effect + layered(rng, (54, builds, 3), *PARTS.values())
        claimed += measure(d, tasks, PROJECTS, seed=0).p_shown < 0.05
    assert 0.68 <= claimed / 100 <= 0.92  # three standard errors


def test_one_build_is_planned_by_tasks_alone():
    sd = math.sqrt(0.03 + 0.03 + 0.08 / 3)
    assert smallest(planned(build=0.004)) == pytest.approx(minimum_detectable(sd, 54), abs=5e-4)


def test_more_tasks_do_not_average_away_what_builds_differ_by():
    assert (
        "tasks needed, with as many repeats and builds: +5 points: no number of tasks"
        in planned("--builds", "3", build=0.004)[-1]
    )
    assert "no number" not in planned("--builds", "3", build=0.0)[-1]
    assert smallest(planned("--builds", "2", build=0.004)) > 0.5  # it was said to be .17, with a power of .25


def test_a_plan_says_what_it_takes_the_builds_to_do():
    assumed, one = planned("--builds", "3"), planned()
    assert any("builds are taken not to differ" in line for line in assumed)
    assert not any("builds are taken" in line for line in one)
    # Three builds with three runs each see less than nine runs of one build: the test over builds has few df.
    three, nine = (float(lines[-1].split()[1]) for lines in (assumed, planned("--repeats", "9")))
    assert three > nine
    blind = planned("--builds", "3", build=math.nan, task_by_build=math.nan)
    assert any("tells nothing of another: builds are taken not to differ" in line for line in blind)
    assert any("differs from its by about 8.9 points" in line for line in planned(build=0.004))


def test_runs_to_learn_from_and_updates_follow_update_size():
    def counts(*asked):
        lines = planned(*asked)
        collected = next(line for line in lines if line.startswith("  runs")).split(", and ")[1].split()[0]
        return int(collected), int(next(line for line in lines if line.startswith("  updates")).split()[1])

    assert counts() == (54, 2 * 54)
    assert counts("--update_size", "5") == (2 * 5, 2 * 2 * 5)
    assert counts("--update_size", "5", "--builds", "3") == (3 * 2 * 5, 3 * 2 * 2 * 5)
    assert counts("--update_size", "5", "--fresh_collection") == (2 * 2 * 5, 2 * 2 * 5)
