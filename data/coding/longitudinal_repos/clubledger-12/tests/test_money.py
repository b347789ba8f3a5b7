import pytest

from clubledger.finance import instalments, interest, late_fee, net, tax
from clubledger.errors import LedgerError
from clubledger.money import amount, cents, half_even, half_up, shares, text
from datetime import date


def test_cents_and_back():
    assert cents(12.5) == 1250 and cents("0.07") == 7 and cents(-3) == -300
    assert amount(1250) == 12.5


def test_half_up_goes_away_from_zero():
    assert [half_up(x) for x in (2.5, 3.5, -2.5, 2.49)] == [3, 4, -3, 2]


def test_half_even_goes_to_the_even_neighbour():
    assert [half_even(x) for x in (2.5, 3.5, -2.5, 2.51)] == [2, 4, -2, 3]


def test_text():
    assert text(1250) == "12.50" and text(-12345) == "-123.45"


def test_text_of_a_few_cents():
    assert text(105) == "1.05"


def test_text_below_one():
    assert text(7) == "0.07" and text(-5) == "-0.05"


def test_shares_add_up():
    assert sum(shares(1000, 3)) == 1000


def test_shares_begin_with_the_larger_ones():
    assert shares(1000, 3) == [334, 333, 333]


def test_shares_differ_by_one():
    assert shares(11, 4) == [3, 3, 3, 2]


def test_instalments():
    assert instalments(90, 3) == [30.0, 30.0, 30.0]
    with pytest.raises(LedgerError):
        instalments(90, 0)


def test_instalments_of_an_odd_amount():
    assert instalments(0.05, 3) == [0.02, 0.02, 0.01]


def test_interest_of_a_year():
    assert interest(1000, 5, 360) == 50.0


def test_interest_of_half_a_cent():
    assert interest(1.00, 2.5, 72) == 0.01
    assert interest(5.00, 2.5, 72) == 0.03


def test_interest_of_two_and_a_half_cents():
    assert interest(9.00, 5, 20) == 0.03


def test_late_fee_counts_full_weeks():
    assert late_fee(100, date(2024, 1, 1), date(2024, 1, 7), 1) == 0.0
    assert late_fee(100, date(2024, 1, 1), date(2024, 1, 22), 1) == 3.0


def test_late_fee_of_somebody_early():
    assert late_fee(100, date(2024, 1, 10), date(2024, 1, 1), 1) == 0.0


def test_late_fee_is_half_at_most():
    assert late_fee(80, date(2024, 1, 1), date(2025, 1, 1), 5) == 40.0


def test_net():
    assert net(119, 19) == 100.0


def test_net_of_small_change():
    assert net(0.05, 100) == 0.03


def test_net_of_nine_cents():
    assert net(0.09, 100) == 0.05
    assert net(0.13, 100) == 0.07


def test_tax_is_the_rest():
    assert tax(119, 19) == 19.0
