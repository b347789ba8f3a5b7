from datetime import date

import pytest

from clubledger import Book, Budget, UnknownAccount
from clubledger.periods import contains, days, month, months, overlap, quarter

MARCH = (date(2024, 3, 1), date(2024, 3, 31))


@pytest.fixture
def book():
    book = Book()
    book.add(date(2024, 3, 1), "Hall", "Costs:Rent", -450)
    book.add(date(2024, 3, 31), "Balls", "Costs:Material", -30.5)
    book.add(date(2024, 4, 1), "Nets", "Costs:Material", -80)
    return book


@pytest.fixture
def budget():
    budget = Budget()
    budget.set("Costs", 500)
    budget.set("Costs:Material", 30)
    return budget


def test_month():
    assert month(date(2024, 2, 10)) == (date(2024, 2, 1), date(2024, 2, 29))
    assert month(date(2023, 12, 31)) == (date(2023, 12, 1), date(2023, 12, 31))


def test_quarter():
    assert quarter(date(2024, 5, 5)) == (date(2024, 4, 1), date(2024, 6, 30))


def test_both_ends_belong_to_a_period():
    assert contains(MARCH, date(2024, 3, 1)) and contains(MARCH, date(2024, 3, 31))
    assert not contains(MARCH, date(2024, 4, 1))


def test_days_of_march():
    assert days(MARCH) == 31


def test_overlap():
    assert overlap(MARCH, (date(2024, 3, 31), date(2024, 4, 9))) == 1
    assert overlap(MARCH, (date(2024, 4, 2), date(2024, 4, 9))) == 0


def test_months():
    assert len(months((date(2023, 12, 31), date(2024, 2, 1)))) == 3


def test_limit(budget):
    assert budget.limit("Costs", MARCH) == 500.0


def test_limit_for_two_months(budget):
    assert budget.limit("costs:material", (date(2024, 3, 15), date(2024, 4, 15))) == 60.0


def test_limit_from_above(budget):
    assert budget.limit("Costs:Rent", MARCH) == 500.0
    with pytest.raises(UnknownAccount):
        budget.limit("Income", MARCH)


def test_limit_of_the_nearest_account(budget):
    assert budget.limit("Costs:Material:Nets", MARCH) == 30.0


def test_left_of_the_nearest_limit(book, budget):
    assert budget.left(book, "Costs:Material:Nets", MARCH) == 30.0


def test_left(book, budget):
    assert budget.left(book, "Costs", MARCH) == 19.5


def test_left_may_be_negative(book, budget):
    assert budget.left(book, "Costs:Material", MARCH) == -0.5


def test_exceeded(book, budget):
    assert budget.exceeded(book, MARCH) == ["costs:material"]


def test_exactly_used_is_not_exceeded(budget):
    book = Book()
    book.add(date(2024, 3, 3), "Balls", "Costs:Material", -30)
    assert budget.exceeded(book, MARCH) == []
