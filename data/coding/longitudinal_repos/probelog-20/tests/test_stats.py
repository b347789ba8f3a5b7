import pytest

from probelog import EmptySeries, Reading
from probelog.gaps import filled, present, share
from probelog.stats import last_values, mean, median, moving_mean, rate, spread, time_above


def series(*pairs):
    return [Reading(at, value) for at, value in pairs]


WHOLE = series((0, 1.0), (60, 2.0), (120, 6.0))
BROKEN = series((0, 1.0), (60, None), (120, 6.0), (180, 2.0))


def test_gaps():
    assert present([1.0, None, 0.0]) == [1.0, 0.0]
    assert filled([None, 1.0, None, None, 3.0]) == [1.0, 1.0, 1.0, 3.0]


def test_share():
    assert share([1.0, None]) == 0.5 and share([]) == 0.0


def test_mean():
    assert mean(WHOLE) == 3.0
    with pytest.raises(EmptySeries):
        mean(series((0, None)))


def test_mean_with_a_gap():
    assert mean(BROKEN) == 3.0


def test_mean_with_many_gaps():
    assert mean(series((0, 4.0), (1, None), (2, None), (3, 2.0))) == 3.0


def test_median():
    assert median(WHOLE) == 2.0


def test_median_with_a_gap():
    assert median(series((0, 5.0), (1, None), (2, None), (3, 1.0))) == 3.0


def test_spread():
    assert spread(WHOLE) == 5.0


def test_spread_with_a_gap():
    assert spread(BROKEN) == 5.0


def test_last_values():
    assert last_values(WHOLE, 2) == [2.0, 6.0]
    assert last_values(WHOLE, 9) == [1.0, 2.0, 6.0]


def test_last_values_with_a_gap():
    assert last_values(BROKEN, 3) == [1.0, 6.0, 2.0]


def test_last_values_of_a_whole_series():
    assert last_values(BROKEN, 4) == [1.0, 6.0, 2.0]


def test_last_values_of_a_probe_that_failed():
    assert last_values(series((0, 4.0), (1, None)), 2) == [4.0]


def test_last_values_none():
    assert last_values(WHOLE, 0) == []


def test_moving_mean():
    assert moving_mean(WHOLE, 1) == [1.0, 2.0, 6.0]


def test_moving_mean_of_two_minutes():
    assert moving_mean(WHOLE, 2) == [1.0, 1.5, 4.0]


def test_moving_mean_with_a_gap():
    assert moving_mean(BROKEN, 2) == [1.0, 1.0, 6.0, 4.0]


def test_moving_mean_of_gaps_alone():
    assert moving_mean(series((0, None), (60, 3.0)), 1) == [3.0]


def test_rate():
    assert rate(series((0, 1.0), (60, 3.0))) == 2.0
    with pytest.raises(EmptySeries):
        rate(series((0, 1.0), (60, None)))


def test_rate_over_half_an_hour():
    assert rate(series((0, 1.0), (900, 3.0), (1800, 61.0))) == 2.0


def test_time_above():
    assert time_above(WHOLE, 9) == 0.0


def test_time_above_in_minutes():
    assert time_above(series((0, 5.0), (90, 1.0), (120, 5.0), (240, 0.0)), 4) == 3.5


def test_time_above_does_not_count_the_last():
    assert time_above(series((0, 5.0), (60, 9.0)), 4) == 1.0


def test_a_value_at_the_limit_is_not_above():
    assert time_above(series((0, 5.0), (60, 5.5), (120, 0.0)), 5) == 1.0
