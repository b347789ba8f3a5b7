"""Runs of an agent on small bugs, as the environment records them."""

from __future__ import annotations

from typing import Any

STATS = """import math


def mean(values):
    return sum(values) / len(values)


def variance(values):
    centre = mean(values)
    total = sum((v - centre) ** 2 for v in values)
    n = len(values)
    return total / n
"""
RED = """.F
=================================== FAILURES ===================================
________________________________ test_variance _________________________________

    def test_variance():
>       assert variance([1, 3]) == 2.0
E       assert 1.0 == 2.0
E        +  where 1.0 = variance([1, 3])

tests/test_stats.py:5: AssertionError
=========================== short test summary info ============================
FAILED tests/test_stats.py::test_variance - assert 1.0 == 2.0
1 failed, 1 passed in 0.01s"""


class Run:
    """Writes a trajectory step by step."""

    def __init__(self) -> None:
        self.steps: list[dict[str, Any]] = []

    def _add(self, action: dict[str, Any], observation: str) -> Run:
        number = len(self.steps) + 1
        text = f"[{number}/30] {observation}"
        self.steps.append({"step": number, "thought": "", "action": action, "observation": text})
        return self

    def tests(self, output: str, code: int) -> Run:
        command = {"action": "run_command", "command": "python -m pytest -q"}
        return self._add(command, f"run_command: exit code {code}\n{output}")

    def red(self) -> Run:
        return self.tests(RED, 1)

    def green(self) -> Run:
        return self.tests("2 passed in 0.01s", 0)

    def read(self, path: str, content: str) -> Run:
        action = {"action": "read_file", "path": path}
        return self._add(action, f"read_file {path}: {len(content)} characters\n{content}")

    def edit(self, path: str, old: str, new: str, refused: bool = False) -> Run:
        action = {"action": "edit_file", "path": path, "old": old, "new": new}
        said = f'error: edit_file: "old" occurs 3 times in {path}; give more surrounding text'
        return self._add(action, said if refused else f"edit_file {path}: replaced 1 occurrence at line 4")

    def submit(self) -> Run:
        return self._add({"action": "submit"}, "submitted")


FIX = ("return total / n", "return total / (n - 1)")


def solved() -> list[dict[str, Any]]:
    """A wrong try in `mean`, then one edit that takes it back and repairs `variance`."""
    tail = STATS[STATS.index("def mean") :]
    tried = tail.replace("sum(values) / len", "sum(values) // len")
    run = Run().red().read("mathlib/stats.py", STATS)
    run.edit(
        "mathlib/stats.py", "return sum(values) / len(values)", "return sum(values) // len(values)"
    ).red()
    run.edit("mathlib/stats.py", tried, tail.replace(*FIX)).green()
    return run.submit().steps


def failed() -> list[dict[str, Any]]:
    run = Run().red().read("mathlib/stats.py", STATS)
    return run.edit("mathlib/stats.py", "centre = mean(values)", "centre = 0").red().submit().steps


def small_fix(path: str, function: str, before: str, after: str) -> list[dict[str, Any]]:
    content = f"def {function}(name):\n    {before}\n    return key\n"
    run = Run().red().read(path, content)
    return run.edit(path, before, after).green().submit().steps
