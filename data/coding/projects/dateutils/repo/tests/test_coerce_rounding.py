from datetime import date, datetime

import pytest

from dateutils import DateError, as_date
from dateutils.rounding import half_up


@pytest.mark.parametrize(
    "value", ["2024-05-10", " 2024-05-10 ", date(2024, 5, 10), datetime(2024, 5, 10, 23, 59)]
)
def test_as_date(value):
    day = as_date(value)
    assert type(day) is date
    assert day == date(2024, 5, 10)


@pytest.mark.parametrize("value", ["2024-5-1", "2023-02-29", None])
def test_not_a_day(value):
    with pytest.raises(DateError):
        as_date(value)


@pytest.mark.parametrize(("value", "expected"), [(0.5, 1), (1.5, 2), (2.5, 3), (2.49, 2), (-2.5, -3)])
def test_half_up(value, expected):
    assert half_up(value) == expected
