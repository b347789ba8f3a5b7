"""Run folders without a run: written with the program's own classes, in the layout that a run leaves."""

from __future__ import annotations

import dataclasses
import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

from core.design_file import content_sha
from core.experiments.evaluate import Row
from core.experiments.h3 import SEAL
from core.experiments.statistics import score
from core.gateway.ledger import create_ledger
from core.hypotheses import Compared
from core.memo_manager import Memo_Manager
from core.options import MEMO_ARCHIVE
from core.records import OUTCOMES, Proposal, Record
from evals.contract import Episode, EvalResult, EvalSpec, Updates, Verdict
from run_main import options_from, parser

SOURCE = '''"""Keeps notes of {name}."""
from agents.memo_structure import MemoStructure


class Notes(MemoStructure):
    limit = {limit}
'''


def options(folder: Path, kind: str, designs: list[str], **more: Any) -> dict[str, Any]:
    """Options as the command line makes them, for the offline model."""
    asked = {
        "evolve": ["--status", "train", "--steps", "2"],
        "evaluate": ["--status", "test", "--memo_SHA", ",".join(designs)],
        "h1": ["--experiment", "h1", "--memo_SHA", ",".join(designs[1:])],
        "h2": ["--experiment", "h2", "--project", "project0", "--memo_SHA", ",".join(designs[1:])],
        "h3": ["--experiment", "h3", "--memo_SHA", ",".join(designs[1:])],
    }[kind]
    models = ["--execution_model", "offline", "--meta_model", "offline"]
    return {
        **dataclasses.asdict(options_from(parser().parse_args(asked + models))),
        "name": folder.name,
        **more,
    }


def make_run(
    folder: Path,
    kind: str = "evaluate",
    designs: tuple[str, ...] = ("no_mem", "claude_md"),
    tasks: int = 6,
    repeats: int = 1,
    state: str = "done",
    change: Callable[[Episode, str], Episode] = lambda episode, design: episode,
) -> Path:
    """A run in which the later designs resolve more.

    Args:
        change: the last word on every episode, of the design named.
    """
    rng = random.Random(7)
    folder.mkdir(parents=True)
    (folder / "inputs").mkdir()
    (folder / "options.json").write_text(json.dumps(options(folder, kind, list(designs), repeats=repeats)))
    names = [f"project{number % 3}-{number:02}" for number in range(tasks)]
    rows = [
        {
            "instance_id": name,
            "project": name.split("-")[0],
            "FAIL_TO_PASS": ["a"],
            "PASS_TO_PASS": ["b", "c", "d"],
        }
        for name in names
    ]
    (folder / "inputs" / "tasks.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    create_ledger(folder / "ledger.sqlite").close()
    summaries = []
    blocks = {"h1": {"1a": names[::2], "1b": names[1::2]}, "h2": {"order1": names}}.get(kind, {"eval": names})
    for rank, design in enumerate(designs):
        scored = []
        for block, own in blocks.items():
            runs = [(task, repeat) for task in own for repeat in range(1, repeats + 1)]
            episodes = [change(an_episode(task, repeat, rank, rng), design) for task, repeat in runs]
            add_evaluation(folder, f"{design.replace(':', '-')}_{block}_1", design, episodes)
            scored += episodes
        summaries.append(Row(design, "ok", scored, score(scored), None, 0, 0.0).summary())
    if kind == "h3":
        opened = {"designs": dict.fromkeys(designs, ""), "update_tasks": [], "retrieve_tasks": names}
        (folder / SEAL).write_text(json.dumps(opened))
    summary = {
        "schema": 1,
        "kind": kind,
        "state": state,
        "seed": 42,
        "sandbox": "bwrap",
        "designs": summaries,
    }
    (folder / "summary.json").write_text(json.dumps(summary))
    return folder


def add_evaluation(folder: Path, name: str, design: str, episodes: list[Episode]) -> None:
    """One more folder of ``evaluations/``, with the desk's verdicts."""
    home = folder / "evaluations" / name
    home.mkdir(parents=True)
    tasks = [{"id": task, "base": task} for task in dict.fromkeys(e.task for e in episodes)]
    repeats = max(e.repeat for e in episodes)
    EvalSpec(design, "design.py", "offline", [], tasks, repeats=repeats).save(home / "spec.json")
    EvalResult("ok", updates=Updates(4, 8, 0.5)).save(home / "result.json")
    with (home / "episodes.jsonl").open("w") as handle, (folder / "verdicts.jsonl").open("a") as graded:
        for e in episodes:
            handle.write(json.dumps(dataclasses.asdict(e)) + "\n")
            verdict = Verdict(e.reward, e.resolved, e.f2p_rate, e.p2p_rate, e.flags, 0.2)
            graded.write(json.dumps([name, "retrieve", e.task, e.repeat, dataclasses.asdict(verdict)]) + "\n")


def an_episode(task: str, repeat: int, rank: int, rng: random.Random) -> Episode:
    """Without memory a third of the tasks is resolved, with it two thirds."""
    resolved = rng.random() < (0.34 if rank == 0 else 0.67)
    command = {"action": "run_command", "command": "python -m pytest -q"}
    edit = {"action": "edit_file", "path": "a.py", "old": "return 1", "new": "return 2"}
    return Episode(
        task,
        "retrieve",
        repeat,
        reward=1.0 if resolved else 0.75,
        resolved=resolved,
        f2p_rate=float(resolved),
        p2p_rate=1.0,
        steps=2,
        prompt_tokens=1000,
        completion_tokens=50,
        memory_tokens=20 * (rank > 0),
        seconds=1.5,
        init={"project": task.split("-")[0], "problem_statement": f"{task} is wrong"},
        memory_retrieved={"notes": "look at a.py"} if rank else {},
        trajectory=[
            {
                "step": 1,
                "thought": "look",
                "action": command,
                "observation": "[1/30] run_command: exit code 1\n1 failed",
            },
            {"step": 2, "thought": "", "action": edit, "observation": "[2/30] edit_file a.py: replaced 1"},
        ],
    )


def make_evolution(folder: Path, records: list[Record] | None = None) -> Path:
    """An evolution of four designs: two baselines, one rewrite and a rewrite of that, which failed."""
    make_run(folder, "evolve", ("no_mem", "claude_md", "aaaaaaa1"))
    designs = folder / "inputs" / "designs"
    designs.mkdir()
    for sha in ("aaaaaaa1", "aaaaaaa2"):
        (designs / f"memo_structure_{sha}.py").write_text(SOURCE.format(name=sha, limit=int(sha[-1])))
    archive = Memo_Manager(folder, folder)
    archive.records = records or evolution_records()
    archive.proposals = [
        Proposal(2, "rewrite", "aaaaaaa1", 1, end="design_error", reason="no code in the reply")
    ]
    archive.save(random.Random(0))
    return folder


def priced_records() -> list[Record]:
    """Those of an evolution, as far as they were scored, with runs: each gives more than the one before for more."""
    made = [record for record in evolution_records() if record.status == "ok"]
    for rank, record in enumerate(made):
        outcomes = {"reward": record.reward, "resolved": 0.5, "memory_tokens": 100.0 * rank}
        record.runs = {
            name: {f"t{task}": [value + 0.001 * ((task + rank) % 3)] for task in range(6)}
            for name, value in outcomes.items()
        }
    return made


def raced_records(raced: dict[str, float]) -> list[Record]:
    """Those of an evolution, the rewrite run on some of the tasks and set right by its parent, ``claude_md``."""
    made = [record for record in evolution_records() if record.status == "ok"]
    own = ([0.9, 0.7, 0.8, 0.8, 0.9, 0.7], [0.9, 0.8, 0.9, 1.0, 0.8, 1.0])
    runs = [{f"t{task}": value for task, value in enumerate(values)} for values in own] + [raced]
    for record, of_task in zip(made, runs, strict=True):
        record.runs = {name: {task: [value] for task, value in of_task.items()} for name in OUTCOMES}
        record.reward = sum(of_task.values()) / len(of_task)
        record.tasks = record.episodes = len(of_task)
    made[2].reward = made[1].reward + sum(v - runs[1][t] for t, v in raced.items()) / len(raced)
    return made


def evolution_records() -> list[Record]:
    def record(sha: str, parent: str | None, step: int, **more: Any) -> Record:
        own = MEMO_ARCHIVE / "baseline" / f"memo_structure_{sha}.py"
        source = own.read_text() if own.exists() else SOURCE.format(name=sha, limit=int(sha[-1]))
        return Record(
            sha, content_sha(source), f"coding/memo_structure_{sha}.py", parent, step, step, "ok", **more
        )

    analysis = {"structure_and_coherence": "One layer.", "suggested_changes": [{"what": "raise the limit"}]}
    failed = record("aaaaaaa2", "aaaaaaa1", 2, suggestion=analysis, error="Traceback\nValueError: too long")
    failed.status = "design_error"
    scored = {"reward": 0.9, "reward_se": 0.02, "resolved": 0.5, "tasks": 6, "episodes": 6}
    return [
        record("no_mem", None, 0, **{**scored, "reward": 0.8}),
        record("claude_md", None, 0, **scored),
        record(
            "aaaaaaa1",
            "claude_md",
            1,
            suggestion=analysis,
            hypothesis="more notes help <b>everywhere</b>",
            compared=Compared("better", 0.05, 6, 0.031),
            **{**scored, "reward": 0.95},
        ),
        failed,
    ]
