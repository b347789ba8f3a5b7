from datetime import date, datetime

import pytest

from dateutils import DateError, WorkCalendar
from dateutils.rota import rota


def names(duty):
    return "".join(person[0] for person in duty.values())


def test_turns_on_work_days():
    duty = rota(["Ann", "Bob"], "2024-05-02", "2024-05-08")
    assert list(duty) == [date(2024, 5, day) for day in (2, 3, 6, 7)]
    assert names(duty) == "ABAB"


def test_holidays_are_left_out():
    calendar = WorkCalendar(["2024-05-09"])
    assert names(rota(["Ann", "Bob"], "2024-05-08", "2024-05-11", calendar=calendar)) == "AB"


def test_absent_person_comes_next():
    absences = {"Ann": [("2024-05-06", "2024-05-07")]}
    assert names(rota(["Ann", "Bob", "Cem"], "2024-05-06", "2024-05-11", absences=absences)) == "BCABC"


def test_swap():
    duty = rota(["Ann", "Bob"], "2024-05-06", "2024-05-09", swaps={"2024-05-07": "Cem"})
    assert duty == {date(2024, 5, 6): "Ann", date(2024, 5, 7): "Cem", date(2024, 5, 8): "Bob"}


def test_swap_by_datetime():
    swaps = {datetime(2024, 5, 7, 12, 30): "Cem"}
    assert names(rota(["Ann", "Bob"], "2024-05-06", "2024-05-09", swaps=swaps)) == "ACB"


def test_swap_helps_where_nobody_is_there():
    absences = {"Ann": [("2024-05-06", "2024-05-06")]}
    assert names(rota(["Ann"], "2024-05-06", "2024-05-08", absences=absences, swaps={"2024-05-06": "Bob"})) == "BA"


def test_nobody_is_there():
    with pytest.raises(DateError):
        rota([], "2024-05-06", "2024-05-07")


def test_absence_by_datetimes():
    absences = {"Bob": [(datetime(2024, 5, 6, 9), datetime(2024, 5, 6, 17))]}
    assert names(rota(["Ann", "Bob"], "2024-05-06", "2024-05-08", absences=absences)) == "AB"
