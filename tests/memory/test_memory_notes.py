"""Reading edit experience out of text: the canonical line, prose, diffs and raw trajectories."""

import json
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.gateway.offline.notes import EditNote, format_edit, parse_edits
from tests.memory import runs

FOUND = EditNote(
    *runs.FIX, "mathlib/stats.py", "variance", "test_variance failed with `AssertionError: assert 1.0 == 2.0`"
)
CODE = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\r"), min_size=1, max_size=60
) | st.sampled_from(["a `b` c", "``", "x\ny", "`", "⏎␛", " a ", "a -> `b`; fixed by changing `c` to `d`"])
NAMES = st.from_regex(r"[a-z_]{1,8}", fullmatch=True)


def test_the_canonical_line_is_as_agreed():
    line = (
        "- In `mathlib/stats.py` `variance`: test_variance failed with `AssertionError: assert 1.0 == 2.0`;"
        " fixed by changing `return total / n` to `return total / (n - 1)`"
    )
    assert format_edit(FOUND) == line
    assert parse_edits(line) == [FOUND]


@settings(max_examples=120, deadline=None)
@given(CODE, CODE, st.just("") | NAMES.map("pkg/{}.py".format), st.just("") | NAMES)
def test_every_note_survives_writing_and_reading(before, after, path, function):
    if before == after:
        return
    note = EditNote(before, after, path, function, "test_x failed with `ValueError: no`")
    assert note in parse_edits(format_edit(note))


@pytest.mark.parametrize("before, after", [("", "x = 1"), ("x = 1", "")])
def test_pure_additions_and_removals_survive_too(before, after):
    note = EditNote(before, after, "a/b.py", "f", "test_x failed")
    assert parse_edits(format_edit(note)) == [note]


@pytest.mark.parametrize(
    "text, before, after, path",
    [
        ("`key` -> `key.lower()` in pkg/names.py", "key", "key.lower()", "pkg/names.py"),
        ("* in `pkg/a.py`, `x` => `y`", "x", "y", "pkg/a.py"),
        ("Replace `a` with `b`.", "a", "b", ""),
        ("we replaced `a` in `pkg/m.py` by `b`", "a", "b", "pkg/m.py"),
        ("Use `<=` instead of `<` at limits", "<", "<=", ""),
        (
            "--- a/m.py\n+++ b/m.py\n@@ -1 +1 @@ def f(x):\n-    return x\n+    return -x\n",
            "return x",
            "return -x",
            "m.py",
        ),
        ("Before:\n```python\nx = 1\n```\nAfter:\n```python\nx = 2\n```", "x = 1", "x = 2", ""),
        ('Lessons: [{"file": "q.py", "before": "a", "after": "b", "why": "c"}]', "a", "b", "q.py"),
        ("changing `{'a': 1}` to `{'a': 2}`", "{'a': 1}", "{'a': 2}", ""),
    ],
)
def test_other_wordings(text, before, after, path):
    notes = parse_edits(text)
    assert [(n.before, n.after, n.path) for n in notes] == [(before, after, path)]


@pytest.mark.parametrize(
    "text",
    [
        "- Not fixed: test_x failed; tried without success: changing `a` to `b`",
        "Changing `a` to `b` did not help.",
        "- first point\n- second point\n+ third",
        "Run `pytest`, then read `a.py` and `b.py`.",
    ],
)
def test_what_is_no_fix_is_not_read_as_one(text):
    assert parse_edits(text) == []


def wrapped(steps):
    plain = "\n".join(
        f"Step {s['step']}: {json.dumps(s['action'])}\nObservation: {s['observation']}" for s in steps
    )
    return {
        "json": json.dumps(steps),
        "indented": json.dumps(steps, indent=2),
        "repr": str(steps),
        "nested json": json.dumps({"memory": {"trajectory": json.dumps(steps)}}),
        "pasted json string": json.dumps(json.dumps(steps)),
        "action as text": json.dumps([{**s, "action": json.dumps(s["action"])} for s in steps]),
        "one per line": "\n".join(str(s) for s in steps),
        "rendered": plain,
        "chat": "\n\n".join(f"{json.dumps(s['action'])}\n{s['observation']}" for s in steps),
        "in prose": f"What happened earlier:\n{steps}\n\n## Advice\nRead the tests.",
    }


@pytest.mark.parametrize("form", wrapped([]))
def test_only_the_net_edit_of_a_solved_run_counts(form):
    assert parse_edits(wrapped(runs.solved())[form]) == [FOUND]


@pytest.mark.parametrize("form", wrapped([]))
def test_a_failed_run_gives_no_fix(form):
    assert parse_edits(wrapped(runs.failed())[form]) == []


def test_a_reward_below_one_outranks_green_tests():
    assert parse_edits(json.dumps({"reward": 0.9, "steps": runs.solved()})) == []
    assert parse_edits(f"Reward: 0.9\n{runs.solved()}") == []
    assert parse_edits(json.dumps({"steps": runs.solved(), "reward": 1.0})) == [FOUND]


def test_several_runs_in_one_text_are_kept_apart():
    other = runs.small_fix("pkg/names.py", "add", "key = name", "key = name.lower()")
    text = json.dumps([{"reward": 0.4, "steps": runs.solved()}, {"reward": 1, "steps": other}])
    assert [(n.before, n.function) for n in parse_edits(text)] == [("key = name", "add")]
    assert len(parse_edits(json.dumps(runs.solved() + other))) == 2


def test_refused_edits_and_edits_of_tests_do_not_count():
    run = runs.Run().red().edit("a.py", "x", "y", refused=True).edit("tests/test_a.py", "1", "2")
    assert parse_edits(json.dumps(run.edit("a.py", "p = 1", "p = 2").green().steps))[0].before == "p = 1"
    assert len(parse_edits(json.dumps(run.steps))) == 1


def test_tries_that_replace_each_other_leave_the_last_against_the_first():
    run = runs.Run().red().edit("a.py", "return x < 1", "return x > 1").red()
    run.edit("a.py", "return x > 1", "return x <= 1").green()
    assert [(n.before, n.after) for n in parse_edits(str(run.steps))] == [("return x < 1", "return x <= 1")]


def test_a_cut_trajectory_is_read_up_to_the_cut():
    text = str(runs.solved())
    upto_green = text[: text.index("2 passed") + 20]
    assert parse_edits(upto_green) == [FOUND]
    assert parse_edits(upto_green[:-3] + "\n\n## More notes\n`a` -> `b`")[-2:] == [EditNote("a", "b"), FOUND]
    assert parse_edits(text[: text.index("2 passed") - 200]) == []


def test_shortened_observations_still_tell_red_from_green():
    steps = [{**s, "observation": s["observation"][:40]} for s in runs.solved()]
    assert [(n.before, n.after) for n in parse_edits(json.dumps(steps))] == [runs.FIX]


@settings(max_examples=80, deadline=None)
@given(st.text(alphabet="`{}[]()'\",:\\ ->+=@#\nabfixdchgton01tru.", max_size=200))
def test_no_text_makes_it_raise(text):
    parse_edits(text)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 4000), st.integers(0, 4000), st.sampled_from(sorted(wrapped([]))))
def test_no_cut_makes_it_raise(start, stop, form):
    parse_edits(wrapped(runs.solved())[form][start : start + stop])


@pytest.mark.parametrize(
    "text", ["{" * 15_000, "[{'a':" * 4_000, "`" * 30_000, "`a` -> " * 2_000, "-\n+\n" * 8_000]
)
def test_hostile_text_takes_no_long(text):
    start = time.process_time()
    parse_edits(text)
    assert time.process_time() - start < 3
