from datetime import date, datetime

import pytest

from dateutils import DateError, Span, WorkCalendar

MAY = Span("2024-05-01", "2024-06-01")


@pytest.fixture
def calendar():
    return WorkCalendar(["2024-05-01", "2024-05-09"])


def test_length_and_days():
    assert len(MAY) == 31
    assert list(Span("2024-02-28", "2024-03-01")) == [date(2024, 2, 28), date(2024, 2, 29)]


def test_backward_span():
    with pytest.raises(DateError):
        Span("2024-05-02", "2024-05-01")


def test_contains_a_date():
    assert date(2024, 5, 1) in MAY
    assert date(2024, 6, 1) not in MAY


def test_contains_a_text():
    assert "2024-05-31" in MAY
    assert "2024-04-30" not in MAY


def test_contains_a_datetime():
    assert datetime(2024, 5, 31, 18, 30) in MAY
    assert datetime(2024, 6, 1, 0, 0) not in MAY


def test_overlaps():
    assert MAY.overlaps(Span("2024-05-31", "2024-06-02"))
    assert not MAY.overlaps(Span("2024-06-01", "2024-06-02"))


def test_common():
    assert MAY.common(Span("2024-05-20", "2024-07-01")) == Span("2024-05-20", "2024-06-01")
    assert MAY.common(Span("2024-01-01", "2024-05-01")) is None


def test_cut():
    assert MAY.cut("2024-05-11") == (Span("2024-05-01", "2024-05-11"), Span("2024-05-11", "2024-06-01"))


def test_months_of_a_span():
    span = Span("2024-01-20", "2024-03-02")
    assert [len(part) for part in span.months()] == [12, 29, 1]


def test_holiday(calendar):
    assert calendar.is_holiday(date(2024, 5, 1))
    assert not calendar.is_holiday(date(2024, 5, 4))


def test_holiday_as_text(calendar):
    assert calendar.is_holiday("2024-05-09")
    assert not calendar.is_holiday("2024-05-10")


def test_no_work_on_a_holiday(calendar):
    assert not calendar.is_workday("2024-05-01")
    assert not calendar.is_workday(datetime(2024, 5, 9, 8))


def test_workday(calendar):
    assert calendar.is_workday("2024-05-02")
    assert not calendar.is_workday("2024-05-04")


@pytest.mark.parametrize(
    ("day", "count", "expected"),
    [
        ("2024-04-30", 1, "2024-05-02"),
        ("2024-05-08", 2, "2024-05-13"),
        ("2024-05-02", -1, "2024-04-30"),
        ("2024-05-04", 0, "2024-05-04"),
    ],
)
def test_add_workdays(calendar, day, count, expected):
    assert str(calendar.add_workdays(day, count)) == expected


def test_count(calendar):
    assert calendar.count("2024-05-01", "2024-06-01") == 21
    assert calendar.count("2024-05-03", "2024-05-03") == 0


def test_roll(calendar):
    assert calendar.roll("2024-05-10") == date(2024, 5, 10)
    assert calendar.roll("2024-05-11") == date(2024, 5, 13)


def test_roll_stays_in_the_month(calendar):
    assert calendar.roll("2024-03-31") == date(2024, 3, 29)


def test_head():
    assert MAY.head(2) == Span("2024-05-01", "2024-05-03")
    assert MAY.head(99) == MAY


def test_head_of_nothing():
    with pytest.raises(DateError):
        MAY.head(0)


def test_split():
    assert [len(part) for part in MAY.split(3)] == [10, 10, 11]
    assert MAY.split(1) == [MAY]


def test_split_into_nothing():
    with pytest.raises(DateError):
        MAY.split(0)


def test_split_into_less_than_nothing():
    with pytest.raises(DateError):
        MAY.split(-2)


def test_milestones(calendar):
    days = calendar.milestones("2024-05-01", "2024-06-01", 3)
    assert days == [date(2024, 5, 13), date(2024, 5, 22), date(2024, 5, 31)]


def test_too_many_milestones(calendar):
    with pytest.raises(DateError):
        calendar.milestones("2024-05-04", "2024-05-07", 2)


def test_no_milestones(calendar):
    with pytest.raises(DateError):
        calendar.milestones("2024-05-01", "2024-06-01", 0)


def test_less_than_no_milestones(calendar):
    with pytest.raises(DateError):
        calendar.milestones("2024-05-01", "2024-06-01", -1)


def test_head_of_no_day_of_a_short_span():
    with pytest.raises(DateError):
        Span("2024-05-01", "2024-05-02").head(0)
