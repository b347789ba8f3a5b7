"""Where commands and tests of a task run that brings an environment of its own."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from evals.utils.sandbox import Limits, SandboxKind
from evals.utils.session import WORKSPACE, Session

REPOSITORY = "/testbed"
"""Where the image of a SWE-bench instance has its repository, and expects it."""


def task_session(
    environment: Mapping[str, Any],
    kind: SandboxKind,
    tree: Path,
    limits: Limits,
    readonly: Sequence[tuple[Path, str]] = (),
) -> Session:
    """A session with another Python, or in a container of another image.

    Args:
        environment: from ``swebench.sites.mounted``.
        tree: the workspace; in an image it stands in the place of the repository.
        readonly: further folders, and where they are inside.
    """
    image = environment["image"]
    shown = [(Path(path), path) for path in environment["folders"]]
    return Session(
        dataclasses.replace(kind, image=image) if image else kind,
        tree,
        limits,
        readonly=[*shown, *readonly],
        command_env=environment["variables"],
        place=REPOSITORY if image else WORKSPACE,
    )
