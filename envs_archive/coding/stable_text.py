"""Makes what commands print the same in every run: no clock and no address decides on the agent's next step."""

from __future__ import annotations

import re

_RULES: tuple[tuple[re.Pattern[str], str], ...] = (
    # pytest, unittest and others: "in 0.03s", "in 63.20s (0:01:03)"
    (re.compile(r"\bin \d+(?:\.\d+)?s\b(?: \(\d+:\d\d:\d\d\))?"), "in 0.00s"),
    # pytest --durations
    (re.compile(r"^(\s*)\d+\.\d\ds (call|setup|teardown)\b", re.MULTILINE), r"\g<1>0.00s \2"),
    (re.compile(r"\bat 0x[0-9a-fA-F]+"), "at 0x..."),
    (re.compile(r"\b0x(?:55|56|7[def])[0-9a-fA-F]{10}\b"), "0x..."),
    (re.compile(r"/tmp/pytest-of-[\w.-]+/pytest-\d+"), "/tmp/pytest-of-user/pytest-0"),
    (re.compile(r"/tmp/tmp[a-z0-9_]{8}\b"), "/tmp/tmp..."),
    (re.compile(r"\b(pid|PID)([ =:]+)\d+"), r"\1\2N"),
)
_RULER = re.compile(r"^=+ (.*\bin 0\.00s) =+$", re.MULTILINE)
_WIDTH = 80


def _ruled(match: re.Match[str]) -> str:
    """pytest's last line, ruled as it is on 80 columns, whatever the length of the duration was."""
    side = "=" * max((_WIDTH - len(match[1]) - 2) // 2, 1)
    line = f"{side} {match[1]} {side}"
    return line + "=" if len(line) + 1 <= _WIDTH else line


def stabilise(text: str, workspace: str = "/workspace") -> str:
    """Replace durations, object addresses, temporary folders, process ids and the workspace's real path.

    Args:
        text: output of a command.
        workspace: the real path of the workspace; becomes ``/workspace``.
    """
    if workspace != "/workspace":
        text = text.replace(workspace, "/workspace")
    for pattern, replacement in _RULES:
        text = pattern.sub(replacement, text)
    return _RULER.sub(_ruled, text)
