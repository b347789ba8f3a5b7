from datetime import date, datetime

import pytest

from dateutils import DateError, Duration, occurrences, parse_duration
from dateutils.durations import between


def text(days):
    return [str(day) for day in days]


def test_every_few_days():
    assert text(occurrences(datetime(2024, 2, 27, 8), "days", 2, count=3)) == [
        "2024-02-27",
        "2024-02-29",
        "2024-03-02",
    ]


def test_until_is_included():
    assert text(occurrences("2024-05-01", "weeks", until="2024-05-15")) == [
        "2024-05-01",
        "2024-05-08",
        "2024-05-15",
    ]


def test_monthly_on_the_31st():
    assert text(occurrences("2024-01-31", "months", count=4)) == [
        "2024-01-31",
        "2024-02-29",
        "2024-03-31",
        "2024-04-30",
    ]


def test_every_other_month_on_the_30th():
    days = occurrences("2023-12-30", "months", 2, until="2024-07-01")
    assert text(days) == ["2023-12-30", "2024-02-29", "2024-04-30", "2024-06-30"]


def test_yearly_on_leap_day():
    days = occurrences("2020-02-29", "years", count=5)
    assert text(days) == ["2020-02-29", "2021-02-28", "2022-02-28", "2023-02-28", "2024-02-29"]


def test_the_first_end_counts():
    assert len(occurrences("2024-01-01", "days", count=3, until="2024-12-31")) == 3
    assert len(occurrences("2024-01-01", "days", count=3, until="2024-01-02")) == 2


def test_exclude_dates():
    days = occurrences("2024-05-01", "weeks", count=3, exclude=[date(2024, 5, 8), date(2024, 5, 9)])
    assert text(days) == ["2024-05-01", "2024-05-15"]


def test_exclude_texts():
    days = occurrences("2024-05-01", "weeks", count=3, exclude=["2024-05-15"])
    assert text(days) == ["2024-05-01", "2024-05-08"]


def test_exclude_datetimes():
    days = occurrences("2024-05-01", "days", until="2024-05-03", exclude=[datetime(2024, 5, 2, 9, 30)])
    assert text(days) == ["2024-05-01", "2024-05-03"]


@pytest.mark.parametrize("options", [{}, {"every": 0, "count": 1}])
def test_bad_recurrence(options):
    with pytest.raises(DateError):
        occurrences("2024-05-01", "days", **options)


@pytest.mark.parametrize(
    ("value", "months", "days"), [("P1Y6M", 18, 0), ("P2W", 0, 14), ("-P1M3D", -1, -3), ("P0D", 0, 0)]
)
def test_parse_duration(value, months, days):
    assert parse_duration(value) == Duration(months, days)


@pytest.mark.parametrize("value", ["P", "1Y", "P1H"])
def test_bad_duration(value):
    with pytest.raises(DateError):
        parse_duration(value)


@pytest.mark.parametrize(
    ("months", "days", "expected"), [(18, 0, "P1Y6M"), (-1, -3, "-P1M3D"), (0, 0, "P0D")]
)
def test_duration_text(months, days, expected):
    assert str(Duration(months, days)) == expected


def test_between():
    assert between("2024-01-31", "2024-03-01") == Duration(1, 1)
    with pytest.raises(DateError):
        between("2024-03-01", "2024-01-31")
