import pytest
from textprocessor.errors import TextError
from textprocessor.glossary import Glossary


def spellings(glossary, text):
    return [term for _, term in glossary.find(text)]


def test_explain():
    assert Glossary({"cache": "a fast copy"}).explain("cache") == "a fast copy"


def test_explain_unknown():
    assert Glossary({"cache": "a fast copy"}).explain("queue") is None


def test_explain_ignores_case():
    assert Glossary({"Cache": "a fast copy"}).explain("CACHE") == "a fast copy"


def test_explain_ignores_accents():
    assert Glossary({"déjà vu": "seen before"}).explain("deja vu") == "seen before"


def test_define_replaces():
    glossary = Glossary({"Cache": "old"})
    glossary.define("cache", "new")
    assert len(glossary) == 1
    assert glossary.explain("Cache") == "new"


def test_term_without_word():
    with pytest.raises(TextError):
        Glossary({"--": "dashes"})


def test_find_span():
    text = "Warm the cache first"
    ((span, term),) = Glossary({"cache": "a fast copy"}).find(text)
    assert (span.of(text), term) == ("cache", "cache")


def test_find_in_order():
    assert spellings(Glossary({"queue": "", "cache": ""}), "A cache, a queue, a cache") == ["cache", "queue", "cache"]


def test_find_keeps_spelling_of_glossary():
    assert spellings(Glossary({"Naïve Bayes": ""}), "use naive bayes here") == ["Naïve Bayes"]


def test_find_longest_term():
    glossary = Glossary({"write": "", "write ahead log": "", "log": ""})
    assert spellings(glossary, "The write ahead log is a log") == ["write ahead log", "log"]


def test_find_no_word_twice():
    glossary = Glossary({"hash table": "", "table scan": ""})
    assert spellings(glossary, "a hash table scan") == ["hash table"]


def test_find_longest_defined_first():
    glossary = Glossary({"load balancer": "", "load": ""})
    assert spellings(glossary, "a load balancer under load") == ["load balancer", "load"]


def test_find_nothing():
    assert Glossary({"cache": ""}).find("") == []


def test_terms():
    assert Glossary({"queue": "", "cache": ""}).terms() == ["cache", "queue"]


def test_terms_after_a_definition():
    glossary = Glossary({"queue": ""})
    assert glossary.terms() == ["queue"]
    glossary.define("cache", "a fast copy")
    assert glossary.terms() == ["cache", "queue"]


def test_terms_after_a_new_spelling():
    glossary = Glossary({"queue": ""})
    assert glossary.terms() == ["queue"]
    glossary.define("Queue", "")
    assert glossary.terms() == ["Queue"]


def test_terms_after_forgetting():
    glossary = Glossary({"queue": "", "cache": ""})
    assert glossary.terms() == ["cache", "queue"]
    glossary.forget("CACHE")
    assert glossary.terms() == ["queue"]


def test_terms_after_forgetting_all():
    glossary = Glossary({"queue": ""})
    assert glossary.terms() == ["queue"]
    glossary.forget("queue")
    assert glossary.terms() == []
