from datetime import date

import pytest

from taskmanager import CycleError, TaskError, TaskStore


def ids(tasks):
    return [task.id for task in tasks]


def chain(count):
    """Return a store where every task waits for the one before it."""
    store = TaskStore()
    for number in range(count):
        store.create(f"step {number}", depends=[number] if number else [])
    return store


def test_create_converts_and_trims():
    task = TaskStore().create("  Offer ", labels=["Home Office"], assignee="Ann Lee", estimate=1.5)
    assert task.title == "Offer"
    assert task.labels == {"home-office"}
    assert task.assignee == "ann-lee"
    assert task.estimate == 90


@pytest.mark.parametrize("priority", [0, 6])
def test_create_checks_the_priority(priority):
    with pytest.raises(TaskError):
        TaskStore().create("a", priority=priority)


def test_remove_frees_dependents():
    store = chain(3)
    store.remove(2)
    assert store.get(3).depends == set()
    assert 2 not in store


def test_remove_forgets_the_labels():
    store = TaskStore()
    store.create("a", labels=["red"])
    store.create("b", labels=["red", "blue"])
    store.remove(2)
    assert store.labels() == {"red": 1}


def test_with_label():
    store = TaskStore()
    store.create("a", labels=["red"])
    store.create("b", labels=["blue"])
    store.create("c", labels=["red"])
    assert ids(store.with_label("red")) == [1, 3]


def test_with_label_of_two_words():
    store = TaskStore()
    store.create("desk", labels=["Home Office"])
    assert ids(store.with_label("Home Office")) == [1]


def test_with_label_ignores_case():
    store = TaskStore()
    store.create("a", labels=["urgent"])
    assert ids(store.with_label("URGENT")) == [1]


def test_add_and_drop_label():
    store = chain(1)
    store.add_label(1, "Dark Red")
    assert store.get(1).has_label("dark red")
    assert store.labels() == {"dark-red": 1}
    store.drop_label(1, "DARK RED")
    assert store.labels() == {}
    assert store.get(1).labels == set()


def test_rename_two_word_label():
    store = TaskStore()
    store.create("a", labels=["home office"])
    assert store.rename_label("Home Office", "Remote") == 1
    assert store.labels() == {"remote": 1}


def test_depend_on_itself():
    with pytest.raises(CycleError):
        chain(1).depend(1, 1)


def test_depend_in_a_circle_changes_nothing():
    store = chain(3)
    with pytest.raises(CycleError, match="1 -> 3 -> 2 -> 1"):
        store.depend(1, 3)
    assert store.get(1).depends == set()


def test_depend_twice_on_the_same_foundation():
    store = TaskStore()
    store.create("ground")
    store.create("left wall", depends=[1])
    store.create("right wall", depends=[1])
    store.create("roof", depends=[2])
    store.depend(4, 3)
    assert store.get(4).depends == {2, 3}


def test_overdue():
    task = TaskStore().create("a", due=date(2024, 5, 10))
    assert not task.is_overdue(date(2024, 5, 10))
    assert task.is_overdue(date(2024, 5, 11))


@pytest.fixture
def seen():
    """A store of four tasks, and a function that tells whether it was touched since the last time."""
    store = chain(3)
    store.create("party", labels=["fun"], due=date(2024, 5, 20))
    known = [store.revision]

    def touched():
        known.append(store.revision)
        return known[-1] > known[-2]

    return store, touched


def test_creating_and_removing_touch(seen):
    store, touched = seen
    store.create("more")
    assert touched()
    store.remove(1)
    assert touched()
    store.with_label("fun")
    assert not touched()


def test_adding_a_label_touches(seen):
    store, touched = seen
    store.add_label(1, "Home Office")
    assert touched()


def test_renaming_a_label_touches(seen):
    store, touched = seen
    store.add_label(1, "work")
    touched()
    store.rename_label("work", "job")
    assert touched()


def test_adding_a_label_once_more_touches(seen):
    store, touched = seen
    store.add_label(4, "party")
    store.add_label(2, "party")
    assert store.revision == 6 and touched()


def test_dropping_a_label_touches(seen):
    store, touched = seen
    store.drop_label(4, "fun")
    assert touched()


def test_depending_touches(seen):
    store, touched = seen
    store.depend(4, 1)
    assert touched()


def test_a_circle_does_not_touch(seen):
    store, touched = seen
    with pytest.raises(CycleError):
        store.depend(1, 3)
    assert not touched()


def test_reschedule(seen):
    store, _ = seen
    assert ids(store.reschedule(7)) == [4]
    assert store.get(4).due == date(2024, 5, 27)
    assert store.reschedule(7, label="work") == store.reschedule(7, after=date(2024, 5, 27)) == []


def test_rescheduling_touches(seen):
    store, touched = seen
    store.reschedule(1, label="Fun")
    assert touched()


def test_rescheduling_twice_touches_twice(seen):
    store, touched = seen
    store.reschedule(1)
    assert touched()
    store.reschedule(-1)
    assert touched()


def test_dropping_a_label_twice_touches(seen):
    store, touched = seen
    store.add_label(1, "fun")
    touched()
    store.drop_label(1, "FUN")
    assert touched() and store.revision == 6
