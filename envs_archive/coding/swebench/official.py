"""What SWE-bench says of a task beyond the fields of any task: how its tests are run and counted, and where."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

INSTALL = "python -m pip install --no-deps --no-build-isolation -e ."
"""Run once per instance in the checked-out tree: the packages are there already, and a sandbox has no network."""
SAME_PYTHON = "same"
"""In place of a version: the interpreter that runs this program, with its packages."""
IN_IMAGE = "image"
"""In place of a version: that of the instance's own image, with all that is installed there."""
TEST_SECONDS = 600.0
MEMORY_MB = 4096


@dataclass(frozen=True)
class Environment:
    """A Python with pinned packages in which the tests of some versions of a repository run.

    Attributes:
        name: for people, and part of its folder's name.
        repo: ``owner/name`` of the project whose tests run in it.
        python: ``3.9`` or ``3.9.18``; ``same`` for the interpreter of this program.
        packages: pip requirements, best every one pinned.
        install: shell commands that make the project importable, run in the tree of each instance.
        variables: further environment variables of the installation, the agent's commands and the tests.
        test_timeout: seconds for all tests of one instance.
        memory_mb: memory limit of its commands and tests: numeric libraries reserve far more than they use.
    """

    name: str
    repo: str
    python: str
    packages: tuple[str, ...] = ()
    install: tuple[str, ...] = (INSTALL,)
    variables: tuple[tuple[str, str], ...] = ()
    test_timeout: float = TEST_SECONDS
    memory_mb: int = MEMORY_MB

    @property
    def key(self) -> str:
        """Tells environments with other Pythons or packages apart."""
        return digest(self.python, *sorted(self.packages))


@dataclass(frozen=True)
class Official:
    """How a SWE-bench task is graded.

    Attributes:
        command: runs its test files; hidden from the agent, since it names them.
        parser: name of the log parser by whose rules the official harness counts (``counting.PARSERS``).
        environment: where it runs.
        image: name of the container image in which it runs; empty for a virtual environment.
    """

    command: str
    parser: str
    environment: Environment
    image: str = ""

    @classmethod
    def from_row(cls, row: Any) -> Official:
        """As kept in a run's own task file.

        Raises:
            ValueError: it is something else.
        """
        try:
            fields = dict(row["environment"])
            fields["packages"], fields["install"] = tuple(fields["packages"]), tuple(fields["install"])
            fields["variables"] = tuple((name, value) for name, value in fields["variables"])
            return cls(row["command"], row["parser"], Environment(**fields), row.get("image", ""))
        except (TypeError, KeyError, ValueError) as error:
            raise ValueError(f"field 'official' cannot be read: {error}") from None

    def to_row(self) -> dict[str, Any]:
        """For a task file."""
        return dataclasses.asdict(self)


def digest(*parts: str | Mapping[str, Any]) -> str:
    """A short name for what these parts say together."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:12]
