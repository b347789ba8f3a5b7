from datetime import date, datetime

import pytest

from dateutils import DateError
from dateutils.finance import installments, interest, year_fraction
from dateutils.humanize import relative

TODAY = "2024-05-10"


def test_year_fraction():
    assert year_fraction("2024-01-01", "2024-07-01") == 0.5
    assert year_fraction("2024-01-01", "2024-02-01") == 0.0833


def test_year_fraction_of_half_a_quarter():
    assert year_fraction("2024-01-01", "2024-02-16", 2) == 0.13


def test_year_fraction_of_seven_months_and_a_half():
    assert year_fraction("2024-01-01", "2024-08-16", 2) == 0.63


def test_year_fraction_in_whole_years():
    assert year_fraction("2024-01-01", "2024-07-01", 0) == 1
    assert year_fraction("2022-01-01", "2024-07-01", 0) == 3


def test_interest():
    assert interest(1000, 3.6, "2024-01-01", "2024-02-01") == 3.0


def test_interest_in_cents():
    assert interest(50, 0.25, "2024-01-01", "2025-01-01") == 0.13


@pytest.mark.parametrize(
    ("day", "words"),
    [("2024-05-10", "today"), ("2024-05-11", "tomorrow"), ("2024-05-09", "yesterday")],
)
def test_close_days(day, words):
    assert relative(day, TODAY) == words


def test_days():
    assert relative("2024-05-23", TODAY) == "in 13 days"
    assert relative("2024-05-08", TODAY) == "2 days ago"


def test_days_of_datetimes():
    assert relative(datetime(2024, 5, 12, 1), datetime(2024, 5, 10, 23)) == "in 2 days"


def test_months():
    assert relative("2024-08-10", TODAY) == "in 3 months"


def test_two_months_and_a_half():
    assert relative("2024-07-24", TODAY) == "in 3 months"


def test_four_months_and_a_half_ago():
    assert relative("2023-12-27", TODAY) == "5 months ago"


def test_years():
    assert relative("2025-05-10", TODAY) == "in 1 year"
    assert relative("2021-05-10", TODAY) == "3 years ago"


def test_installments():
    plan = installments(100, 12, "2024-01-31", 3)
    assert [line[0] for line in plan] == [date(2024, 2, 29), date(2024, 3, 31), date(2024, 4, 30)]
    assert [line[1:] for line in plan] == [(33.33, 0.97, 66.67), (33.33, 0.69, 33.34), (33.34, 0.33, 0.0)]


def test_installments_of_half_a_cent():
    assert [line[1] for line in installments(100.25, 0, "2024-01-01", 2)] == [50.13, 50.12]


def test_installments_of_half_a_cent_in_four_parts():
    assert [line[3] for line in installments(40.5, 0, "2024-01-01", 4)] == [30.37, 20.24, 10.11, 0.0]


def test_no_installments():
    with pytest.raises(DateError):
        installments(100, 1, "2024-01-01", 0)


def test_less_than_no_installments():
    with pytest.raises(DateError):
        installments(100, 1, "2024-01-01", -3)
