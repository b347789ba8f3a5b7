"""What counts as an action in a model's text, and what the model is told otherwise."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from envs_archive.coding.actions import ActionError, parse_action

TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))
ACTION = st.one_of(
    st.builds(lambda p: {"action": "read_file", "path": p}, TEXT),
    st.builds(lambda p, c: {"action": "create_file", "path": p, "content": c}, TEXT, TEXT),
    st.builds(lambda p, c: {"action": "edit_file", "path": p, "content": c, "thought": c}, TEXT, TEXT),
    st.builds(
        lambda c, t: {"action": "run_command", "command": "x" + c, "timeout": t}, TEXT, st.integers(1, 999)
    ),
    st.just({"action": "submit"}),
)


@given(ACTION, TEXT.filter(lambda text: "{" not in text), TEXT)
def test_an_action_is_found_in_any_prose(action, before, after):
    assert parse_action(before + json.dumps(action) + after) == action


@given(st.text())
def test_any_text_is_an_action_or_an_error(text):
    try:
        assert "action" in parse_action(text)
    except ActionError as error:
        assert str(error)
        str(error).encode()


VALUE = st.none() | st.booleans() | st.floats() | st.text() | st.lists(st.integers())


@given(st.dictionaries(st.sampled_from(["action", "path", "old", "new", "timeout", "x"]), VALUE))
def test_any_object_is_an_action_or_an_error(value):
    try:
        parse_action(json.dumps(value))
    except ActionError as error:
        str(error).encode()


@pytest.mark.parametrize(
    "text",
    [
        'I will look.\n```json\n{"action": "list_dir"}\n```\nThen more.',
        'Given {"a": 1} and {broken: I do {"action": "list_dir"} and then {"action": "submit"}',
        '{"plan": {"action": "list_dir"}}',
    ],
)
def test_the_first_object_with_an_action_counts(text):
    assert parse_action(text) == {"action": "list_dir"}


def test_real_line_breaks_in_strings_are_understood():
    action = parse_action('{"action": "create_file", "path": "a", "content": "x\ny\t"}')
    assert action["content"] == "x\ny\t"


NAMES = "read_file, edit_file, create_file, run_command, search, list_dir, submit"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "",
            'no JSON object in the answer; answer with one action, for example {"action": "list_dir", "path": "."}',
        ),
        (
            '{"a": 1}',
            'no JSON object with an "action" key in the answer; for example {"action": "list_dir", "path": "."}',
        ),
        ('{"action": "submit"', "the JSON object is not valid: Expecting ',' delimiter (line 1, column 20)"),
        ('{"action":' * 30000, "the JSON object is nested too deeply"),
        ('{"action": ' + "1" * 5000 + "}", "the JSON object holds a number of too many digits"),
        ('{"action": "fly"}', f'unknown action "fly"; the actions are {NAMES}'),
        ('{"action": ["submit"]}', f'unknown action ["submit"]; the actions are {NAMES}'),
        ('{"action": "read_file"}', 'read_file: missing field "path"'),
        ('{"action": "read_file", "path": 3}', 'read_file: "path" must be a string, not a number'),
        ('{"action": "read_file", "path": null}', 'read_file: "path" must be a string, not null'),
        ('{"action": "read_file", "path": "a\\u0000"}', 'read_file: "path" holds a NUL character'),
        (
            '{"action": "read_file", "path": "\\ud800"}',
            'read_file: "path" holds half of a surrogate pair, which is no text',
        ),
        (
            '{"action": "read_file", "path": "a", "lines": 3}',
            'read_file: unknown field "lines"; it takes path',
        ),
        ('{"action": "submit", "path": "a"}', 'submit: unknown field "path"; it takes no fields'),
        ('{"action": "submit", "thought": 1}', 'submit: "thought" must be a string, not a number'),
        ('{"action": "run_command", "command": " "}', 'run_command: "command" is empty'),
        (
            '{"action": "run_command", "command": "ls", "timeout": true}',
            'run_command: "timeout" must be a number, not a boolean',
        ),
        (
            '{"action": "run_command", "command": "ls", "timeout": 0}',
            'run_command: "timeout" must be a positive number of seconds',
        ),
        ('{"action": "search", "pattern": ""}', 'search: "pattern" is empty'),
        (
            '{"action": "edit_file", "path": "a"}',
            'edit_file: missing "old" and "new" (or give the whole new "content")',
        ),
        (
            '{"action": "edit_file", "path": "a", "old": "x"}',
            'edit_file: missing "new" (or give the whole new "content")',
        ),
        (
            '{"action": "edit_file", "path": "a", "old": "", "new": "x"}',
            'edit_file: "old" is empty; give the text to replace, or the whole new "content"',
        ),
        (
            '{"action": "edit_file", "path": "a", "old": "x", "new": "x"}',
            'edit_file: "old" and "new" are identical; nothing would change',
        ),
        (
            '{"action": "edit_file", "path": "a", "old": "x", "new": "y", "content": "z"}',
            'edit_file: give either "old" and "new", or "content", not both',
        ),
    ],
    ids=range(24),
)
def test_what_is_wrong_is_said_exactly(text, said):
    with pytest.raises(ActionError) as error:
        parse_action(text)
    assert str(error.value) == said
