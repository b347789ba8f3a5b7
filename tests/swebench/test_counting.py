"""What counts as passed, by the harness's rules; tests/bench/swebench_counts.py compares with the harness itself."""

import pytest

from envs_archive.coding.swebench.counting import PARSERS, count, parser_of

PYTEST = """\
PASSED t.py::test_a
PASSED t.py::test_b[x y]
FAILED t.py::test_c - assert 1 == 2
FAILED t.py::test_d[a - b] - ValueError
ERROR t.py - ImportError: no
XFAIL t.py::test_e
XPASS t.py::test_f
SKIPPED [2] t.py:3: not here
PASSED
t.py::test_g PASSED
 PASSED t.py::test_h
"""
DJANGO = """\
test_a (m.C) ... ok
test_b (m.C)
Says what it does. ... ok
test_c (m.C) ... skipped 'no database'
test_d (m.C) ... FAIL
test_e (m.C) ... ERROR
test_f (m.C) ... Testing against Django
ok
test_g (m.C) ... expected failure
FAIL: test_h (m.C)
"""


def test_pytest_cuts_ids_at_the_first_space():
    assert PARSERS["pytest"](PYTEST.splitlines()) == {
        "t.py::test_a": "PASSED",
        "t.py::test_b[x": "PASSED",
        "t.py::test_c": "FAILED",
        "t.py::test_d[a": "FAILED",
        "t.py": "ERROR",
        "t.py::test_e": "XFAIL",
    }


def test_the_later_version_keeps_spaces_and_reads_verbose_lines():
    assert PARSERS["pytest_v2"]([*PYTEST.splitlines(), "\x1b[32mPASSED\x1b[0m t.py::test_i"]) == {
        "t.py::test_a": "PASSED",
        "t.py::test_b[x y]": "PASSED",
        "t.py::test_c": "FAILED",
        "t.py::test_d[a": "FAILED",
        "t.py - ImportError: no": "ERROR",
        "t.py::test_e": "XFAIL",
        "t.py::test_g": "PASSED",
        "t.py::test_i": "PASSED",
    }


def test_a_path_as_parameter_is_cut_to_its_last_part():
    lines = [
        "PASSED t.py::a[/tmp/x/y.dcm]",
        "PASSED t.py::a[//host/x]",
        "PASSED t.py::a[/x/*]",
        "PASSED t.py::b",
    ]
    names = ["t.py::a[/y.dcm]", "t.py::a[//host/x]", "t.py::a[/x/*]", "t.py::b"]
    assert list(PARSERS["pytest_options"](lines)) == names


def test_seaborn_knows_passed_and_failed_alone():
    lines = ["PASSED t.py::a", "t.py::b PASSED [ 5%]", "FAILED t.py::c - x", "XFAIL t.py::d", "ERROR t.py::e"]
    assert PARSERS["seaborn"](lines) == {"t.py::a": "PASSED", "t.py::b": "PASSED", "t.py::c": "FAILED"}


def test_matplotlib_numbers_its_buttons():
    assert PARSERS["matplotlib"](["PASSED t.py::a[MouseButton.LEFT]"]) == {"t.py::a[1]": "PASSED"}


def test_django_goes_by_docstrings_and_by_what_is_printed_in_between():
    assert PARSERS["django"](DJANGO.splitlines()) == {
        "test_a (m.C)": "PASSED",
        "Says what it does.": "PASSED",
        "test_c (m.C)": "SKIPPED",
        "test_d (m.C)": "FAILED",
        "test_e (m.C)": "ERROR",
        "test_f (m.C)": "PASSED",
        "test_h": "FAILED",
    }


def test_sympy_names_functions():
    log = ["test_a ok", "test_b F", "test_c E", "test_d f", "____ sympy/core/tests/test_x.py:test_b ____"]
    found = {"test_a": "PASSED", "test_b": "FAILED", "test_c": "ERROR"}
    assert PARSERS["sympy"](log) == found | {"sympy/core/tests/test_x.py:test_b": "FAILED"}


@pytest.mark.parametrize(
    "status, repaired, kept",
    [("PASSED", 1, 1), ("XFAIL", 1, 1), ("SKIPPED", 0, 1), ("FAILED", 0, 0), ("ERROR", 0, 0), (None, 0, 0)],
)
def test_which_status_counts(status, repaired, kept):
    counted = count({} if status is None else {"a": status}, ["a"], ["a"])
    assert (len(counted.fail_to_pass), len(counted.pass_to_pass)) == (repaired, kept)


def test_an_id_that_was_cut_stands_for_what_begins_with_it():
    statuses = {
        "a[x y]": "PASSED",
        "a[x z]": "XFAIL",
        "b[x y]": "PASSED",
        "b[x z]": "FAILED",
        "c[x]": "PASSED",
    }
    assert count(statuses, ["a[x", "b[x", "c[", "c", "d["], []).fail_to_pass == ["a[x", "c["]


@pytest.mark.parametrize(
    "field, repo, parser",
    [
        ("parse_log_sphinx", "x/y", "pytest_v2"),
        ("", "scikit-learn/scikit-learn", "pytest_v2"),
        ("", "pvlib/pvlib-python", "pytest"),
        ("", "psf/requests", "pytest_options"),
        ("", "django/django", "django"),
        ("", "acme/shapes", "pytest"),
    ],
)
def test_which_parser_counts_for_a_row(field, repo, parser):
    assert parser_of(field, repo) == parser


def test_a_parser_of_another_language_is_refused():
    with pytest.raises(ValueError, match="parse_log_jest"):
        parser_of("parse_log_jest", "a/b")
