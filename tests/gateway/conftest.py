"""Fixtures: a scripted provider on a real port, and gateways in front of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from core.gateway.gateway import GatewaySettings

from .stub import RunningGateway, StubProvider


@pytest.fixture(scope="session")
def in_background() -> Iterator[ThreadPoolExecutor]:
    """Stopping a gateway takes two of its server's 0.1 s ticks: not worth waiting for between tests."""
    with ThreadPoolExecutor() as pool:
        yield pool


@pytest.fixture
def provider(in_background: ThreadPoolExecutor) -> Iterator[StubProvider]:
    stub = StubProvider()
    yield stub
    in_background.submit(stub.stop)


@pytest.fixture
def start_gateway(
    tmp_path: Path, provider: StubProvider, in_background: ThreadPoolExecutor
) -> Iterator[Callable[..., RunningGateway]]:
    """Start a gateway in front of the stub provider, connected; settings by name."""
    started: list[RunningGateway] = []

    def start(**settings: Any) -> RunningGateway:
        chosen = {"api_key": "sk-secret", "base_url": provider.url, "backoff_s": 0.01, **settings}
        running = RunningGateway(tmp_path / "run", GatewaySettings(**chosen))
        started.append(running)
        running.connect(design="abc", evaluation="abc_eval_1")
        return running

    yield start
    for running in started:
        in_background.submit(running.stop)


@pytest.fixture
def gateway(start_gateway: Callable[..., RunningGateway]) -> RunningGateway:
    return start_gateway()
