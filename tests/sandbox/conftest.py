"""Fixtures of the sandbox tests: every test that takes ``kind`` runs once per kind that exists here."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from evals.utils.sandbox import CommandResult, Limits, SandboxKind, SandboxUnavailable, probe
from evals.utils.session import Session


@pytest.fixture
def bwrap() -> SandboxKind:
    try:
        return probe("bwrap")
    except SandboxUnavailable as error:
        pytest.skip(str(error))


@pytest.fixture(params=["bwrap", "process"])
def kind(request: pytest.FixtureRequest) -> SandboxKind:
    return request.getfixturevalue("bwrap") if request.param == "bwrap" else probe("process")


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    folder = tmp_path / "episode"
    folder.mkdir()
    return folder


@pytest.fixture
def run(kind: SandboxKind, workspace: Path) -> Callable[..., list[CommandResult]]:
    """Run commands one after the other in one session; keyword arguments go to ``Session``."""

    def run(
        *commands, limits: Limits | None = None, wall_s: float | None = None, **options
    ) -> list[CommandResult]:
        async def body() -> list[CommandResult]:
            async with Session(kind, workspace, limits, **options) as session:
                return [await session.run(command, wall_s=wall_s) for command in commands]

        return asyncio.run(body())

    return run
