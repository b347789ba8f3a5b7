"""The offline model in this process, and an evaluator that really runs designs on recorded runs."""

from __future__ import annotations

import asyncio
import copy
import random
import re
import shutil
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from core.gateway import offline
from core.gateway.offline.notes import parse_edits
from core.memo_manager import Memo_Manager
from core.meta_agent import MetaAgent
from evals import launch
from evals.contract import Episode, EvalResult
from evals.utils import gateway_client
from evals.workflows.memory_calls import render

from .runs import ASKED, Bug, collected, start_of, steps_of

STEPS, PARENTS = 2, 3
REAL_REQUEST = gateway_client.request
BASELINES = Path(__file__).resolve().parents[2] / "memo_archive" / "baseline"


@pytest.fixture(scope="module", autouse=True)
def short_names() -> Iterator[None]:
    """Designs import by the short names the harness gives them."""
    finder = launch.AliasFinder()
    sys.meta_path.insert(0, finder)
    yield
    sys.meta_path.remove(finder)


@pytest.fixture(scope="module", autouse=True)
def models() -> Iterator[None]:
    """``Agent`` and ``Embedding`` reach the offline model without the socket in between."""

    async def request(path: str, body: dict[str, Any], purpose: str) -> dict[str, Any]:
        if path == "/embeddings":
            vectors = offline.embed(body["input"])
            return {"data": [{"index": i, "embedding": list(v)} for i, v in enumerate(vectors)], "usage": {}}
        text = offline.complete(body, purpose)
        return {"choices": [{"message": {"content": text}, "finish_reason": "stop"}], "usage": {}}

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(gateway_client, "request", request)
        yield


def copy_baselines(memo_archive: Path) -> Path:
    (memo_archive / "baseline").mkdir(parents=True)
    for name in ("no_mem", "claude_md"):
        shutil.copy(BASELINES / f"memo_structure_{name}.py", memo_archive / "baseline")
    return memo_archive


def open_archive(root: Path, name: str) -> Memo_Manager:
    """The archive of a run by name, in its own memo_archive with the baselines."""
    own = root / f"{name}_archive"
    if not own.exists():
        copy_baselines(own)
    return Memo_Manager.load(root / "logs" / name, own / "coding")


@pytest.fixture
def memo_archive(tmp_path: Path) -> Path:
    return copy_baselines(tmp_path / "memo_archive")


@pytest.fixture
def new_archive(tmp_path: Path) -> Callable[[str], Memo_Manager]:
    return lambda name: open_archive(tmp_path, name)


class ReplayEvaluator:
    """Runs a design on recorded runs; the reward is how useful its memory text is for the change a task needs.

    ``before_each`` is awaited before every evaluation with its number; it may raise. A finished evaluation is read and
    not run again, as the real evaluator does.
    """

    def __init__(self, before_each: Callable[[int, str, str], Any] | None = None) -> None:
        self.calls: list[tuple[str, str]] = []
        self.finished: dict[tuple[Any, ...], EvalResult] = {}
        self.before_each = before_each
        self.tasks = [bug.task for bug in ASKED]

    async def evaluate(
        self, sha: str, path: Path, mode: str, tasks: Sequence[str] | None = None, again: int = 0
    ) -> EvalResult:
        key = (sha, mode, tuple(tasks or ()), again)
        if key not in self.finished:
            self.calls.append((sha, mode))
            if self.before_each is not None:
                await self.before_each(len(self.calls), sha, mode)
            self.finished[key] = await self._run(path, mode)
        result = copy.deepcopy(self.finished[key])
        if tasks is not None:
            result.episodes = [e for e in result.episodes if e.task in tasks]
        return result

    async def _run(self, path: Path, mode: str) -> EvalResult:
        try:
            memory = launch.load_design(path)()
            for recorder in collected()[: 2 if mode == "test" else None]:
                await memory.general_update(recorder)
            episodes = [await self._episode(memory, bug) for bug in ASKED[: 2 if mode == "test" else None]]
        except Exception as error:
            return EvalResult(
                "design_error", error=f"Traceback (most recent call last):\n{type(error).__name__}: {error}"
            )
        return EvalResult("ok", episodes)

    async def _episode(self, memory: Any, bug: Bug) -> Episode:
        await asyncio.sleep(0)
        start = start_of(bug)
        shown = await memory.general_retrieve(start)
        useful = usefulness(render(shown), bug)
        solved = useful > 0.5
        return Episode(
            task=bug.task,
            phase="retrieve",
            repeat=1,
            reward=0.5 + 0.5 * useful,
            resolved=solved,
            init=start.init,
            memory_retrieved=shown,
            trajectory=steps_of(bug, solved),
        )


def agent_for(archive: Memo_Manager, evaluator: ReplayEvaluator, **options) -> MetaAgent:
    options = {"evaluator": evaluator, "archive": archive, "rng": random.Random(7), **options}
    return MetaAgent("coding", "offline", "offline", "train", **options)


def evolve(
    archive: Memo_Manager,
    evaluator: ReplayEvaluator | None = None,
    concurrent: int = 2,
    parents: int = PARENTS,
    **options,
) -> str:
    """Run the evolution; returns the checkpoint's text."""
    agent = agent_for(archive, evaluator or ReplayEvaluator(), **options)
    asyncio.run(agent.forward(STEPS, parents, concurrent))
    return (archive.run_dir / "archive.json").read_text()


def usefulness(text: str, bug: Bug) -> float:
    """How near the best note is to the change a task needs, less the more notes there are to read. 0 to 1."""
    wanted = _change(bug.before, bug.after)
    notes = parse_edits(text)
    near = [sum((_change(n.before, n.after) & wanted).values()) / sum(wanted.values()) for n in notes]
    return max(near, default=0.0) / (1 + 0.1 * len(notes) + len(text) / 20_000)


def _change(before: str, after: str) -> Counter[str]:
    a, b = (Counter(re.findall(r"\w+|[^\w\s]", side)) for side in (before, after))
    return Counter({f"+{t}": n for t, n in (b - a).items()}) + Counter(
        {f"-{t}": n for t, n in (a - b).items()}
    )
