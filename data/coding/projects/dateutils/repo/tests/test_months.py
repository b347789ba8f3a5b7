from datetime import date

import pytest

from dateutils import add_months, days_in_month, quarter
from dateutils.months import age, full_months, quarter_end


@pytest.mark.parametrize(("year", "days"), [(2023, 28), (2024, 29), (1900, 28), (2000, 29)])
def test_days_in_february(year, days):
    assert days_in_month(year, 2) == days


def test_days_in_other_months():
    assert [days_in_month(2023, month) for month in (1, 4, 8, 9, 12)] == [31, 30, 31, 30, 31]


@pytest.mark.parametrize(
    ("count", "expected"),
    [(0, "2024-01-31"), (1, "2024-02-29"), (3, "2024-04-30"), (12, "2025-01-31"), (-2, "2023-11-30")],
)
def test_add_months(count, expected):
    assert str(add_months("2024-01-31", count)) == expected


def test_full_months():
    assert full_months("2024-01-15", "2024-03-14") == 1
    assert full_months("2024-01-15", "2024-03-15") == 2
    assert full_months("2024-03-15", "2024-01-15") == -2


def test_age():
    assert age("2000-02-29", "2018-02-27") == 17
    assert age("2000-05-10", "2018-05-10") == 18


def test_quarter_of_each_first_month():
    assert [quarter(f"2024-{month:02}-01") for month in (1, 4, 7, 10)] == [1, 2, 3, 4]


def test_quarter_at_the_end_of_march():
    assert quarter("2024-03-31") == 1


def test_quarter_of_december():
    assert quarter("2024-12-31") == 4


def test_quarter_end():
    assert quarter_end("2024-02-10") == date(2024, 3, 31)
    assert quarter_end("2024-11-30") == date(2024, 12, 31)


def test_quarter_end_on_the_day():
    assert quarter_end("2024-06-30") == date(2024, 6, 30)
