from datetime import date

import pytest

from clubledger import Book, LedgerError, UnknownEntry

DAY = date(2024, 3, 1)


@pytest.fixture
def book():
    book = Book()
    book.add(DAY, "Hall", "Costs:Rent", -450, ["Spring"])
    book.add(date(2024, 3, 5), "Balls", "Costs:Material", -30.5, ["Spring", "Youth"])
    book.add(date(2024, 3, 9), "Fees", "Income:Fees", 600)
    return book


def test_entries_are_stored_in_cents_and_canonical(book):
    entry = book.get(2)
    assert entry.value == -3050 and entry.account == "costs:material"
    assert str(entry) == "2 2024-03-05 Balls -30.50"


def test_text_is_needed(book):
    with pytest.raises(LedgerError):
        book.add(DAY, "  ", "Costs", 1)
    with pytest.raises(UnknownEntry):
        book.get(9)


def test_iteration_is_by_day(book):
    book.add(date(2024, 2, 1), "Late slip", "Costs", -1)
    assert [entry.number for entry in book] == [4, 1, 2, 3]


def test_balance_of_one_account(book):
    assert book.balance("costs:material") == -30.5


def test_balance_includes_what_is_below(book):
    assert book.balance("Costs") == -480.5
    assert book.balance("Cost") == 0


def test_balance_until_a_day(book):
    assert book.balance("Costs", date(2024, 3, 1)) == -450.0


def test_on_as_stored(book):
    assert [entry.text for entry in book.on("costs:rent")] == ["Hall"]
    assert book.on("nothing") == []


def test_on_as_typed(book):
    assert [entry.text for entry in book.on("Costs:Rent")] == ["Hall"]


def test_on_with_blanks(book):
    assert [entry.number for entry in book.on("income : fees")] == [3]


def test_tagged(book):
    assert [entry.number for entry in book.tagged("spring")] == [1, 2]


def test_tagged_as_typed(book):
    assert [entry.number for entry in book.tagged("Spring")] == [1, 2]


def test_tagged_with_two_words(book):
    book.add(DAY, "Cups", "Costs", -5, ["Cup Final"])
    assert [entry.number for entry in book.tagged("Cup Final")] == [4]


def test_tagged_in_capitals(book):
    assert [entry.number for entry in book.tagged("YOUTH")] == [2]


def test_move(book):
    book.move(1, "costs:other")
    assert book.accounts() == ["costs:material", "costs:other", "income:fees"]


def test_move_to_an_account_in_use(book):
    book.move(1, "Costs:Material")
    assert [entry.number for entry in book.on("costs:material")] == [1, 2]
    assert book.accounts() == ["costs:material", "income:fees"]


def test_move_with_blanks(book):
    assert book.move(3, "Income : Gifts").account == "income:gifts"
    assert book.balance("Income:Gifts") == 600.0


def test_remove(book):
    assert book.remove(2).text == "Balls"
    assert len(book) == 2 and book.balance("costs") == -450.0


def test_remove_forgets_the_account(book):
    book.remove(2)
    assert book.accounts() == ["costs:rent", "income:fees"]


def test_remove_all_of_an_account(book):
    second = book.add(DAY, "Hall again", "Costs:Rent", -10)
    book.remove(1)
    assert "costs:rent" in book.accounts()
    book.remove(second.number)
    assert "costs:rent" not in book.accounts()


def test_reverse(book):
    entry = book.reverse(2, date(2024, 4, 1))
    assert (entry.number, entry.value, entry.text) == (4, 3050, "Reversal: Balls")
    assert entry.tags == book.get(2).tags


def test_closed_days_stay(book):
    book.close(DAY)
    with pytest.raises(LedgerError):
        book.add(DAY, "Late", "Costs", 1)
    with pytest.raises(LedgerError):
        book.remove(1)
    book.remove(2)


def test_close_never_moves_back(book):
    book.close(date(2024, 3, 31))
    book.close(date(2024, 1, 31))
    with pytest.raises(LedgerError):
        book.add(date(2024, 3, 15), "Late", "Costs", 1)


def test_rename_one_account(book):
    assert book.rename("Costs:Rent", "Costs:Hall") == 1
    assert book.accounts() == ["costs:hall", "costs:material", "income:fees"]


def test_rename_keeps_what_is_below(book):
    assert book.rename("Costs", "Spending") == 2
    assert book.accounts() == ["income:fees", "spending:material", "spending:rent"]


def test_rename_deep_tree(book):
    book.add(DAY, "Nets", "Costs:Material:Nets", -20)
    book.rename("costs:material", "Stock")
    assert book.balance("Stock:Nets") == -20.0
