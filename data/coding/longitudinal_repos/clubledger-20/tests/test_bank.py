from datetime import date

import pytest

from clubledger import Book
from clubledger.bank import Line, Rules, book_lines, missing, parse
from clubledger.errors import BadLine

SOURCE = """# Bank of Somewhere
2024-03-01;Hall rent;-450,00

2024-03-02;Fee Ann;10,5
2024-03-04;Grant;+1.250,00
"""


@pytest.fixture
def rules():
    rules = Rules()
    rules.add("rent", "costs:rent")
    rules.add("Fee", "Income:Fees")
    return rules


def test_parse():
    assert [line.value for line in parse(SOURCE)] == [-45000, 1050, 125000]


def test_parse_names_the_bad_line():
    with pytest.raises(BadLine, match="line 2"):
        parse("2024-03-01;Hall;1,00\nnonsense\n")


def test_rules(rules):
    assert rules.account(Line(date(2024, 3, 1), "Hall RENT", -1)) == "costs:rent"
    assert rules.account(Line(date(2024, 3, 1), "Cake", -1)) == "unsorted"


def test_rules_for_an_account_as_typed(rules):
    assert rules.account(Line(date(2024, 3, 2), "fee ann", 1)) == "income:fees"


def test_rules_for_an_account_with_blanks(rules):
    rules.add("cake", "Costs : Food")
    assert rules.account(Line(date(2024, 3, 2), "Cake", 1)) == "costs:food"


def test_book_lines(rules):
    book = Book()
    assert [entry.number for entry in book_lines(book, parse(SOURCE), rules)] == [1, 2, 3]
    assert book.balance("costs:rent") == -450.0


def test_book_lines_again(rules):
    book = Book()
    book_lines(book, parse(SOURCE), rules)
    assert book_lines(book, parse(SOURCE), rules) == []


def test_two_equal_movements_are_two(rules):
    book = Book()
    lines = parse("2024-03-01;Cake;-2,00\n2024-03-01;Cake;-2,00\n")
    assert len(book_lines(book, lines, rules)) == 2


def test_second_of_two_equal_movements_is_new(rules):
    book = Book()
    book.add(date(2024, 3, 1), "Cake", "Costs", -2)
    lines = parse("2024-03-01;Cake;-2,00\n2024-03-01;Cake;-2,00\n")
    assert len(book_lines(book, lines, rules)) == 1


def test_missing():
    book = Book()
    book.add(date(2024, 3, 4), "Hall", "Costs", -450)
    lines = parse("2024-03-01;Hall rent;-450,00\n2024-03-09;Hall rent;-450,00\n")
    assert [line.day for line in missing(book, lines)] == [date(2024, 3, 9)]
