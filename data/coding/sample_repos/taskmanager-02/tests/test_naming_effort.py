import pytest

from taskmanager import InvalidName
from taskmanager.effort import describe, to_minutes
from taskmanager.naming import key


@pytest.mark.parametrize("name", ["home office", "Home Office", "  HOME \t office ", "home-office"])
def test_key(name):
    assert key(name) == "home-office"


@pytest.mark.parametrize("name", ["", "   "])
def test_key_of_nothing(name):
    with pytest.raises(InvalidName):
        key(name)


def test_minutes_are_whole():
    assert to_minutes(1 / 3) == 20


@pytest.mark.parametrize(("minutes", "text"), [(0, "0m"), (45, "45m"), (120, "2h"), (90, "1h 30m")])
def test_describe(minutes, text):
    assert describe(minutes) == text
