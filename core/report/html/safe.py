"""Text that others wrote - designs, agents, models, users - made fit to be shown: nothing in it acts, nothing hides."""

from __future__ import annotations

import json
import math
import re
from typing import Any

MOST_TEXT = 4_000_000
"""Characters of one text that are kept; an evaluation may have left one of half a gigabyte."""
_MOST_NUMBER = 1e15

_PICTURES = {code: chr(0x2400 + code) for code in range(0x20) if chr(code) not in "\t\n"} | {0x7F: "\u2421"}
_HALVES = dict.fromkeys([*range(0xD800, 0xE000), *range(0x80, 0xA0), 0xFFFE, 0xFFFF], "\ufffd")
_UNSEEN = [0x061C, 0x200B, 0x200E, 0x200F, *range(0x2028, 0x202F), *range(0x2066, 0x206A), 0xFEFF]
_SHOWN = _PICTURES | _HALVES | {code: f"\u27e8U+{code:04X}\u27e9" for code in _UNSEEN}
_SUSPICIOUS = re.compile(f"[{re.escape(''.join(chr(code) for code in _SHOWN))}]")


def visible(text: Any) -> str:
    """The text with control characters, halves of surrogate pairs and what turns or hides writing made visible.

    A terminal escape, a NUL or a right-to-left override would otherwise do something, or be lost, in a page.
    """
    text = text if isinstance(text, str) else as_json(text)
    if len(text) > MOST_TEXT:
        text = f"{text[:MOST_TEXT]}\n[{len(text) - MOST_TEXT:,} more characters are left out here]"
    if not _SUSPICIOUS.search(text):
        return text
    return text.replace("\r\n", "\n").translate(_SHOWN)


def as_json(value: Any) -> str:
    """Any plain data as JSON text; numbers that JSON has not are put as null."""
    try:
        return json.dumps(_finite(value), ensure_ascii=False, allow_nan=False)
    except (ValueError, TypeError, RecursionError):
        return '"data that cannot be shown: nested too deep, or no plain data"'


def _finite(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, dict):
        return {str(key): _finite(item) for key, item in value.items()}
    return [_finite(item) for item in value] if isinstance(value, list | tuple) else value


def number(value: Any) -> float | None:
    """A number that can be reckoned with, or None."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return value if -_MOST_NUMBER < value < _MOST_NUMBER else None
