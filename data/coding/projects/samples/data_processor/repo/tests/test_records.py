from data_processor import at_least, total_by, without_missing

SALES = [
    {"city": "Oslo", "amount": 10},
    {"city": "Bern", "amount": 20},
    {"city": "Oslo", "amount": 5},
    {"city": "Bern", "amount": None},
    {"city": "Rome"},
]


def test_without_missing():
    assert len(without_missing(SALES, "amount")) == 3


def test_zero_is_a_value():
    assert without_missing([{"amount": 0}], "amount") == [{"amount": 0}]


def test_at_least_includes_the_minimum():
    assert at_least(SALES, "amount", 10) == SALES[:2]


def test_at_least_above_everything():
    assert at_least(SALES, "amount", 21) == []


def test_total_by_city():
    assert total_by(SALES, "city", "amount") == {"Oslo": 15, "Bern": 20}


def test_total_of_three_sales():
    sales = [{"city": "Oslo", "amount": n} for n in (1, 2, 3)]
    assert total_by(sales, "city", "amount") == {"Oslo": 6}


def test_total_of_nothing():
    assert total_by([], "city", "amount") == {}
