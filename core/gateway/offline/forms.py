"""Which JSON a prompt asks for: an example object, a list of keys, or nothing but the word."""

from __future__ import annotations

import re
from typing import Any

from core.gateway.offline.literals import find_literals

_ASKS_JSON = re.compile(r"\bJSON\b", re.I)
_LEAD_IN = re.compile(
    r"\b(?:format|schema|example|like|return|respond|reply|output|answer|form|structure|shape)", re.I
)
_NO_JSON = re.compile(r"\b(?:no|not|without|never)\b[^.\n]{0,15}\bJSON\b", re.I)
_TYPE_WORD = re.compile(r"([:\[]\s*)(string|str|integer|int|float|number|boolean|bool)\b", re.I)
_ALTERNATIVES = re.compile(r'"([^"\n]*)"((?:\s*\|\s*"[^"\n]*")+)')
_PLACEHOLDER = re.compile(r"([:\[,]\s*)<([^<>\n\"]{1,80})>")
_KEYS = re.compile(r"\b(?:keys?|fields?|properties)\b([^.\n]{3,200})", re.I)
_QUOTED = re.compile(r"[`'\"](\w+)[`'\"]")


def requested_form(instructions: str) -> dict[str, Any] | None:
    """Return a schema for the JSON a prompt asks for in words, or None when it asks for plain text."""
    if not _ASKS_JSON.search(instructions) or _NO_JSON.search(instructions):
        return None
    text = re.sub(r"//[^\n\"]*$", "", instructions, flags=re.M)
    text = _ALTERNATIVES.sub(
        lambda m: '"' + m.group(1) + "".join("|" + a for a in _quoted(m.group(2))) + '"', text
    )
    text = _PLACEHOLDER.sub(r'\1"<\2>"', _TYPE_WORD.sub(r'\1"<\2>"', text))
    text = text.replace("{{", "{").replace("}}", "}")
    examples = [x for x in find_literals(text) if _LEAD_IN.search(text[max(0, x.start - 300) : x.start])]
    if examples:
        value = examples[-1].value
        if (
            isinstance(value, dict)
            and value.get("type") == "object"
            and isinstance(value.get("properties"), dict)
        ):
            return value
        return _schema_of(value)
    for match in _KEYS.finditer(text):
        if names := _QUOTED.findall(match.group(1)):
            return _schema_of({name: "" for name in names})
    if re.search(r"\bJSON (?:list|array)\b|\b(?:list|array) of strings\b", text, re.I):
        return {"type": "array", "items": {"type": "string"}}
    return {"type": "object", "properties": {"notes": {"type": "array", "items": {"type": "string"}}}}


def _quoted(text: str) -> list[str]:
    return re.findall(r'"([^"]*)"', text)


def _schema_of(example: Any) -> dict[str, Any]:
    """Turn an example value into a schema; its strings become descriptions."""
    if isinstance(example, bool):
        return {"type": "boolean"}
    if isinstance(example, int):
        return {"type": "integer"}
    if isinstance(example, float):
        return {"type": "number"}
    if isinstance(example, list):
        return {"type": "array", "items": _schema_of(example[0]) if example else {"type": "string"}}
    if isinstance(example, dict):
        properties = {key: _schema_of(value) for key, value in example.items()}
        return {"type": "object", "properties": properties, "required": list(properties)}
    text = str(example or "")
    word = text.strip("<> ").lower()
    if word in ("integer", "int"):
        return {"type": "integer"}
    if word in ("float", "number"):
        return {"type": "number"}
    if word in ("boolean", "bool", "true|false", "true/false"):
        return {"type": "boolean"}
    if "|" in text:
        return {"type": "string", "enum": [part.strip() for part in text.strip("<>").split("|")]}
    return {"type": "string", "description": text}
