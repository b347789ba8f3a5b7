"""`environments.yaml`: which Python and which packages the tests of a repository's versions need.

environments:
  - name: astroid-1                 # optional
    repo: pylint-dev/astroid
    versions: ["2.9", "2.10"]       # of the rows; left out: every version of the repository
    instances: [...]                # or these instances alone
    python: "3.9"                   # a minor or an exact version; "same": the Python of this program
    packages: [wrapt==1.14.1, ...]  # or requirements: pins.txt, a file beside this one
    install: [python -m pip install --no-deps --no-build-isolation -e .]   # optional, this is the default
    variables: {LC_ALL: C.UTF-8}    # optional
    test_cmd: pytest -rA            # optional, in place of the row's; the test files are added to it
    test_timeout: 600               # optional, seconds
    memory_mb: 4096                 # optional
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from .official import INSTALL, MEMORY_MB, SAME_PYTHON, TEST_SECONDS, Environment

_KEYS = frozenset(
    {"name", "repo", "versions", "instances", "python", "packages", "requirements", "install", "variables"}
    | {"test_cmd", "test_timeout", "memory_mb"}
)
_NAME = re.compile(r"\w[\w.-]*")


@dataclass(frozen=True)
class Entry:
    """One environment of the file, what it is for, and the test command it asks for ("" for the row's)."""

    environment: Environment
    versions: frozenset[str]
    instances: frozenset[str]
    test_cmd: str = ""

    def degree(self, repo: str, version: str, instance: str) -> int:
        """How closely it fits a row: 0 not at all, then by repository, by version, by name."""
        if instance in self.instances:
            return 3
        if self.environment.repo != repo or self.instances:
            return 0
        if self.versions:
            return 2 if version in self.versions else 0
        return 1


class Environments:
    """The environments of a file; of several that fit a row, the closest, and of those the first."""

    def __init__(self, entries: list[Entry]) -> None:
        self.entries = entries

    def entry(self, repo: str, version: str, instance: str) -> Entry | None:
        """The one for a row; None when the file has none."""
        fitting = [(entry.degree(repo, version, instance), entry) for entry in self.entries]
        best = max((degree for degree, _ in fitting), default=0)
        return next((entry for degree, entry in fitting if degree == best), None) if best else None


def load_environments(path: Path) -> Environments:
    """Read the file.

    Raises:
        ValueError: one line that says where it is wrong.
    """
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        reason = getattr(error, "strerror", None) or " ".join(str(error).split())
        raise ValueError(f"{path}: cannot read the environments: {reason}") from error
    entries = content.get("environments") if isinstance(content, dict) else None
    if not isinstance(entries, list) or not entries:
        raise ValueError(f"{path}: must hold a list 'environments'")
    read = []
    for number, entry in enumerate(entries, 1):
        try:
            read.append(_entry(entry, number, path.parent))
        except ValueError as error:
            raise ValueError(f"{path}: environment {number}: {error}") from None
    return Environments(read)


def _entry(values: Any, number: int, folder: Path) -> Entry:
    if not isinstance(values, dict):
        raise ValueError("must hold keys and values")
    if unknown := set(map(str, values)) - _KEYS:
        raise ValueError(f"unknown key {min(unknown)!r}; known are {', '.join(sorted(_KEYS))}")
    for name in ("repo", "python"):
        if not isinstance(values.get(name), str) or not values[name].strip():
            why = " (in quotes: 3.10 is a number)" if name == "python" and name in values else ""
            raise ValueError(f"needs a text {name!r}{why}")
    python = values["python"]
    if python != SAME_PYTHON and not re.fullmatch(r"3\.\d+(\.\d+)?", python):
        raise ValueError(f"python must be a version such as '3.9' or '3.9.18', or 'same', not {python!r}")
    name = values.get("name") or f"{values['repo'].rpartition('/')[2]}-{number}"
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise ValueError(f"name {name!r} cannot be the name of a folder")
    packages = _texts(values, "packages")
    if "requirements" in values:
        packages += _requirements(folder / str(values["requirements"]))
    if python == SAME_PYTHON and packages:
        raise ValueError("python 'same' has the packages it has: leave packages and requirements out")
    return Entry(
        Environment(
            name=name,
            repo=values["repo"],
            python=python,
            packages=packages,
            install=_texts(values, "install", INSTALL),
            variables=_variables(values.get("variables") or {}),
            test_timeout=_positive(values, "test_timeout", TEST_SECONDS),
            memory_mb=int(_positive(values, "memory_mb", MEMORY_MB)),
        ),
        frozenset(_texts(values, "versions")),
        frozenset(_texts(values, "instances")),
        str(values.get("test_cmd") or ""),
    )


def _texts(values: Mapping[str, Any], name: str, *default: str) -> tuple[str, ...]:
    given = values.get(name, list(default))
    if isinstance(given, str):
        given = [given]
    if not isinstance(given, list) or not all(isinstance(item, str) and item.strip() for item in given):
        raise ValueError(f"{name} must be a list of texts (a version in quotes)")
    return tuple(given)


def _requirements(path: Path) -> tuple[str, ...]:
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"requirements {path} cannot be read") from error
    return tuple(text for line in lines if (text := line.partition(" #")[0].strip()) and text[0] != "#")


def _variables(values: Any) -> tuple[tuple[str, str], ...]:
    if not isinstance(values, dict) or not all(
        isinstance(k, str) and isinstance(v, str) for k, v in values.items()
    ):
        raise ValueError("variables must map names to texts")
    return tuple(sorted(values.items()))


def _positive(values: Mapping[str, Any], name: str, default: float) -> float:
    value = values.get(name, default)
    if isinstance(value, bool) or not isinstance(value, int | float) or value <= 0:
        raise ValueError(f"{name} must be a positive number, not {value!r}")
    return value
