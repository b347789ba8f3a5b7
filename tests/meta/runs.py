"""Recorded runs in the formats of the coding environment: exploring, a few tries that are undone, a fix, a submit."""

from __future__ import annotations

from dataclasses import dataclass

from evals.eval_envs.base_envs import Basic_Recorder


@dataclass(frozen=True)
class Bug:
    """A fault in one line of a small file, and what its test says."""

    task: str
    project: str
    path: str
    function: str
    before: str
    after: str
    wrong_try: str
    error: str

    @property
    def issue(self) -> str:
        words = self.function.replace("_", " ")
        return f"{self.project}: {words} gives a wrong result. The {words} should differ: {self.error}"

    @property
    def source(self) -> str:
        return (
            f'"""Module of {self.project}."""\n\n\ndef helper(x):\n    return x\n\n\n'
            f"def {self.function}(items, key, low, high):\n    {self.before}\n    return result\n"
        )

    @property
    def test(self) -> str:
        return f"tests/test_{self.function}.py::test_{self.function}"


BUGS = [
    Bug(
        "t01",
        "geometry",
        "geometry/spans.py",
        "clip_span",
        "result = range(low, high)",
        "result = range(low, high + 1)",
        "result = range(low + 1, high)",
        "AssertionError: assert 4 == 5",
    ),
    Bug(
        "t02",
        "geometry",
        "geometry/grid.py",
        "cells_between",
        "result = items[low:high]",
        "result = items[low:high + 1]",
        "result = items[low + 1:high]",
        "AssertionError: assert 2 == 3",
    ),
    Bug(
        "t03",
        "geometry",
        "geometry/units.py",
        "to_metres",
        "result = low / 100",
        "result = low / MM_PER_M",
        "result = low / 10",
        "AssertionError: assert 1.5 == 0.15",
    ),
    Bug(
        "t04",
        "ledger",
        "ledger/accounts.py",
        "find_account",
        "result = items.get(key)",
        "result = items.get(canonical(key))",
        "result = items[key]",
        "AssertionError: assert None == 7",
    ),
    Bug(
        "t05",
        "ledger",
        "ledger/index.py",
        "drop_entry",
        "result = items.pop(key)",
        "result = items.pop(canonical(key))",
        "result = items.pop(key, None)",
        "KeyError: ' Cash'",
    ),
    Bug(
        "t06",
        "ledger",
        "ledger/money.py",
        "share",
        "result = round(low / high)",
        "result = round_half_up(low / high)",
        "result = low // high",
        "AssertionError: assert 2 == 3",
    ),
]
ASKED = [
    Bug(
        "t07",
        "geometry",
        "geometry/area.py",
        "rows_inside",
        "result = list(range(low, high))",
        "result = list(range(low, high + 1))",
        "result = []",
        "AssertionError: assert 7 == 8",
    ),
    Bug(
        "t08",
        "geometry",
        "geometry/scale.py",
        "to_kilometres",
        "result = high / 1000",
        "result = high / MM_PER_M",
        "result = high",
        "AssertionError: assert 2 == 0.2",
    ),
    Bug(
        "t09",
        "ledger",
        "ledger/names.py",
        "has_account",
        "result = key in items",
        "result = canonical(key) in items",
        "result = True",
        "AssertionError: assert False",
    ),
    Bug(
        "t10",
        "ledger",
        "ledger/taxes.py",
        "tax",
        "result = round(high * low)",
        "result = round_half_up(high * low)",
        "result = high",
        "AssertionError: assert 4 == 5",
    ),
]


def start_of(bug: Bug) -> Basic_Recorder:
    """The recorder before the first step."""
    return Basic_Recorder(
        init={
            "project": bug.project,
            "problem_statement": bug.issue,
            "files": [f"{bug.project}/__init__.py", bug.path, bug.test.split("::")[0]],
            "test_command": "python -m pytest -q",
        }
    )


def steps_of(bug: Bug, solved: bool) -> list[dict]:
    """Explore, try what does not help, undo it in the same edit that fixes it (or give up), submit."""
    red = f"F.\n=== short test summary info ===\nFAILED {bug.test} - {bug.error}\n1 failed, 1 passed"
    pytest = {"action": "run_command", "command": "python -m pytest -q"}
    edit = {"action": "edit_file", "path": bug.path}
    done = f"edit_file {bug.path}: replaced 1 occurrence at line 9"
    turns = [
        (pytest, f"run_command: exit code 1\n{red}"),
        ({"action": "read_file", "path": bug.path}, f"read_file {bug.path}: 200 characters\n{bug.source}"),
        (
            {**edit, "old": "no such text", "new": "x"},
            f'error: edit_file: "old" occurs 0 times in {bug.path}',
        ),
        ({**edit, "old": "return x", "new": "return x + 1"}, done),
        (pytest, f"run_command: exit code 1\n{red}"),
        ({**edit, "old": "return x + 1", "new": "return x"}, done),
        ({**edit, "old": bug.before, "new": bug.wrong_try}, done),
        (pytest, f"run_command: exit code 1\n{red}"),
    ]
    if solved:
        turns += [
            ({**edit, "old": bug.wrong_try, "new": bug.after}, done),
            (pytest, "run_command: exit code 0\n..\n2 passed"),
        ]
    turns.append(({"action": "submit"}, "submitted"))
    return [
        {"step": n, "thought": "", "action": action, "observation": f"[{n}/30] {text}"}
        for n, (action, text) in enumerate(turns, 1)
    ]


def run_of(bug: Bug, solved: bool = True) -> Basic_Recorder:
    """The recorder of a finished run."""
    recorder = start_of(bug)
    recorder.steps = steps_of(bug, solved)
    recorder.reward = 1.0 if solved else 0.5
    return recorder


def collected() -> list[Basic_Recorder]:
    """The runs a memory is built from; one of them failed."""
    return [run_of(bug, solved=bug.task != "t06") for bug in BUGS]
