import pytest

from probelog import Log, ProbeError, Reading, UnknownChannel
from probelog.clock import label, minutes, seconds
from probelog.naming import slug
from probelog.readings import jumps, latest, window


@pytest.fixture
def log():
    log = Log()
    for minute, value in ((0, 20.0), (1, 21.0), (2, None), (3.5, 25.0)):
        log.record("Air Temp", minute, value)
    log.record("Humidity", 1, 40.0)
    return log


def test_clock():
    assert seconds(1.5) == 90 and minutes(90) == 1.5


def test_label():
    assert label(3661) == "1:01:01"


def test_label_below_an_hour():
    assert label(59) == "0:00:59" and label(600) == "0:10:00"


def test_slug():
    assert slug("Air  Temp") == slug("air temp") == slug("AIR-TEMP") == "air-temp"
    with pytest.raises(ProbeError):
        slug(" - ")


def test_record(log):
    assert log.record("light", 2, 7.0).value == 7.0
    assert log.channels() == ["air-temp", "humidity", "light"] and len(log) == 6


def test_record_in_minutes(log):
    assert log.record("light", 2, 7.0) == Reading(120, 7.0)


def test_nothing_before_the_start(log):
    with pytest.raises(ProbeError):
        log.record("light", -1, 7.0)


def test_record_again_replaces(log):
    log.record("air temp", 1, 22.0)
    assert [r.value for r in log.readings("air temp")] == [20.0, 22.0, None, 25.0]


def test_record_late_keeps_the_order(log):
    log.record("air temp", 3, 24.0)
    assert [r.at for r in log.readings("air temp")] == [0, 60, 120, 180, 210]


def test_readings_as_stored(log):
    assert len(log.readings("humidity")) == 1
    with pytest.raises(UnknownChannel):
        log.readings("wind")


def test_readings_as_typed(log):
    assert len(log.readings("Air Temp")) == 4


def test_between(log):
    assert [r.at for r in log.between("air-temp", 0.5, 3)] == [60, 120]


def test_between_at_its_ends(log):
    assert [r.at for r in log.between("air-temp", 1, 2)] == [60]


def test_windows_side_by_side(log):
    readings = log.readings("air-temp")
    assert window(readings, 0, 1) + window(readings, 1, 4) == readings


def test_duration(log):
    assert log.duration("humidity") == 0.0


def test_duration_in_minutes(log):
    assert log.duration("air temp") == 3.5


def test_duration_from_a_late_start():
    log = Log()
    log.record("a", 2, 1.0)
    log.record("a", 4.25, 1.0)
    assert log.duration("a") == 2.25


def test_drop(log):
    assert log.drop("air-temp", 0, 2) == 2
    assert [r.at for r in log.readings("air-temp")] == [120, 210]


def test_drop_all_forgets_the_channel(log):
    log.set_unit("humidity", "%")
    log.drop("humidity", 0, 10)
    assert log.channels() == ["air-temp"] and log.unit("humidity") == ""


def test_dropped_channel_is_unknown(log):
    log.drop("humidity", 0, 10)
    with pytest.raises(UnknownChannel):
        log.readings("humidity")


def test_unit(log):
    log.set_unit("humidity", "%")
    assert log.unit("humidity") == "%" and log.unit("air-temp") == ""


def test_unit_as_typed(log):
    log.set_unit("Air Temp", "C")
    assert log.unit("air-temp") == "C"


def test_unit_asked_as_typed(log):
    log.set_unit("Air Temp", "C")
    log.set_unit("AIR TEMP", "K")
    assert log.unit("Air Temp") == "K"
    assert log.unit("air-temp") == "K"


def test_rename(log):
    log.rename("humidity", "damp")
    assert log.channels() == ["air-temp", "damp"]
    with pytest.raises(ProbeError):
        log.rename("damp", "air temp")


def test_rename_takes_the_unit_along(log):
    log.set_unit("humidity", "%")
    log.rename("humidity", "damp")
    assert log.unit("damp") == "%"


def test_rename_leaves_no_unit_behind(log):
    log.set_unit("humidity", "%")
    log.rename("humidity", "damp")
    log.record("humidity", 1, 4.0)
    assert log.unit("humidity") == "" and log.unit("damp") == "%"


def test_merge(log):
    assert log.merge("air-temp", "humidity") == 0
    assert log.channels() == ["air-temp"]


def test_merge_keeps_the_order_of_time(log):
    log.record("spare", 0.5, 1.0)
    log.record("spare", 9, 2.0)
    assert log.merge("air-temp", "spare") == 2
    assert [r.at for r in log.readings("air-temp")] == [0, 30, 60, 120, 210, 540]


def test_merge_of_an_early_reading(log):
    log.record("spare", 0.25, 1.0)
    log.merge("humidity", "spare")
    assert [r.at for r in log.readings("humidity")] == [15, 60]


def test_merge_prefers_its_own(log):
    log.record("spare", 1, 99.0)
    log.record("spare", 2, 98.0)
    log.merge("air-temp", "spare")
    assert [r.value for r in log.readings("air-temp")] == [20.0, 21.0, None, 25.0]


def test_latest(log):
    readings = log.readings("air-temp")
    assert latest(readings, 1) == Reading(60, 21.0)
    assert latest([], 1) is None


def test_latest_passes_over_gaps(log):
    assert latest(log.readings("air-temp"), 2).value == 21.0
    assert latest(log.readings("air-temp"), 3).value == 21.0


def test_jumps(log):
    assert [r.at for r in jumps(log.readings("air-temp"), 3)] == [210]
    assert jumps(log.readings("air-temp"), 5) == []


def test_jumps_after_each_other():
    readings = [Reading(0, 1.0), Reading(1, 9.0), Reading(2, 9.5), Reading(3, 1.0)]
    assert [r.at for r in jumps(readings, 3)] == [1, 3]


def test_a_slow_drift_is_no_jump():
    assert jumps([Reading(i, 1.0 * i) for i in range(9)], 1.5) == []
