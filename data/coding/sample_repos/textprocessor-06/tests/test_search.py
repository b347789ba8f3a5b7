import pytest
from textprocessor.errors import TextError
from textprocessor.search import Index


def library():
    index = Index()
    index.add("menu", "Crème brûlée and coffee")
    index.add("note", "buy coffee, milk and tea")
    return index


def test_find_one_word():
    assert library().find("coffee") == ["menu", "note"]


def test_find_all_words():
    assert library().find("milk coffee") == ["note"]


def test_find_in_capitals():
    assert library().find("COFFEE") == ["menu", "note"]


def test_find_with_accents():
    assert library().find("Brûlée") == ["menu"]


def test_find_accents_and_more_words():
    assert library().find("coffee crème") == ["menu"]


def test_find_unknown_word():
    assert library().find("coffee juice") == []


def test_find_without_words():
    assert library().find("?!") == []


def test_vocabulary():
    index = Index()
    index.add("a", "Été, ete and ETE")
    assert index.vocabulary() == ["and", "ete"]


def test_complete():
    assert library().complete("c") == ["coffee", "creme"]


def test_complete_in_capitals():
    assert library().complete("CRÈ") == ["creme"]


def test_complete_limit():
    assert library().complete("", limit=2) == ["and", "brulee"]


def test_remove():
    index = library()
    index.remove("menu")
    assert len(index) == 1
    assert index.find("coffee") == ["note"]


def test_remove_forgets_words():
    index = library()
    index.remove("menu")
    assert index.vocabulary() == ["and", "buy", "coffee", "milk", "tea"]


def test_remove_unknown():
    with pytest.raises(TextError):
        library().remove("menus")


def test_replace_document():
    index = library()
    index.add("note", "buy bread")
    assert len(index) == 2
    assert index.find("milk") == []
    assert index.find("bread") == ["note"]


def test_replace_keeps_vocabulary_small():
    index = Index()
    index.add("a", "old words")
    index.add("a", "new words")
    assert index.vocabulary() == ["new", "words"]


def test_complete_after_replacing():
    index = library()
    index.add("note", "cake")
    assert index.complete("m") == []


def shelf():
    index = library()
    index.add("tale", "Zoë drinks tea")
    index.add("diary", "I met Zoe for coffee")
    return index


def test_ranked_rare_words_first():
    assert shelf().ranked("coffee menu milk") == ["note", "diary", "menu"]
    assert shelf().ranked("coffee milk", limit=1) == ["note"]


def test_ranked_with_boost():
    assert shelf().ranked("zoe milk", boost={"Zoë": 3}) == ["diary", "tale", "note"]


def test_ranked_without():
    assert shelf().ranked("coffee", without=["milk"]) == ["diary", "menu"]


def test_ranked_without_a_name():
    assert shelf().ranked("coffee tea", without=["Zoë"]) == ["note", "menu"]


def test_ranked_without_accents():
    assert shelf().ranked("coffee", without=["BRULEE", "Milk"]) == ["diary"]


def test_ranked_limit():
    with pytest.raises(TextError):
        shelf().ranked("coffee", limit=0)


def test_ranked_with_capitals():
    assert shelf().ranked("Coffee") == ["diary", "menu", "note"]


def test_ranked_with_accents():
    assert shelf().ranked("zoé") == ["diary", "tale"]


def test_ranked_one_word_in_two_spellings():
    assert shelf().ranked("milk Zoë zoe") == shelf().ranked("milk zoe")


def test_names_and_vocabulary_after_each_change():
    index = Index()
    assert index.names() == index.vocabulary() == []
    index.add("a", "one")
    assert (index.names(), index.vocabulary()) == (["a"], ["one"])
    index.add("b", "two")
    index.remove("a")
    assert (index.names(), index.vocabulary()) == (["b"], ["two"])


def test_rename():
    index = library()
    index.rename("menu", "card")
    assert index.find("brulee") == ["card"]
    assert index.names() == ["card", "note"]


def test_names_after_renaming():
    index = library()
    assert index.names() == ["menu", "note"]
    index.rename("note", "list")
    assert index.names() == ["list", "menu"]


def test_names_after_renaming_twice():
    index = library()
    index.rename("note", "list")
    assert index.names() == ["list", "menu"]
    index.rename("list", "note")
    assert index.names() == ["menu", "note"]


def test_rename_to_a_taken_name():
    with pytest.raises(TextError):
        library().rename("menu", "note")


def test_merge():
    index = library()
    assert index.merge(library(), "old-") == 2
    assert index.find("milk") == ["note", "old-note"]


def test_vocabulary_after_merging():
    index, other = library(), Index()
    assert "zebra" not in index.vocabulary()
    other.add("zoo", "zebra")
    index.merge(other)
    assert index.complete("zeb") == ["zebra"]


def test_names_after_merging_with_a_prefix():
    index, other = library(), Index()
    assert len(index.names()) == 2
    other.add("zoo", "zebra")
    index.merge(other, "x-")
    assert index.names() == ["menu", "note", "x-zoo"]


def test_merge_with_a_taken_name():
    with pytest.raises(TextError):
        library().merge(library())


def test_names_after_removing():
    index = library()
    assert index.names() == ["menu", "note"]
    index.remove("note")
    assert index.names() == ["menu"]


def test_complete_after_removing():
    index = library()
    assert index.complete("mi") == ["milk"]
    index.remove("note")
    assert index.complete("mi") == []
