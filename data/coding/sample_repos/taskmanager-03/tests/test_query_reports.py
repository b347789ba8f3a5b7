from datetime import date

import pytest

from taskmanager import TaskStore, search
from taskmanager.errors import QueryError
from taskmanager.reports import hours_by_person, overview, progress, spent_hours
from taskmanager.workflow import move

DAY = date(2024, 5, 10)


@pytest.fixture
def store():
    store = TaskStore()
    store.create("Write invoice", labels=["Home Office"], assignee="Ann Lee", estimate=1.5, priority=2)
    store.create("Pay invoice", labels=["money"], assignee="bob", estimate=0.5, due=date(2024, 5, 9))
    store.create("Call Carl", assignee="Ann Lee", estimate=4, priority=5)
    return store


def found(store, text, today=None):
    return [task.id for task in search(store, text, today)]


def test_search_words(store):
    assert found(store, "invoice") == [1, 2]
    assert found(store, "INVOICE pay") == [2]


def test_search_label(store):
    assert found(store, 'label:"Home Office"') == [1]
    assert found(store, "label:home-office") == [1]


def test_search_person_by_key(store):
    assert found(store, "who:bob") == [2]
    assert found(store, "who:ann-lee call") == [3]


def test_search_person_by_full_name(store):
    assert found(store, 'who:"Ann Lee"') == [1, 3]


def test_search_person_ignores_case(store):
    assert found(store, "who:Bob") == [2]


def test_search_without_person(store):
    assert found(store, '-who:"ann lee"') == [2]


def test_search_priority(store):
    assert found(store, "prio:3") == [2]
    assert found(store, "prio:2-3") == [1, 2]


def test_search_state(store):
    move(store, 3, "doing", DAY)
    move(store, 3, "done", DAY)
    assert found(store, "is:done") == [3]
    assert found(store, "is:open") == [1, 2]


def test_search_overdue(store):
    assert found(store, "is:overdue", DAY) == [2]


@pytest.mark.parametrize("text", ["colour:red", "prio:high", "is:late", "is:overdue", '"open'])
def test_search_errors(store, text):
    with pytest.raises(QueryError):
        found(store, text)


def test_hours_by_person(store):
    assert hours_by_person(store) == {"ann-lee": 5.5, "bob": 0.5}


def test_hours_of_nobody():
    store = TaskStore()
    store.create("a", estimate=2)
    assert hours_by_person(store) == {"-": 2.0}


def test_hours_of_started_work(store):
    store.get(3).log_time(1, DAY)
    move(store, 1, "dropped", DAY)
    assert hours_by_person(store)["ann-lee"] == 3.0


def test_spent_hours(store):
    store.get(1).log_time(1.5, date(2024, 5, 1))
    store.get(2).log_time(0.25, date(2024, 5, 31))
    store.get(2).log_time(8, date(2024, 6, 1))
    assert spent_hours(store, date(2024, 5, 1), date(2024, 5, 31)) == 1.75


def test_progress(store):
    assert progress(store) == 0
    store.get(3).log_time(3, DAY)
    assert progress(store) == 50


def test_overview(store):
    move(store, 3, "dropped", DAY)
    assert overview(store, DAY) == "  1 Write invoice (1h 30m)\n! 2 Pay invoice (30m)"
