"""How much of its evaluation slots does an evolution use, with a barrier after each step and without?

The real loop, archive, prompts and offline meta model; evaluations only take time: log-normal with a mean of
``--seconds``, the longest of five about two and a half times as long as the mean.

    python -m tests.bench.steady_state [--steps 6] [--seconds 1.0] [--seed 1]

Utilisation is the share of slot-seconds in which something was evaluated, from the first rewrite's evaluation to the
end of the last one's.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import tempfile
import time
from pathlib import Path
from typing import Any

from core.gateway.gateway import Gateway, GatewaySettings
from core.memo_manager import Memo_Manager
from core.meta_agent import BASELINES, MetaAgent
from core.options import MEMO_ARCHIVE
from evals.contract import Episode, EvalResult
from evals.utils import gateway_client

SIGMA = 0.7


class Slow:
    """Takes its time, on so many slots; scores are chance, the same for the same source."""

    def __init__(self, slots: int, seconds: float, seed: int) -> None:
        self._slots = asyncio.Semaphore(slots)
        self._seconds, self._seed = seconds, seed
        self.tasks = [f"t{i}" for i in range(4)]
        self.spans: list[tuple[float, float]] = []

    async def evaluate(self, sha: str, path: Path, mode: str, *_: Any) -> EvalResult:
        rng = random.Random(f"{self._seed} {sha}")
        if mode == "eval" and sha not in BASELINES:
            async with self._slots:
                began = time.monotonic()
                await asyncio.sleep(self._seconds * rng.lognormvariate(-(SIGMA**2) / 2, SIGMA))
                self.spans.append((began, time.monotonic()))
        return EvalResult(
            "ok", [Episode(task=t, phase="retrieve", repeat=1, reward=rng.random()) for t in self.tasks]
        )


async def measure(
    folder: Path, selection: str, slots: int, args: argparse.Namespace
) -> tuple[int, float, float]:
    """(designs evaluated, seconds, share of the slots' time that was used)."""
    (folder / "memo_archive").mkdir(parents=True)
    (folder / "memo_archive/baseline").symlink_to(MEMO_ARCHIVE / "baseline")
    archive = Memo_Manager(folder / "run", folder / "memo_archive/coding")
    archive.run_dir.mkdir()
    gateway = Gateway(archive.run_dir, GatewaySettings(offline=True))
    await gateway.start()
    slow = Slow(slots, args.seconds, args.seed)
    try:
        gateway_client.connect(gateway.socket_path, gateway.issue_token({"design": "meta agent"}))
        rng = random.Random(args.seed)
        agent = MetaAgent(
            *("coding", "offline", "offline", "train"),
            evaluator=slow,
            archive=archive,
            rng=rng,
            selection=selection,
        )
        await agent.forward(args.steps)
    finally:
        await gateway_client.close()
        await gateway.stop()
    spans = sorted(slow.spans)[
        1:
    ]  # the first design, from scratch, comes before there is anything to overlap
    whole = max(end for _, end in spans) - spans[0][0]
    return len(spans), whole, sum(end - began for began, end in spans) / (slots * whole)


def main() -> None:
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--steps", type=int, default=6)
    p.add_argument("--seconds", type=float, default=1.0)
    p.add_argument("--seed", type=int, default=1)
    args = p.parse_args()
    for slots in (2, 5):
        for selection, name in (("alma", "barrier"), ("rank", "steady state")):
            with tempfile.TemporaryDirectory() as folder:
                n, whole, used = asyncio.run(measure(Path(folder), selection, slots, args))
            print(
                f"{slots} slots, {name}: {n} designs in {whole:.1f} s, {used:.0%} of the slots used",
                flush=True,
            )


if __name__ == "__main__":
    main()
