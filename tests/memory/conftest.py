"""Fixtures: designs loaded as the evaluation loads them, and a real gateway with the offline model behind
it."""

from __future__ import annotations

import asyncio
import importlib
import importlib.util
import sys
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from core.gateway.gateway import Gateway, GatewaySettings
from evals.utils import gateway_client

ROOT = Path(__file__).parents[2]
SHORT_NAMES = {
    "agents": "evals.agents",
    "agents.memo_structure": "evals.agents.memo_structure",
    "eval_envs": "evals.eval_envs",
    "eval_envs.base_envs": "evals.eval_envs.base_envs",
    "utils": "evals.utils",
    "utils.hire_agent": "evals.utils.hire_agent",
    "agents.base": "evals.agents.base",
    "langchain_chroma": "evals.utils.langchain_chroma",
}


@pytest.fixture
def load_baseline(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], ModuleType]:
    """Import a baseline's file with the short import names in place."""
    for short, real in SHORT_NAMES.items():
        monkeypatch.setitem(sys.modules, short, importlib.import_module(real))

    def load(name: str) -> ModuleType:
        path = ROOT / "memo_archive" / "baseline" / f"memo_structure_{name}.py"
        spec = importlib.util.spec_from_file_location(f"baseline_{name}", path)
        module = importlib.util.module_from_spec(spec)
        monkeypatch.setitem(sys.modules, spec.name, module)
        spec.loader.exec_module(module)
        return module

    return load


@pytest.fixture
def with_gateway(tmp_path: Path) -> Iterator[Callable[[Coroutine[Any, Any, Any]], Any]]:
    """Run a coroutine while an offline gateway serves ``Agent`` and ``Embedding``."""

    def run(work: Coroutine[Any, Any, Any]) -> Any:
        async def served() -> Any:
            gateway = Gateway(tmp_path / "run", GatewaySettings(offline=True, offline_workers=1))
            await gateway.start()
            try:
                gateway_client.connect(gateway.socket_path, gateway.issue_token({"design": "test"}))
                return await work
            finally:
                await gateway_client.close()
                await gateway.stop()

        (tmp_path / "run").mkdir(exist_ok=True)
        return asyncio.run(served())

    yield run
