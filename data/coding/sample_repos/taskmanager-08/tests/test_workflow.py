from datetime import date

import pytest

from taskmanager import InvalidTransition, TaskStore
from taskmanager.workflow import move, open_dependencies

DAY = date(2024, 5, 10)


def finish(store, number, day=DAY):
    move(store, number, "doing", day)
    return move(store, number, "done", day)


def weekly(**options):
    store = TaskStore()
    store.create("Report", repeat_days=7, due=date(2024, 5, 9), **options)
    return store


@pytest.mark.parametrize("status", ["done", "review", "todo"])
def test_forbidden_moves(status):
    store = TaskStore()
    store.create("a")
    with pytest.raises(InvalidTransition):
        move(store, 1, status, DAY)


def test_start_waits_for_dependencies():
    store = TaskStore()
    store.create("first")
    store.create("second", depends=[1])
    with pytest.raises(InvalidTransition):
        move(store, 2, "doing", DAY)
    finish(store, 1)
    move(store, 2, "doing", DAY)
    assert store.get(2).status == "doing"


def test_open_dependencies():
    store = TaskStore()
    store.create("a")
    store.create("b")
    store.create("c", depends=[1, 2])
    move(store, 1, "dropped", DAY)
    assert [task.id for task in open_dependencies(store, store.get(3))] == [2]


def test_repeating_task_comes_back():
    store = weekly(assignee="Ann", labels=["Office"], estimate=2)
    task = finish(store, 1)
    assert (task.id, task.status, task.due) == (2, "todo", date(2024, 5, 16))
    assert (task.assignee, task.labels, task.estimate) == ("ann", {"office"}, 120)


def test_follow_up_waits_for_nothing():
    store = TaskStore()
    store.create("Data")
    store.create("Report", repeat_days=7, depends=[1])
    finish(store, 1)
    assert finish(store, 2).depends == set()


def test_follow_up_has_all_its_work_left():
    store = weekly(estimate=2)
    store.get(1).log_time(1.5, DAY)
    task = finish(store, 1)
    assert task.spent == 0
    assert task.remaining == 120


def test_follow_up_is_not_finished():
    store = weekly()
    assert finish(store, 1).finished is None


def test_follow_up_has_its_own_log():
    store = weekly()
    store.get(1).log_time(1, DAY)
    task = finish(store, 1)
    assert task.log == []
    task.log_time(2, DAY)
    assert len(store.get(1).log) == 1


def test_follow_up_has_its_own_labels():
    store = weekly(labels=["office"])
    task = finish(store, 1)
    store.add_label(task.id, "late")
    assert store.get(1).labels == {"office"}
