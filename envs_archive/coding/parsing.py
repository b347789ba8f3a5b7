"""From the agent's text to a checked action: the first JSON object in it that has an "action" key."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, NamedTuple


class ActionError(ValueError):
    """The agent's turn cannot be carried out; the message tells it what to change."""


class Field(NamedTuple):
    kind: type
    required: bool = True


_TEXT = Field(str)
_OPTIONAL = Field(str, required=False)
ACTIONS: dict[str, dict[str, Field]] = {
    "read_file": {"path": _TEXT},
    "edit_file": {"path": _TEXT, "old": _OPTIONAL, "new": _OPTIONAL, "content": _OPTIONAL},
    "create_file": {"path": _TEXT, "content": _TEXT},
    "run_command": {"command": _TEXT, "timeout": Field(float, required=False)},
    "search": {"pattern": _TEXT, "path": _OPTIONAL, "glob": _OPTIONAL},
    "list_dir": {"path": _OPTIONAL},
    "submit": {},
}
_NUMBER = Field(int, required=False)
EXTENDED: dict[str, dict[str, Field]] = {
    **ACTIONS,
    "read_file": {"path": _TEXT, "offset": _NUMBER, "limit": _NUMBER},
    "list_dir": {"path": _OPTIONAL, "depth": _NUMBER},
    "replace_lines": {"path": _TEXT, "start": Field(int), "end": Field(int), "new": _TEXT},
    "undo_edit": {"path": _OPTIONAL},
    "semantic_search": {"query": _TEXT, "limit": _NUMBER},
}
ACTION_SPACES = {"seed": ACTIONS, "extended": EXTENDED}
"""What an agent may do, by the configuration's ``action_space``: the original's actions, or more of them."""
_EXAMPLE = '{"action": "list_dir", "path": "."}'
# Lenient about control characters: models write real line breaks inside strings.
_DECODER = json.JSONDecoder(strict=False)


def parse_action(text: str, space: str = "seed") -> dict[str, Any]:
    """Read one action of the coding agent; ``space`` is one of ``ACTION_SPACES``. As ``read_action``."""
    return read_action(text, ACTION_SPACES[space])


def read_action(text: str, actions: Mapping[str, Mapping[str, Field]]) -> dict[str, Any]:
    """Read one action out of prose, a code fence or bare JSON.

    Args:
        actions: those there are, with their fields.

    Returns:
        The object as given: "action", its fields and perhaps "thought", all checked.

    Raises:
        ActionError: there is no such object, or it is not a valid action.
    """
    action = _first_action(text)
    name = action["action"]
    if not isinstance(name, str) or name not in actions:
        raise ActionError(f"unknown action {_shown(name)}; the actions are {', '.join(actions)}")
    fields = actions[name]
    for key, value in action.items():
        if key not in fields and key not in ("action", "thought"):
            takes = ", ".join(fields) or "no fields"
            raise ActionError(f"{name}: unknown field {_shown(key)}; it takes {takes}")
        if key != "action":
            _check_type(name, key, value, fields[key].kind if key in fields else str)
    for key, spec in fields.items():
        if spec.required and key not in action:
            raise ActionError(f'{name}: missing field "{key}"')
    if name == "edit_file":
        _check_edit(action)
    if name == "run_command" and not action["command"].strip():
        raise ActionError('run_command: "command" is empty')
    if name == "semantic_search" and not action["query"].strip():
        raise ActionError('semantic_search: "query" is empty')
    if name == "replace_lines" and action["end"] < action["start"] - 1:
        raise ActionError('replace_lines: "end" lies before "start" (end = start - 1 inserts before start)')
    if name == "search" and not action["pattern"]:
        raise ActionError('search: "pattern" is empty')
    return action


def _first_action(text: str) -> dict[str, Any]:
    problem = None
    position = text.find("{")
    if position < 0:
        raise ActionError(f"no JSON object in the answer; answer with one action, for example {_EXAMPLE}")
    while position >= 0:
        try:
            value, _ = _DECODER.raw_decode(text, position)
        except json.JSONDecodeError as error:
            if problem is None and '"action"' in text[position:]:
                where = f"line {error.lineno}, column {error.colno}"
                problem = f"the JSON object is not valid: {error.msg} ({where})"
        except RecursionError:
            raise ActionError("the JSON object is nested too deeply") from None
        except ValueError:
            problem = problem or "the JSON object holds a number of too many digits"
        else:
            if isinstance(value, dict) and "action" in value:
                return value
        position = text.find("{", position + 1)
    raise ActionError(problem or f'no JSON object with an "action" key in the answer; for example {_EXAMPLE}')


def _check_type(action: str, key: str, value: Any, kind: type) -> None:
    if kind is str:
        if not isinstance(value, str):
            raise ActionError(f'{action}: "{key}" must be a string, not {_type_name(value)}')
        check_text(action, key, value)
    elif kind is list:
        if not isinstance(value, list):
            raise ActionError(f'{action}: "{key}" must be a list, not {_type_name(value)}')
    elif isinstance(value, bool) or not isinstance(value, int | float):
        raise ActionError(f'{action}: "{key}" must be a number, not {_type_name(value)}')
    elif kind is int:
        if value != int(value) or value < (0 if key == "end" else 1):
            raise ActionError(f'{action}: "{key}" must be a whole number from 1 on')
    elif not 0 < value < float("inf"):
        raise ActionError(f'{action}: "{key}" must be a positive number of seconds')


def check_text(action: str, key: str, value: str) -> None:
    """Raise ActionError for a string that is no text."""
    try:
        value.encode("utf-8")
    except UnicodeEncodeError:
        raise ActionError(f'{action}: "{key}" holds half of a surrogate pair, which is no text') from None
    if "\0" in value and key in ("path", "command", "pattern", "glob"):
        raise ActionError(f'{action}: "{key}" holds a NUL character')


def _check_edit(action: dict[str, Any]) -> None:
    whole, part = "content" in action, {"old", "new"} & set(action)
    if whole and part:
        raise ActionError('edit_file: give either "old" and "new", or "content", not both')
    if not whole and len(part) < 2:
        missing = " and ".join(f'"{key}"' for key in ("old", "new") if key not in part)
        raise ActionError(f'edit_file: missing {missing} (or give the whole new "content")')
    if not whole and action["old"] == "":
        raise ActionError('edit_file: "old" is empty; give the text to replace, or the whole new "content"')
    if not whole and action["old"] == action["new"]:
        raise ActionError('edit_file: "old" and "new" are identical; nothing would change')


def _type_name(value: Any) -> str:
    names = {dict: "an object", list: "a list", str: "a string", bool: "a boolean", type(None): "null"}
    return names.get(type(value), "a number")


def _shown(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 80 else text[:77] + "..."
