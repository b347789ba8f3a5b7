"""Rows in all their forms become tasks, or say why not."""

import builtins
import json

import pytest
from small_instance import make_row

from envs_archive.coding.swebench.environments import load_environments
from envs_archive.coding.swebench.rows import read_rows
from envs_archive.coding.swebench.source import launch, load_source


def load(place, rows, **options):
    path = place[0] / "rows.jsonl"
    path.write_text("".join(f"{row if isinstance(row, str) else json.dumps(row)}\n" for row in rows))
    given = {"repo_cache": str(place[0] / "mirror"), "environments": str(place[0] / "environments.yaml")}
    return load_source(f"swebench:{path}", **given | options)


def test_a_row_becomes_a_task_that_tells_the_agent_nothing_of_its_tests(place, row):
    (task,) = load(place, [row]).tasks
    assert (task.instance_id, task.project, task.version) == ("acme__shapes-1", "acme/shapes", "1.0")
    assert task.official.command == "pytest -rA tests/test_shapes.py"
    assert task.official.parser == "pytest"
    public = json.dumps(task.public("/base"))
    assert "test_shapes" not in public and "multiply" not in public and "width * height" not in public


def test_every_form_of_a_file(place, row, tmp_path):
    forms = {"a.json": json.dumps([row]), "b.json": json.dumps({"x": row}), "c.json": json.dumps(row) + "\n"}
    forms |= {"d.jsonl": f"\n{json.dumps(row)}\n"}
    for name, text in forms.items():
        (tmp_path / name).write_text(text)
        assert read_rows(str(tmp_path / name)) == [row], name


def test_parquet(row, tmp_path):
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    parquet.write_table(pyarrow.Table.from_pylist([row]), tmp_path / "rows.parquet")
    assert read_rows(str(tmp_path / "rows.parquet")) == [row]
    (tmp_path / "bad.parquet").write_bytes(b"PAR1 nothing")
    with pytest.raises(ValueError, match=r"bad.parquet: cannot read the rows"):
        read_rows(str(tmp_path / "bad.parquet"))


@pytest.mark.parametrize(
    "source, package", [("rows.parquet", "pyarrow"), ("princeton-nlp/SWE-bench_Lite:dev", "datasets")]
)
def test_a_missing_package_is_named(source, package, tmp_path, monkeypatch):
    real = builtins.__import__

    def without(name, *rest):
        if name.partition(".")[0] == package:
            raise ImportError(name)
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without)
    source = str(tmp_path / source) if source.endswith(".parquet") else source
    with pytest.raises(ValueError, match=rf"{package}.*requirements-swebench.txt"):
        read_rows(source)


def test_a_file_that_is_missing(tmp_path):
    with pytest.raises(ValueError, match=r"none.jsonl: cannot read the rows: No such file"):
        read_rows(str(tmp_path / "none.jsonl"))


BAD = {
    "no JSON": ('{"a": ', "line 1 is no JSON"),
    "no object": ("[1]", "a row must be an object"),
    "no test_patch": ({"test_patch": None}, "field 'test_patch' is missing or empty"),
    "empty patch": ({"patch": " "}, "field 'patch' is missing or empty"),
    "no commit": ({"base_commit": "main; rm -rf /"}, "is no commit id"),
    "no ids": ({"FAIL_TO_PASS": None}, "missing field 'FAIL_TO_PASS'"),
    "ids in no JSON": ({"FAIL_TO_PASS": "[a"}, "not a JSON list"),
    "nothing to grade": ({"FAIL_TO_PASS": "[]", "PASS_TO_PASS": "[]"}, "nothing to grade"),
    "a folder as id": ({"instance_id": "../x"}, "cannot be the name of a folder"),
    "other repository": ({"repo": "acme/wheels"}, "no environment for acme/wheels 1.0"),
    "another language": ({"log_parser": "parse_log_jest"}, "parse_log_jest"),
    "fail only": ({"eval_type": "fail_only"}, "fail_only"),
    "a shell script": (
        {"eval_script": ">>>>> Start Test Output\nmake test\n>>>>> End Test Output"},
        "neither pytest",
    ),
    "two commands": (
        {"eval_script": ">>>>> Start Test Output\npytest a\npytest b\n>>>>> End Test Output"},
        "several test commands",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_row_is_listed_with_its_reason_and_stops_nothing(name, place, row):
    changes, reason = BAD[name]
    bad = changes if isinstance(changes, str) else make_row(place[1], **{"instance_id": "bad-1", **changes})
    read = load(place, [bad, row])
    assert [task.instance_id for task in read.tasks] == ["acme__shapes-1"]
    assert [reason in one.reason for one in read.bad] == [True], read.bad
    assert read.bad[0].name in ("bad-1", "../x", "row 1")


def test_the_same_instance_twice(place, row):
    read = load(place, [row, row])
    assert len(read.tasks) == 1 and "occurred before" in read.bad[0].reason


def test_without_a_repository(place, row):
    for cache, reason in ((None, "give --repo_cache"), (str(place[0] / "work"), "acme/shapes is not in")):
        (bad,) = load(place, [row], repo_cache=cache).bad
        assert reason in bad.reason and "acme__shapes" in bad.reason
    with pytest.raises(ValueError, match="is no folder"):
        load(place, [row], repo_cache=str(place[0] / "nothing"))


def test_rows_of_older_data_sets_are_run_by_their_test_patch(place, row):
    (task,) = load(place, [make_row(place[1], eval_script=None, log_parser=None)]).tasks
    assert task.official.command == "pytest -rA tests/test_shapes.py"
    patch = row["test_patch"].replace("tests/test_shapes.py", "tests/admin/tests.py")
    entry = place[0] / "django.yaml"
    entry.write_text("environments:\n- repo: django/django\n  python: same\n")
    django = make_row(place[1], repo="django/django", eval_script=None, log_parser=None, test_patch=patch)
    django["git_url"] = str(place[0] / "work")
    (task,) = load(place, [django], environments=str(entry)).tasks
    assert task.official.command.endswith("--parallel 1 admin.tests")
    assert task.test_cmd == task.official.command.removesuffix(" admin.tests")
    assert task.official.parser == "django"


@pytest.mark.parametrize(
    "command, how, words",
    [
        ("pytest -rA t.py", "script", ("-rA", "t.py")),
        ("python3 -m pytest 't.py::a b'", "module", ("t.py::a b",)),
        ("tox --current-env -epy39 -v -- tests/t.py", "module", ("tests/t.py",)),
        ("A=1 bin/test -C --verbose s/t.py", "script", ("s/t.py",)),
        (
            "./tests/runtests.py --verbosity 2 a.b",
            "unittest",
            ("./tests/runtests.py", "--verbosity", "2", "a.b"),
        ),
        ("python tests/runtests.py a", "unittest", ("tests/runtests.py", "a")),
    ],
)
def test_how_a_command_is_run(command, how, words):
    found = launch(command)
    assert (found.how, found.words) == (how, words)
    assert found.variables == ({"A": "1"} if command.startswith("A=") else {})


def test_the_closest_environment_is_taken(tmp_path):
    path = tmp_path / "e.yaml"
    path.write_text(
        "environments:\n"
        "- {name: any, repo: a/b, python: '3.9'}\n"
        "- {name: two, repo: a/b, versions: ['2.0'], python: '3.9'}\n"
        "- {name: one, repo: a/b, instances: [a__b-1], python: '3.9'}\n"
    )
    found = load_environments(path)
    names = {
        ("a/b", "1.0", "a__b-2"): "any",
        ("a/b", "2.0", "a__b-2"): "two",
        ("a/b", "2.0", "a__b-1"): "one",
    }
    assert {key: found.entry(*key).environment.name for key in names} == names
    assert found.entry("a/c", "1.0", "a__c-1") is None


@pytest.mark.parametrize(
    "entry, reason",
    [
        ("- {repo: a/b}", "needs a text 'python'"),
        ("- {repo: a/b, python: 3.10}", "in quotes"),
        ("- {repo: a/b, python: '2.7'}", "'3.9' or"),
        ("- {repo: a/b, python: '3.9', pins: []}", "unknown key 'pins'"),
        ("- {repo: a/b, python: '3.9', versions: [2.1]}", "versions must be a list of texts"),
        ("- {repo: a/b, python: '3.9', name: ../x}", "name"),
        ("- {repo: a/b, python: same, packages: [x]}", "'same'"),
        ("- {repo: a/b, python: '3.9', test_timeout: -1}", "test_timeout"),
        ("- {repo: a/b, python: '3.9', requirements: none.txt}", "none.txt cannot be read"),
        ("- 1", "keys and values"),
    ],
)
def test_a_bad_environments_file_says_where(entry, reason, tmp_path):
    path = tmp_path / "e.yaml"
    path.write_text(f"environments:\n{entry}\n")
    with pytest.raises(ValueError, match=r"e.yaml: environment 1: ") as raised:
        load_environments(path)
    assert reason in str(raised.value)


def test_requirements_stand_in_a_file_beside(tmp_path):
    (tmp_path / "pins.txt").write_text("# pins\nattrs==1.0  # old\n\npytest==7.4.4\n")
    (tmp_path / "e.yaml").write_text("environments:\n- {repo: a/b, python: '3.9', requirements: pins.txt}\n")
    (entry,) = load_environments(tmp_path / "e.yaml").entries
    assert entry.environment.packages == ("attrs==1.0", "pytest==7.4.4")
