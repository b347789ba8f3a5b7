"""One short evolution with everything between the meta agent and the model as in a run."""

from __future__ import annotations

import asyncio
import json
import random
import sqlite3

import pytest

from core.gateway.gateway import Gateway, GatewaySettings
from core.meta_agent import MetaAgent
from evals.utils import gateway_client

from .conftest import REAL_REQUEST, ReplayEvaluator


def test_a_step_through_the_real_gateway_is_the_same_as_without(new_archive, monkeypatch):
    archive, direct = new_archive("gateway"), new_archive("direct")

    def evolution(target) -> MetaAgent:
        return MetaAgent(
            "coding",
            "offline",
            "offline",
            "train",
            evaluator=ReplayEvaluator(),
            archive=target,
            rng=random.Random(7),
        )

    async def through_gateway() -> None:
        archive.run_dir.mkdir(parents=True)
        gateway = Gateway(archive.run_dir, GatewaySettings(offline=True, offline_workers=1))
        await gateway.start()
        try:
            gateway_client.connect(gateway.socket_path, gateway.issue_token({"design": "meta"}))
            await evolution(archive).forward(1, 2, 2)
        finally:
            await gateway_client.close()
            await gateway.stop()

    asyncio.run(evolution(direct).forward(1, 2, 2))
    with monkeypatch.context() as patch:
        patch.setattr(gateway_client, "request", REAL_REQUEST)
        asyncio.run(through_gateway())
    checkpoints = [json.loads((a.run_dir / "archive.json").read_text()) for a in (archive, direct)]
    assert checkpoints[0] == checkpoints[1]
    with sqlite3.connect(archive.run_dir / "ledger.sqlite") as ledger:
        booked = dict(ledger.execute("select purpose, count(*) from calls group by purpose").fetchall())
    assert booked["analyze"] == 2 and booked["generate"] == 3


def test_without_a_gateway_the_run_stops_and_can_go_on(new_archive, monkeypatch):
    archive = new_archive("offline")

    def agent(target) -> MetaAgent:
        evaluator, rng = ReplayEvaluator(), random.Random(1)
        return MetaAgent(
            "coding", "offline", "offline", "train", evaluator=evaluator, archive=target, rng=rng
        )

    async def down(path, body, purpose):
        if purpose != "memory":
            raise gateway_client.InfraError("no gateway")
        return await usual(path, body, purpose)

    usual = gateway_client.request
    with monkeypatch.context() as patch:
        patch.setattr(gateway_client, "request", down)
        with pytest.raises(gateway_client.InfraError):
            asyncio.run(agent(archive).forward(1, 2, 2))
    saved = new_archive("offline")
    assert [r.sha for r in saved.records] == ["no_mem", "claude_md"]
    assert [p.kind for p in saved.pending()] == ["scratch"]
    asyncio.run(agent(saved).forward(1, 2, 2))
    assert saved.step == 1 and not saved.pending()
