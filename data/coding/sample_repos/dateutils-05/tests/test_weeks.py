from datetime import date, timedelta

import pytest

from dateutils import DateError, iso_week, nth_weekday, week_start
from dateutils.weeks import FRIDAY, MONDAY, SUNDAY, THURSDAY, week_label


@pytest.mark.parametrize(("day", "week"), [("2024-01-07", 1), ("2024-01-08", 2), ("2024-12-29", 52)])
def test_week_within_the_year(day, week):
    assert iso_week(day) == (2024, week)


def test_long_year():
    assert iso_week("2020-12-31") == (2020, 53)


def test_first_days_of_january():
    assert iso_week("2021-01-03") == (2020, 53)
    assert iso_week("2022-01-01") == (2021, 52)


def test_last_days_of_december():
    assert iso_week("2024-12-30") == (2025, 1)
    assert iso_week("2025-12-31") == (2026, 1)


def test_week_label():
    assert week_label("2024-02-14") == "2024-W07"


def test_week_label_at_new_year():
    assert week_label("2019-12-31") == "2020-W01"
    assert week_label("2023-01-01") == "2022-W52"


@pytest.mark.parametrize(
    ("label", "monday"), [("2024-W01", "2024-01-01"), ("2025-W01", "2024-12-30"), ("2020-W53", "2020-12-28")]
)
def test_week_start(label, monday):
    assert str(week_start(label)) == monday


@pytest.mark.parametrize("label", ["2024-W53", "2024-7"])
def test_no_such_week(label):
    with pytest.raises(DateError):
        week_start(label)


def test_whole_weeks_have_one_number():
    monday = week_start("2024-W01")
    for number in range(2 * 52):
        day = monday + timedelta(weeks=number)
        assert iso_week(day) == iso_week(day + timedelta(days=6))


def test_nth_weekday():
    assert nth_weekday(2024, 5, FRIDAY, 1) == date(2024, 5, 3)
    assert nth_weekday(2024, 9, SUNDAY, 1) == date(2024, 9, 1)
    assert nth_weekday(2024, 5, THURSDAY, 5) == date(2024, 5, 30)


def test_last_weekday():
    assert nth_weekday(2024, 5, MONDAY, -1) == date(2024, 5, 27)


def test_last_weekday_on_the_last_day():
    assert nth_weekday(2024, 5, FRIDAY, -1) == date(2024, 5, 31)


def test_last_sunday():
    assert nth_weekday(2024, 10, SUNDAY, -1) == date(2024, 10, 27)


def test_last_weekday_but_one():
    assert nth_weekday(2024, 5, THURSDAY, -2) == date(2024, 5, 23)


@pytest.mark.parametrize("n", [0, 6, -6])
def test_no_such_weekday(n):
    with pytest.raises(DateError):
        nth_weekday(2024, 5, FRIDAY, n)
