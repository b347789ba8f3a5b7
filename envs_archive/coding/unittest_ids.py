"""Ids of unittest, as the ids under which pytest runs the same tests: grading has one trusted runner, and it is pytest.

Known forms: ``package.module.Class.test`` (what ``python -m unittest`` takes) and ``test (package.module.Class)``, with
or without the test's name at the end (what it prints with ``-v``).
"""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from .pytest_settings import import_roots, unittest_folders
from .tasks import Task

_PRINTED = re.compile(r"(\w+) \(([\w.]+)\)")
_DOTTED = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*){2,}")


def is_unittest_id(test: str) -> bool:
    """Whether this is one of the forms."""
    return bool(_DOTTED.fullmatch(_dotted(test)))


def _dotted(test: str) -> str:
    printed = _PRINTED.fullmatch(test)
    if printed is None:
        return test
    name, place = printed.groups()
    return place if place.endswith(f".{name}") else f"{place}.{name}"


class Named(NamedTuple):
    """The task with pytest's ids, and the folders of test modules that are packages to unittest alone: to pytest, a
    folder without an ``__init__.py`` is none."""

    task: Task
    packages: list[str]


def with_node_ids(task: Task, base: Path, added: set[str]) -> Named:
    """The task with pytest's ids in place of unittest's. Of an id whose module is nowhere, that of the module it names.

    Args:
        base: the prepared base.
        added: files that the hidden tests add to it.
    """
    if not any(map(is_unittest_id, task.expected)):
        return Named(task, [])
    packages: dict[str, None] = {}
    roots = ["", *unittest_folders(task.test_cmd), *import_roots(base)]

    def node_id(test: str) -> str:
        if not is_unittest_id(test):
            return test
        parts = _dotted(test).split(".")
        candidates = [
            (root, PurePosixPath(root, *parts[:end]).with_suffix(".py"), parts[end:])
            for end in range(len(parts) - 2, 0, -1)
            for root in roots
        ]
        candidates += [(root, file.with_suffix("") / "__init__.py", rest) for root, file, rest in candidates]
        for root, file, rest in candidates:
            if str(file) not in added and not (base / file).is_file():
                continue
            for folder in file.relative_to(root).parents[:-1]:
                marker = PurePosixPath(root, folder, "__init__.py")
                if str(marker) not in added and not (base / marker).is_file():
                    packages[str(marker.parent)] = None
            return "::".join([str(file), *rest])
        return "::".join([f"{'/'.join(parts[:-2])}.py", *parts[-2:]])

    renamed = {test: node_id(test) for test in task.expected}
    named = dataclasses.replace(
        task,
        fail_to_pass=tuple(dict.fromkeys(renamed[test] for test in task.fail_to_pass)),
        pass_to_pass=tuple(dict.fromkeys(renamed[test] for test in task.pass_to_pass)),
    )
    return Named(named, list(packages))
