import pytest

from probelog import Log, Rule, breaches
from probelog.alarms import Breach, Silence, longest


@pytest.fixture
def log():
    log = Log()
    for minute, value in enumerate([20.0, 31.0, 32.0, 22.0, None, 35.0, 33.0]):
        log.record("Air Temp", minute, value)
    return log


def test_breaches(log):
    found = breaches(log, Rule("air temp", 10, 30))
    assert found == [Breach("air-temp", 60, 180), Breach("air-temp", 300, None)]


def test_breaches_are_printed(log):
    assert [str(b) for b in breaches(log, Rule("air-temp", 10, 30))] == [
        "air-temp 0:01:00 - 0:03:00",
        "air-temp 0:05:00 - now",
    ]


def test_limits_are_allowed(log):
    assert breaches(log, Rule("air-temp", 20, 35)) == []


def test_gaps_end_no_breach():
    log = Log()
    for minute, value in enumerate([50.0, None, 50.0, 1.0]):
        log.record("a", minute, value)
    assert breaches(log, Rule("a", 0, 10)) == [Breach("a", 0, 180)]


def test_patience(log):
    assert len(breaches(log, Rule("air-temp", 10, 30, 1.5))) == 1


def test_patience_in_minutes(log):
    assert breaches(log, Rule("air-temp", 10, 30, 3)) == []


def test_patience_with_a_breach_that_lasts(log):
    log.record("air temp", 20, 40.0)
    assert breaches(log, Rule("air-temp", 10, 30, 4)) == [Breach("air-temp", 300, None)]


def test_longest(log):
    assert longest([]) == 0


def test_longest_in_minutes(log):
    assert longest(breaches(log, Rule("air-temp", 10, 30))) == 2.0


def test_longest_leaves_out_what_lasts():
    assert longest([Breach("a", 0, 90), Breach("a", 100, None), Breach("b", 0, 30)]) == 1.5


def test_silence():
    silence = Silence()
    silence.add("air-temp", 2, 4)
    assert silence.covers("air-temp", 2) and not silence.covers("air-temp", 1)
    assert not silence.covers("humidity", 3)


def test_silence_at_its_end():
    silence = Silence()
    silence.add("air-temp", 2, 4)
    assert silence.covers("air-temp", 3.9) and not silence.covers("air-temp", 4)


def test_silence_side_by_side():
    silence = Silence()
    silence.add("a", 0, 1)
    silence.add("a", 2, 3)
    assert [silence.covers("a", minute) for minute in (0, 1, 2, 3)] == [True, False, True, False]


def test_silence_as_typed():
    silence = Silence()
    silence.add("Air Temp", 2, 4)
    assert silence.covers("air-temp", 3)


def test_silence_asked_as_typed():
    silence = Silence()
    silence.add("AIR  temp", 2, 4)
    assert silence.covers("Air Temp", 3)
    assert silence.covers("air-temp", 3)


def test_loud(log):
    silence = Silence()
    silence.add("air-temp", 0, 2)
    assert [b.start for b in silence.loud(breaches(log, Rule("air-temp", 10, 30)))] == [300]
