"""The offline model's answers to memory designs: in any wording, for any form."""

import json

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.gateway.offline.memory import remember
from core.gateway.offline.notes import parse_edits
from tests.memory import runs

INIT = {
    "project": "mathlib",
    "problem_statement": "variance([1, 3]) is 1, it should be 2",
    "files": ["mathlib/stats.py"],
    "test_command": "python -m pytest -q",
}
DOCUMENT = """# Conventions
- Read the tests first.

## Project: shop
- In `shop/cart.py` `total`: test_total failed; fixed by changing `sum(x)` to `round(sum(x), 2)`"""


def ask(user, schema=None, system="You keep notes for a coding agent."):
    messages = [{"role": "system", "content": system}, {"role": "user", "content": user}]
    answer = remember(messages, schema, 0)
    assert answer == remember(messages, schema, 7)
    return answer


def fixes(text):
    return [(n.before, n.after) for n in parse_edits(text)]


WORDINGS = [
    "Project: mathlib\nIssue: {issue}\nReward: 1.0\nTrajectory:\n{json}\n\nWrite what can be learned as "
    "notes.",
    "Task record: {record}",
    "<init>{init}</init>\n<steps>{repr}</steps>\n<reward>reward = 1.0</reward>",
    "project: mathlib\nThe agent did this (final score: 100%):\n{json}",
    "{record_repr}",
]


@pytest.mark.parametrize("wording", WORDINGS)
def test_a_solved_run_gives_its_fix_whatever_the_wording(wording):
    record = {"init": INIT, "steps": runs.solved(), "reward": 1.0}
    prompt = wording.format(
        issue=INIT["problem_statement"],
        json=json.dumps(runs.solved()),
        repr=runs.solved(),
        init=INIT,
        record=json.dumps(record),
        record_repr=record,
    )
    answer = ask(prompt)
    assert "- In `mathlib/stats.py` `variance`: test_variance failed with" in answer
    assert fixes(answer) == [runs.FIX]
    assert "mathlib" in answer.split("\n")[0]


def test_a_failed_run_gives_no_fix_but_what_was_tried():
    answer = ask(json.dumps({"init": INIT, "steps": runs.failed(), "reward": 0.5}))
    assert "Not fixed (reward 0.50): test_variance failed" in answer
    assert "`centre = 0`" in answer
    assert fixes(answer) == []


def test_figures_in_the_issue_are_not_taken_for_the_reward():
    issue = "The rating is wrong.\nscore: 0.5\nstatus: failed\nreward is 0.25"
    answer = ask(f"Issue: {issue}\n\nReward: 1.0\n\nTrajectory: {runs.solved()}")
    assert fixes(answer) == [runs.FIX]
    record = {"problem_statement": issue, "steps": runs.failed(), "score": 0.5}
    assert fixes(ask(json.dumps(record))) == []


def update(document, steps, reward=1.0, project="mathlib", extra=""):
    return ask(
        f"# Current conventions document\n{document or '(empty)'}\n\n# New task\nProject: {project}\n"
        f"Reward: {reward}\nSteps: {json.dumps(steps)}\n\n# Answer\nReturn the updated document.{extra}"
    )


def test_an_update_keeps_every_line_and_adds_to_the_project():
    answer = update(DOCUMENT, runs.solved())
    assert answer.startswith(DOCUMENT)
    assert answer.split("\n")[-2] == "## Project: mathlib"
    assert update(answer, runs.solved()) == answer  # the same lesson again adds nothing


@pytest.mark.parametrize(
    "frame",
    [
        "<document>\n{}\n</document>\n",
        "Existing notes:\n{}\n\nNew trajectory:\n",
        "=== CURRENT MEMORY ===\n{}\n=== TRAJECTORY ===\n",
        "## Your playbook so far\n```markdown\n{}\n```\n",
    ],
)
def test_the_document_is_found_however_it_is_framed(frame):
    answer = ask(frame.format(DOCUMENT) + f"{runs.solved()}\nreward: 1.0")
    for line in DOCUMENT.split("\n"):
        assert line in answer
    assert runs.FIX in fixes(answer)


def test_a_document_inside_json_is_kept_too():
    answer = ask(json.dumps({"current_document": DOCUMENT, "steps": runs.solved(), "reward": 1.0}))
    assert "shop/cart.py" in answer and runs.FIX in fixes(answer)


def test_repeated_fixes_become_a_counted_convention():
    document = ""
    for number in range(3):
        before = f"key{number} = name"
        steps = runs.small_fix(f"pkg/m{number}.py", f"add{number}", before, f"{before}.lower()")
        document = update(document, steps, project="pkg")
    lines = document.split("\n")
    assert lines[0] == "## Project: pkg"
    assert lines[1].startswith(
        "- Seen 3 times (`pkg/m0.py` `add0`, `pkg/m1.py` `add1`, `pkg/m2.py` `add2`): "
    )
    assert len(lines) == 5 and len(fixes(document)) == 4


def test_the_size_is_kept_and_the_best_supported_lines_stay():
    document = "# Conventions\n- Read the tests first."
    for number in range(40):
        steps = runs.small_fix(f"pkg/m{number}.py", "add", f"a = {number}", f"a = {number} + b{number}")
        document = update(document, steps, project="pkg", extra=" Keep it under 1500 characters.")
    for number in range(2):
        steps = runs.small_fix(f"pkg/n{number}.py", "add", f"k{number}", f"k{number}.strip()")
        document = update(document, steps, project="pkg", extra=" Keep it under 1500 characters.")
    assert len(document) <= 1500
    assert "Read the tests first." in document and "Seen 2 times" in document
    assert "m39.py" in document and "m3.py" not in document


ITEM = {
    "type": "object",
    "properties": {
        "title": {"type": "string", "maxLength": 40},
        "description": {"type": "string"},
        "content": {"type": "string"},
        "outcome": {"type": "string", "enum": ["failure", "success"]},
        "confidence": {"type": "number", "minimum": 0, "maximum": 1},
        "solved": {"type": "boolean"},
    },
    "required": ["title", "description", "content", "outcome", "confidence", "solved"],
    "additionalProperties": False,
}
ITEMS = {
    "type": "object",
    "properties": {"items": {"type": "array", "items": {"$ref": "#/$defs/item"}, "maxItems": 3}},
    "required": ["items"],
    "$defs": {"item": ITEM},
}


def test_a_schema_is_filled_with_the_lesson():
    record = {"init": INIT, "steps": runs.solved(), "reward": 1.0}
    answer = json.loads(ask(json.dumps(record), ITEMS))
    jsonschema.validate(answer, ITEMS)
    (item,) = answer["items"]
    assert item["title"] == "Fix in variance"
    assert "test_variance" in item["description"]
    assert fixes(item["content"]) == [runs.FIX]
    assert item["outcome"] == "success" and item["solved"] is True
    record = {"init": INIT, "steps": runs.failed(), "reward": 0.5}
    (item,) = json.loads(ask(json.dumps(record), ITEMS))["items"]
    assert item["outcome"] == "failure" and item["solved"] is False and fixes(item["content"]) == []


def test_a_document_field_gets_the_whole_document():
    schema = {"type": "object", "properties": {"updated_document": {"type": "string"}}}
    answer = ask(f"Current document:\n{DOCUMENT}\n\nTrajectory:\n{runs.solved()}\nReward: 1", schema)
    document = json.loads(answer)["updated_document"]
    assert document.startswith(DOCUMENT) and runs.FIX in fixes(document)


def test_json_asked_for_in_words_follows_the_example():
    system = 'Answer in JSON of this form: {"lessons": [{"rule": "<text>", "files": ["path"], "weight": 1}]}'
    answer = json.loads(ask(f"{runs.solved()}\nreward: 1.0", system=system))
    (lesson,) = answer["lessons"]
    assert fixes(lesson["rule"]) == [runs.FIX] and lesson["files"] == ["mathlib/stats.py"]
    assert isinstance(lesson["weight"], int)
    keys = ask(f"{runs.solved()}\nreward: 1.0", system="Reply as JSON with the keys `title` and `insight`.")
    assert set(json.loads(keys)) == {"title", "insight"}


def test_without_a_run_it_selects_what_fits_the_task():
    notes = [
        "In `shop/cart.py` `total`: fixed by changing `sum(x)` to `round(sum(x), 2)`",
        "In `dates/parse.py` `parse_date`: fixed by changing `year` to `year + 2000`",
    ]
    listed = "\n".join(f"[{i}] {note}" for i, note in enumerate(notes))
    prompt = f"Issue: parse_date gives the wrong year for two digits\n\nMemories:\n{listed}\n"
    schema = {"type": "object", "properties": {"selected": {"type": "array", "items": {"type": "integer"}}}}
    assert json.loads(ask(prompt, schema))["selected"][0] == 1
    bullets = "\n".join(f"- {note}" for note in notes)
    answer = ask(f"Issue: parse_date gives the wrong year\n\nExisting notes:\n{bullets}\n\nWhich help?")
    assert answer.split("\n")[0] == f"- {notes[1]}"


LEAF = st.sampled_from(
    [
        {"type": "string"},
        {"type": "string", "maxLength": 5},
        {"type": "string", "minLength": 12},
        {"type": ["string", "null"]},
        {"enum": ["ADD", "UPDATE", "NOOP"]},
        {"const": 3},
        {"type": "integer", "minimum": 2, "maximum": 4},
        {"type": "integer", "multipleOf": 5},
        {"type": "number", "exclusiveMinimum": 0, "maximum": 0.5},
        {"type": "boolean"},
        {"type": "null"},
        {"anyOf": [{"type": "null"}, {"type": "integer"}]},
        {"type": "array", "items": {"type": "string"}, "minItems": 2, "uniqueItems": True},
        {"type": "object", "additionalProperties": {"type": "string"}},
    ]
)
NAMES = st.sampled_from(
    [
        "title",
        "content",
        "id",
        "document",
        "keywords",
        "score",
        "success",
        "operation",
        "path",
        "tests",
        "index",
        "files",
        "outdated",
    ]
)


def nested(inner):
    return st.dictionaries(NAMES, inner, min_size=1, max_size=4).map(
        lambda p: {"type": "object", "properties": p, "required": list(p), "additionalProperties": False}
    ) | st.builds(
        lambda items, low, more: {"type": "array", "items": items, "minItems": low, "maxItems": low + more},
        inner,
        st.integers(0, 3),
        st.integers(0, 3),
    )


@settings(max_examples=60, deadline=None)
@given(
    st.recursive(LEAF, nested, max_leaves=8),
    st.sampled_from([f"{runs.solved()} reward: 1.0", str(runs.failed()), "Task: x", ""]),
)
def test_every_schema_is_met(schema, user):
    jsonschema.validate(json.loads(ask(user, schema)), schema)


@settings(max_examples=40, deadline=None)
@given(st.text(alphabet="#<>/`{}[]\"':- \nabJSONtaskmemory01.", max_size=150), st.integers(0, 3000))
def test_no_prompt_makes_it_raise_or_answer_nothing(text, cut):
    assert ask(f"{text}\n{json.dumps(runs.solved())[:cut]}\n{text}", system=text).strip()
