import pytest

from probelog import Log, ProbeError, Reading, UnknownUnit
from probelog.errors import BadFile
from probelog.files import dump, load, summary
from probelog.tables import buckets, counts, difference, hold, side_by_side
from probelog.units import Calibration, convert


@pytest.fixture
def log():
    log = Log()
    for minute, value in ((0, 20.0), (1, 21.0), (2, None), (3, 25.0)):
        log.record("Air Temp", minute, value)
    log.record("Water", 1, 11.0)
    log.record("Water", 2.5, 12.0)
    return log


def test_buckets(log):
    assert buckets(log.readings("air-temp"), 0, 4, 2) == [21.0, 25.0]
    with pytest.raises(ProbeError):
        buckets([], 0, 1, 0)


def test_buckets_do_not_share_readings(log):
    assert buckets(log.readings("air-temp"), 0, 4, 1) == [20.0, 21.0, None, 25.0]


def test_buckets_with_means(log):
    assert buckets(log.readings("air-temp"), 0, 3, 1.5, lambda v: sum(v) / len(v)) == [20.5, None]


def test_last_bucket_ends_with_the_window(log):
    assert buckets(log.readings("air-temp"), 0, 2.5, 2) == [21.0, None]


def test_counts(log):
    assert counts(log.readings("air-temp"), [0, 4]) == [3]


def test_counts_have_their_start(log):
    assert counts(log.readings("air-temp"), [0, 1, 3, 5]) == [1, 1, 1]


def test_counts_leave_out_gaps(log):
    assert counts(log.readings("air-temp"), [1.5, 2.5, 4]) == [0, 1]


def test_hold(log):
    assert hold(log.readings("water"), [0, 1, 2, 3]) == [None, 11.0, 11.0, 12.0]


def test_side_by_side(log):
    assert side_by_side(log, ["water"]) == [(1.0, 11.0), (2.5, 12.0)]


def test_side_by_side_in_minutes(log):
    rows = side_by_side(log, ["air-temp", "water"])
    assert rows[1] == (1.0, 21.0, 11.0) and rows[-1] == (3.0, 25.0, None)


def test_side_by_side_as_typed(log):
    assert side_by_side(log, ["Water", "Air Temp"])[0] == (0.0, None, 20.0)


def test_difference(log):
    assert difference(log, "air-temp", "water") == {1.0: 10.0}


def test_difference_of_zero(log):
    log.record("air-temp", 2.5, 0.0)
    assert difference(log, "water", "air-temp") == {1.0: -10.0, 2.5: 12.0}


def test_difference_with_a_zero_behind(log):
    log.record("air-temp", 2.5, 0.0)
    assert difference(log, "air-temp", "water")[2.5] == -12.0


def test_convert():
    assert convert(20, "C", "K") == 293.15 and convert(1, "bar", "mbar") == 1000
    with pytest.raises(UnknownUnit):
        convert(1, "C", "bar")


def test_convert_from_fahrenheit():
    assert convert(212, "F", "C") == 100.0


def test_convert_to_fahrenheit():
    assert convert(100, "C", "F") == 212.0
    assert convert(0, "K", "f") == -459.67


def test_calibration():
    calibration = Calibration()
    calibration.set("a", 2, 1)
    assert calibration.apply("a", [Reading(0, 3.0), Reading(1, None)]) == [Reading(0, 7.0), Reading(1, None)]
    assert calibration.apply("b", [Reading(0, 3.0)]) == [Reading(0, 3.0)]


def test_calibration_by_two_points():
    calibration = Calibration()
    calibration.two_points("a", (1.0, 0.0), (101.0, 100.0))
    assert calibration.apply("a", [Reading(0, 51.0)]) == [Reading(0, 50.0)]


def test_calibration_with_a_gain():
    calibration = Calibration()
    calibration.two_points("a", (0.0, 10.0), (50.0, 110.0))
    assert calibration.apply("a", [Reading(0, 25.0)]) == [Reading(0, 60.0)]


def test_calibration_by_two_points_off_zero():
    calibration = Calibration()
    calibration.two_points("a", (10.0, 20.0), (20.0, 50.0))
    assert calibration.apply("a", [Reading(0, 10.0)]) == [Reading(0, 20.0)]


def test_calibration_as_typed():
    calibration = Calibration()
    calibration.set("Air Temp", 2, 0)
    assert calibration.apply("air-temp", [Reading(0, 3.0)])[0].value == 6.0


def test_calibration_asked_as_typed():
    calibration = Calibration()
    calibration.set("AIR TEMP", 2, 0)
    assert calibration.apply("Air  Temp", [Reading(0, 3.0)])[0].value == 6.0


def test_dump(log):
    assert dump(log).splitlines()[-1] == "water,2.5,12"


def test_dump_and_load(log):
    assert dump(load(dump(log))) == dump(log)


def test_load_names_the_bad_line():
    with pytest.raises(BadFile, match="line 2"):
        load("a,1,2\na,b,c\n")


def test_summary(log):
    assert summary(log) == ["air-temp 0:03:00 22.00 25 % lost", "water 0:02:30 11.50"]


def test_summary_of_a_dead_probe():
    log = Log()
    log.record("a", 1, None)
    assert summary(log) == ["a 0:01:00 100 % lost"]
