"""The text of an issue: from failures that a plugin has seen, without what would give the bug away."""

from __future__ import annotations

import asyncio
from random import Random

import pytest

from core.issue_writer import issue_writer
from core.options import UsageError
from envs_archive.coding.planting.hidden_tests import NodeFunction, choose_hidden, without
from envs_archive.coding.planting.issue_text import gives_away, observe, write_issue
from envs_archive.coding.planting.planted import Rejected
from envs_archive.coding.planting.repository import Repository
from envs_archive.coding.planting.rows import issue_of
from tests.gateway.stub import Answer, StubProvider, chat

SOURCE = '''\
import pytest


@pytest.mark.parametrize("title, expected", [("A b", "a-b")])
def test_slug(title, expected):
    """Titles."""
    assert slug("") == ""
    text = slug(title)
    assert text.strip() == expected


def test_refused():
    with pytest.raises(ValueError):
        slug(None)


# Why this is so.
def test_fails():
    stock = Stock()
    stock.take("tea")


class Tests:
    def test_one(self):
        self.assertEqual(Stock().count(), 3)

    def test_two(self):
        check(Stock(), 2)

    def test_three(self):
        self.assertShown("tea", Stock())
'''


def failure(line, kind="AssertionError", message="", compared=None, parameters=None, own=None):
    return {
        "phase": "call",
        "type": kind,
        "message": message,
        "line": line,
        "own_line": own or line,
        "places": [],
        "compared": compared,
        "parameters": parameters or {},
    }


def told(test, seen):
    return write_issue([observe(f"t.py::{test}", seen, SOURCE)], "shop", 1, Random(1))


def test_a_wrong_value():
    values = {"title": "'A b'", "expected": "'a-b'"}
    text = told("test_slug[A b-a-b]", failure(9, compared=["==", "'a_b'", "'a-b'"], parameters=values))
    assert "    text = slug('A b')\n    text.strip()\n" in text
    assert "'a-b'" in text and "'a_b'" in text and 'slug("")' not in text and "Titles" not in text


def test_the_side_that_calls_the_library_is_what_came_out():
    source = "def test_it():\n    assert 'a-b'.replace('-', '_') == shop.slug('a b').lower()\n"
    seen = observe("t.py::test_it", failure(2, compared=["==", "'a_b'", "'ab'"]), source)
    assert (seen.called, seen.expected, seen.actual) == ("slug", "'a_b'", "'ab'")


def test_an_error_that_does_not_come():
    text = told("test_refused", failure(13, "Failed", "DID NOT RAISE <class 'ValueError'>"))
    assert "    slug(None)\n" in text and "expected ValueError" in text


def test_an_error():
    text = told("test_fails", failure(20, "KeyError", "'tea'"))
    assert '    stock = Stock()\n    stock.take("tea")\n' in text and "KeyError: 'tea'" in text


def test_a_value_of_unittest():
    text = told("Tests::test_one", failure(25, message="2 != 3"))
    assert "    Stock().count()\n" in text and "3" in text and "2" in text and "assertEqual" not in text


def test_a_helper_of_the_tests():
    text = told("Tests::test_two", failure(99, compared=["==", "1", "2"], own=28))
    assert "    check(Stock(), 2)\n" in text and "`check`" not in text


def test_a_check_that_the_project_has_made_itself():
    text = told("Tests::test_three", failure(31, message="'tea' != 'rum'\n- tea\n+ rum"))
    assert '    self.assertShown("tea", Stock())\n' in text and "This goes wrong: 'tea' != 'rum'" in text


def test_what_cannot_be_read_is_nothing():
    assert observe("t.py::test_gone", failure(9), SOURCE) is None
    assert observe("t.py::test_slug", failure(99, own=98), SOURCE) is None


PATCH = "--- a/shop/text.py\n+++ b/shop/text.py\n@@ -1 +1 @@\n-    return words[1:]\n+    return words[0:]\n"


@pytest.mark.parametrize(
    "text, why",
    [
        ("`slug` is off", None),
        ("It should return words[0:] here", "quotes a changed line"),
        ("It does return   words[1:]", "quotes a changed line"),
        ("See text.py", "names the changed file"),
        ("test_hidden fails", "names the hidden test"),
    ],
)
def test_what_gives_the_bug_away(text, why):
    found = gives_away(text, PATCH, ["test_hidden"])
    assert found is None if why is None else why in found


def test_hidden_tests_are_taken_out_whole():
    functions = {NodeFunction("t.py", ("test_fails",)), NodeFunction("t.py", ("Tests", "test_one"))}
    left = without(SOURCE, functions)
    compile(left, "t.py", "exec")
    assert "test_fails" not in left and "Why this is so" not in left and "test_one" not in left
    assert "test_refused" in left and "test_two" in left


def test_one_failing_test_at_least_is_seen():
    failing = [f"t.py::{name}" for name in ("test_slug[a]", "test_slug[b]", "test_fails", "test_refused")]
    for seed in range(20):
        hidden = choose_hidden(failing, {"t.py": SOURCE}, Random(seed))
        assert len(hidden) == 1
    assert choose_hidden(failing[:2], {"t.py": SOURCE}, Random(1)) == set()
    assert choose_hidden(failing, {}, Random(1)) == set()
    named = SOURCE.replace("check(Stock(), 2)", "test_fails(); test_refused(); test_slug('', '')")
    assert choose_hidden(failing, {"t.py": named}, Random(1)) == set()


def issue_by(rewrite, tmp_path):
    (tmp_path / "t.py").write_text(SOURCE)
    repository = Repository("shop", tmp_path, ())
    seen = {"t.py::test_fails": failure(20, "KeyError", "'tea'")}
    return asyncio.run(issue_of(repository, seen, frozenset(seen), PATCH, set(), Random(1), rewrite))


def test_a_model_writes_it_unless_it_tells_too_much(tmp_path, monkeypatch):
    provider = StubProvider()
    monkeypatch.setenv("OPENAI_API_KEY", "sk-x")
    monkeypatch.setenv("OPENAI_BASE_URL", provider.url)
    answers = ["I cannot take tea out of an empty stock.", "The cause is `return words[1:]`, I think."]

    async def written(answer):
        provider.default = lambda seen: Answer(body=chat(answer) if seen.body else {"data": []})
        folder = tmp_path / str(len(answer))
        async with issue_writer("some-model", 1, folder, lambda line: None) as rewrite:
            (tmp_path / "t.py").write_text(SOURCE)
            seen = {"t.py::test_fails": failure(20, "KeyError", "'tea'")}
            repository = Repository("shop", tmp_path, ())
            text = await issue_of(repository, seen, frozenset(seen), PATCH, set(), Random(1), rewrite)
        assert (folder / "ledger.sqlite").stat().st_size
        return text

    try:
        good, bad = [asyncio.run(written(answer)) for answer in answers]
    finally:
        provider.stop()
    assert good == answers[0] + "\n"
    assert bad == issue_by(None, tmp_path) and "words[1:]" not in bad
    asked = [seen.json["messages"] for seen in provider.seen if seen.body]
    assert "stock.take" in asked[0][-1]["content"] and "words" not in str(asked)


def test_a_text_that_cannot_but_tell_is_none(tmp_path):
    patch = PATCH.replace("return words[1:]", 'stock.take("tea")')
    (tmp_path / "t.py").write_text(SOURCE)
    seen = {"t.py::test_fails": failure(20, "KeyError", "'tea'")}
    repository = Repository("shop", tmp_path, ())
    found = asyncio.run(issue_of(repository, seen, frozenset(seen), patch, set(), Random(1), None))
    assert isinstance(found, Rejected)


def test_the_embedded_model_writes_no_prose(tmp_path):
    async def ask():
        async with issue_writer("offline", 1, tmp_path / "x", lambda line: None):
            pass

    with pytest.raises(UsageError, match="writes no prose"):
        asyncio.run(ask())
    assert not (tmp_path / "x").exists()
