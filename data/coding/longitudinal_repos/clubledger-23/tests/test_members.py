from datetime import date

import pytest

from clubledger import LedgerError, Members, UnknownMember

APRIL = (date(2024, 4, 1), date(2024, 4, 30))


@pytest.fixture
def members():
    members = Members()
    members.join("Ann Lee", date(2024, 1, 1), 10)
    members.join("Bob", date(2024, 4, 16), 10.1)
    return members


def test_names_are_taken_once(members):
    with pytest.raises(LedgerError):
        members.join("ann lee", date(2024, 2, 1), 10)
    with pytest.raises(UnknownMember):
        members.get("Zoe")


def test_get_as_stored(members):
    assert members.get("bob").name == "Bob"


def test_active(members):
    assert members.active(date(2024, 4, 1)) == ["Ann Lee"]
    assert members.active(date(2024, 5, 1)) == ["Ann Lee", "Bob"]


def test_active_on_the_last_day(members):
    members.leave("bob", date(2024, 5, 31))
    assert members.active(date(2024, 5, 31)) == ["Ann Lee", "Bob"]
    assert members.active(date(2024, 6, 1)) == ["Ann Lee"]


def test_active_for_a_single_day(members):
    members.leave("bob", date(2024, 4, 16))
    assert members.active(date(2024, 4, 16)) == ["Ann Lee", "Bob"]


def test_nobody_leaves_before_joining(members):
    with pytest.raises(LedgerError):
        members.leave("bob", date(2024, 4, 15))


def test_fee(members):
    assert members.fee("ann lee", APRIL) == 10.0


def test_fee_of_a_part_of_the_month(members):
    assert members.fee("bob", APRIL) == 5.05


def test_fee_of_one_and_a_half_cents():
    members = Members()
    members.join("Cid", date(2024, 4, 16), 0.03)
    assert members.fee("cid", APRIL) == 0.02
    members.join("Dee", date(2024, 4, 16), 0.05)
    assert members.fee("dee", APRIL) == 0.03


def test_fee_in_proportion_is_rounded():
    members = Members()
    members.join("Eve", date(2024, 4, 11), 0.10)
    assert members.fee("eve", APRIL) == 0.07


def family(fee):
    members = Members()
    for name in ("Pa", "Ma", "Kid"):
        members.join(name, date(2024, 1, 1), fee, "Smith")
    return members


def test_relatives(members):
    assert family(10).relatives("pa") == ["Kid", "Ma", "Pa"]
    assert members.relatives("bob") == []


def test_family_discount():
    assert family(10).fee("ma", APRIL) == 8.5


def test_family_discount_on_odd_cents():
    assert family(10.1).fee("kid", APRIL) == 8.59


def test_family_discount_on_few_cents():
    assert family(0.10).fee("kid", APRIL) == 0.09


def test_pay(members):
    assert members.pay("bob", 0) == 0.0


def test_pay_twice(members):
    members.pay("ann lee", 2.5)
    assert members.pay("ann lee", 1.5) == 4.0


def test_owing(members):
    assert members.owing(APRIL) == {"Ann Lee": 10.0, "Bob": 5.05}


def test_owing_after_a_payment(members):
    members.pay("ann lee", 4)
    members.pay("bob", 5.05)
    assert members.owing(APRIL) == {"Ann Lee": 6.0}
