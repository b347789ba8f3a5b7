from datetime import date

import pytest

from clubledger import Book
from clubledger.reports import by_month, largest, percentages, statement, tag_total, totals, untagged

MARCH = (date(2024, 3, 1), date(2024, 3, 31))
SPRING = (date(2024, 3, 1), date(2024, 5, 31))


@pytest.fixture
def book():
    book = Book()
    book.add(date(2024, 2, 1), "Hall", "Costs:Rent", -450, ["Hall"])
    book.add(date(2024, 3, 1), "Hall", "Costs:Rent", -450, ["Hall"])
    book.add(date(2024, 3, 20), "Balls", "Costs:Material", -150, ["Youth"])
    book.add(date(2024, 5, 31), "Fees", "Income:Fees", 600)
    return book


def test_totals_roll_up(book):
    assert totals(book, MARCH) == {"costs": -600.0, "costs:material": -150.0, "costs:rent": -450.0}


def test_statement_from_the_beginning(book):
    assert statement(book, "costs:material", MARCH) == ["2024-03-20 Balls -150.00 -150.00"]


def test_statement_carries_the_balance_over(book):
    assert statement(book, "costs:rent", MARCH) == ["2024-03-01 Hall -450.00 -900.00"]


def test_statement_balance_of_later_lines(book):
    book.add(date(2024, 3, 2), "Refund", "Costs:Rent", 50)
    assert statement(book, "costs:rent", MARCH)[-1] == "2024-03-02 Refund 50.00 -850.00"


def test_by_month(book):
    assert by_month(book, "Costs", (date(2024, 2, 1), date(2024, 4, 30))) == [-450.0, -600.0, 0.0]


def test_by_month_counts_days_of_the_period_only(book):
    assert by_month(book, "Costs", (date(2024, 2, 2), date(2024, 3, 19))) == [0.0, -450.0]


def test_percentages(book):
    assert percentages(book, "costs", MARCH) == {"costs:material": 25, "costs:rent": 75}


def test_percentages_leave_the_root_out(book):
    book.add(date(2024, 3, 3), "Various", "Costs", -400)
    assert percentages(book, "costs", MARCH) == {"costs:material": 25, "costs:rent": 75}


def test_largest(book):
    assert largest(book, MARCH) == ["Hall", "Balls"]
    assert largest(book, SPRING, 1) == ["Hall"]


def test_tag_total(book):
    assert tag_total(book, "youth", MARCH) == -150.0


def test_tag_total_as_typed(book):
    assert tag_total(book, "Hall", MARCH) == -450.0


def test_tag_total_in_capitals(book):
    assert tag_total(book, "HALL", SPRING) == -450.0


def test_untagged(book):
    assert untagged(book, ["hall", "youth"], SPRING) == [4]


def test_untagged_as_typed(book):
    assert untagged(book, ["Hall"], SPRING) == [3, 4]
