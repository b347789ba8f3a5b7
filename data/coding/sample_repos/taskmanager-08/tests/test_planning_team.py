from datetime import date

import pytest

from taskmanager import TaskError, TaskStore, Team
from taskmanager.models import DONE
from taskmanager.planning import finish_times, next_tasks
from taskmanager.team import assigned_to, hand_over

DAY = date(2024, 5, 10)


def ids(tasks):
    return [task.id for task in tasks]


@pytest.fixture
def store():
    store = TaskStore()
    store.create("offer", assignee="Ann Lee", estimate=5)
    store.create("visit", assignee="Ann Lee", estimate=2.5)
    store.create("bill", assignee="Bob", estimate=1)
    return store


@pytest.fixture
def team():
    team = Team()
    team.add("Ann Lee", 6)
    team.add("Bob")
    return team


def test_next_tasks_by_priority():
    store = TaskStore()
    store.create("later", priority=4)
    store.create("now", priority=1)
    assert ids(next_tasks(store)) == [2, 1]


def test_next_tasks_with_a_due_day_come_first():
    store = TaskStore()
    store.create("some day")
    store.create("tomorrow", due=date(2024, 6, 1))
    assert ids(next_tasks(store)) == [2, 1]


def test_next_task_is_the_one_with_a_deadline():
    store = TaskStore()
    store.create("tidy up", priority=2)
    store.create("tax", priority=2, due=date(2024, 7, 31))
    store.create("nap", priority=5)
    assert ids(next_tasks(store, 1)) == [2]


def test_next_tasks_leave_out_the_waiting():
    store = TaskStore()
    store.create("first", priority=5)
    store.create("second", priority=1, depends=[1])
    assert ids(next_tasks(store)) == [1]


def test_finish_times():
    store = TaskStore()
    store.create("a", estimate=2)
    store.create("b", estimate=3)
    store.create("c", estimate=1.5, depends=[1, 2])
    assert finish_times(store) == {1: 2.0, 2: 3.0, 3: 4.5}


def test_members_and_capacity(team):
    assert team.members() == ["ann-lee", "bob"]
    assert team.capacity("ANN LEE") == 360
    assert team.capacity("Carl") == 0


def test_free_hours(store, team):
    assert team.free_hours(store, "Bob", 1) == 7.0
    assert team.free_hours(store, "Ann Lee", 1) == -1.5


def test_fits(store, team):
    assert team.fits(store, "Bob", 7, 1)
    assert team.fits(store, "Ann Lee", 4.5, 2)


def test_does_not_fit(store, team):
    assert not team.fits(store, "Bob", 7.5, 1)


def test_does_not_fit_in_two_days(store, team):
    assert not team.fits(store, "ann lee", 5, 2)


def test_days_needed(store, team):
    assert team.days_needed(store, "Ann Lee") == 2
    assert team.days_needed(store, "Bob") == 1


def test_hand_over_leaves_nothing(store):
    assert hand_over(store, "Ann Lee", "bob") == 2
    assert assigned_to(store, "Ann Lee") == []


def test_hand_over_arrives(store):
    hand_over(store, "Ann Lee", "Bob")
    assert ids(assigned_to(store, "Bob")) == [1, 2, 3]


def test_hand_over_to_a_full_name(store, team):
    hand_over(store, "Bob", "Ann Lee")
    assert store.get(3).assignee == "ann-lee"
    assert team.free_hours(store, "Ann Lee", 2) == 3.5


@pytest.fixture
def history(store, team):
    """Three finished tasks, and the open one number 7 that nobody has yet."""
    for title, person, label, hours in [("a", "Bob", "Tax Law", 3), ("b", "Cem", "tax-law", 5), ("c", "Bob", "taxes", 9)]:
        task = store.create(title, assignee=person, labels=[label], estimate=hours)
        task.log_time(hours, DAY)
        task.status = DONE
    store.create("advice", estimate=2)
    team.add("Cem", 4)
    return store


def test_suggest_by_all_experience(history, team):
    assert team.suggest(history, 7, 2) == ["bob", "cem", "ann-lee"]


def test_suggest_by_label(history, team):
    assert team.suggest(history, 7, 2, label="tax-law") == ["cem", "bob", "ann-lee"]


def test_suggest_by_label_as_typed(history, team):
    assert team.suggest(history, 7, 2, label="Tax Law") == ["cem", "bob", "ann-lee"]


def test_suggest_by_label_in_capitals_for_somebody_else(history, team):
    assert team.suggest(history, 7, 2, label="TAX LAW", avoid=["ANN LEE"]) == ["cem", "bob"]


def test_suggest_only_who_has_time(history, team):
    assert team.suggest(history, 7, 1) == ["bob", "cem"]


def test_suggest_without_those_to_avoid(history, team):
    assert team.suggest(history, 7, 2, avoid=["Ann  Lee"]) == ["bob", "cem"]


def test_adding_people_touches(team):
    assert team.revision == 2
    team.add("Bob", 4)
    assert team.revision == 3


def test_scale(team):
    team.scale(0.5)
    assert (team.capacity("Ann Lee"), team.capacity("Bob")) == (180, 240)
    team.scale(2, ["bob"])
    assert (team.capacity("Ann Lee"), team.capacity("Bob")) == (180, 480)


def test_scale_for_somebody_unknown(team):
    with pytest.raises(TaskError):
        team.scale(0.5, ["Bob", "Cem"])
    assert (team.capacity("Bob"), team.revision) == (480, 2)


def test_scaling_touches(team):
    team.scale(0.5)
    assert team.revision == 3
