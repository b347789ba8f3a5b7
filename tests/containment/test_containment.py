"""Every hostile design ends as a `design_error` with a clear message; the others of its run finish unharmed; nothing is
left running and nothing was written outside. Prints a table `attack / outcome` (``pytest -rP``)."""

from __future__ import annotations

import asyncio
import dataclasses
import os
import socket
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

import pytest
from designs import DESIGNS, FORGE, design

from core import evaluation_process
from core.eval_in_container import EvaluationSettings, Evaluator, InfraError
from core.gateway.gateway import Gateway, GatewaySettings
from core.grading_desk import GradingDesk
from core.image_rooms import ImageRooms
from core.progress import Progress
from envs_archive.coding.grading import grading_limits
from envs_archive.coding.grading_rooms import GradingRooms
from envs_archive.coding.tasks import Split
from envs_archive.coding.workspace import prepare_base
from envs_archive.coding_envs import load_config
from evals.contract import EvalResult
from evals.utils.sandbox import Limits, SandboxUnavailable, probe
from tests.env.env_project import NOP_REWARD, TASK

MARK = f"7{os.getpid()}.{time.monotonic_ns() % 10**9}"
HONEST = design(retrieve="return {'note': 'nothing yet'}")
SHORT = {"max_trails": 1, "command_timeout": 5, "test_timeout": 30, "memory_timeout": 6}
SECRET = "sesame-0451"
LEARNED = dataclasses.replace(
    TASK, instance_id=f"{TASK.instance_id}-before", problem_statement="Another issue."
)


@dataclass
class Outcome:
    """What one design came to."""

    result: EvalResult | InfraError
    seconds: float


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory):
    """All designs in one run, several at a time, with two honest ones among them."""
    try:
        kind = probe("bwrap")
    except SandboxUnavailable as error:
        pytest.skip(str(error))
    tmp_path = tmp_path_factory.mktemp("run")
    os.environ["ALMA_TEST_SECRET"] = SECRET
    patch = pytest.MonkeyPatch()
    # The same mechanisms with less to fill: the machine that tests this must stay usable.
    patch.setattr(evaluation_process, "EVALUATION_LIMITS", Limits(0, 0, 600, 96, 0, 1024, 200))
    try:
        yield tmp_path, asyncio.run(run_all(tmp_path, kind))
    finally:
        patch.undo()
        del os.environ["ALMA_TEST_SECRET"]


async def run_all(tmp_path: Path, kind) -> dict[str, Outcome]:
    secret = tmp_path / "secret"
    secret.write_text(SECRET)
    sources = {name: source for name, (source, _) in DESIGNS.items()}
    sources = {
        "honest": HONEST,
        **sources,
        "honest, last": HONEST + "\n\n# another\n",
        "flatters itself": design(retrieve=FORGE),
    }
    run_dir = tmp_path / "run"
    (run_dir / "evaluations").mkdir(parents=True)
    config = load_config(overrides=SHORT)
    tasks = {task.instance_id: task for task in (LEARNED, TASK)}
    bases = {name: await prepare_base(task, run_dir / "bases" / name) for name, task in tasks.items()}
    gateway = Gateway(run_dir, GatewaySettings(offline=True, offline_workers=1))
    rooms = GradingRooms(kind, grading_limits(config))
    desk = GradingDesk(run_dir / "verdicts.jsonl", tasks, bases, rooms, 2, lambda _: None)
    gateway.add_grader(desk.grade)
    await gateway.start()
    settings = EvaluationSettings(
        "offline", repeats=1, concurrent_evaluations=8, memory_timeout_s=config["memory_timeout"], env=config
    )
    learned, scored = [LEARNED.instance_id], [TASK.instance_id]
    split, progress = Split(learned, scored), Progress()
    images = ImageRooms(run_dir / "trees", tasks, bases, kind, config)
    evaluator = Evaluator(run_dir, split, tasks, bases, gateway, desk, kind, settings, progress, images)
    with socket.create_server(("127.0.0.1", 0)) as server:

        async def one(name: str, source: str) -> Outcome:
            path = tmp_path / f"memo_structure_{len(name)}_{abs(hash(name))}.py"
            for word, value in (("@SECRET@", secret), ("@PORT@", server.getsockname()[1]), ("@MARK@", MARK)):
                source = source.replace(word, str(value))
            path.write_text(source)
            started = time.monotonic()
            try:
                result = await evaluator.evaluate_on(path.stem, path, "eval", learned, scored, 1)
            except InfraError as error:
                result = error
            return Outcome(result, time.monotonic() - started)

        try:
            done = await asyncio.gather(*(one(*pair) for pair in sources.items()))
        finally:
            await gateway.stop()
            await rooms.close()
    return dict(zip(sources, done, strict=True))


@pytest.mark.parametrize("name", DESIGNS)
def test_a_hostile_design_is_a_design_error_with_a_clear_message(name, outcomes):
    result = outcomes[1][name].result
    assert isinstance(result, EvalResult), result
    assert result.status == "design_error", result.error
    assert DESIGNS[name][1] in result.error
    assert "\x1b" not in result.error and len(result.error) <= 10_000


def test_honest_designs_of_the_same_run_finish(outcomes):
    for name in ("honest", "honest, last"):
        result = outcomes[1][name].result
        assert isinstance(result, EvalResult) and result.status == "ok", result
        assert [e.reward for e in result.episodes] == [NOP_REWARD]


def test_a_design_cannot_change_its_own_score(outcomes):
    result = outcomes[1]["flatters itself"].result
    assert isinstance(result, EvalResult)
    assert result.status == "design_error" or [e.reward for e in result.episodes] == [NOP_REWARD]


def test_nothing_is_left_running_and_nothing_was_written_outside(outcomes):
    tmp_path, found = outcomes
    assert (tmp_path / "secret").read_text() == SECRET
    expected = {"secret", "run"}
    assert {p.name for p in tmp_path.iterdir() if not p.name.startswith("memo_structure_")} == expected
    assert not list((tmp_path / "run" / "evaluations").glob("*/tmp"))
    running = subprocess.run(["pgrep", "-fa", f"{MARK}|{tmp_path}"], capture_output=True, text=True)
    assert running.stdout == ""
    print("\nattack / outcome")
    for name, outcome in found.items():
        said = outcome.result if isinstance(outcome.result, InfraError) else outcome.result.error
        status = getattr(outcome.result, "status", "infra_error")
        last = str(said or "").strip().rsplit("\n", 1)[-1][:90]
        print(f"{name:<42} {status:<12} {outcome.seconds:5.1f} s  {last}")
