"""Designs written for the original ALMA run unmodified, in a real evaluation process with a real gateway."""

import json
import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from tests.memory import dialect

ROOT = Path(__file__).parents[2]


def easy_tasks():
    """Two tasks that the offline agent solves in a few steps: this is about the designs."""
    rows = [json.loads(line) for line in (ROOT / "data/coding/samples.jsonl").read_text().splitlines()]
    [easy] = [row for row in rows if row["instance_id"] == "calc_bug"]
    easy["repo_path"] = str(ROOT / "data/coding" / easy["repo_path"])
    again = {
        "instance_id": "calc_again",
        "problem_statement": f"{easy['problem_statement']} Please repair it.",
    }
    return [easy, easy | again]


def evaluate(tmp_path, sources, *arguments):
    """Evaluate designs on the smoke tasks; returns (entries of summary.json, stdout, run folder)."""
    files = []
    for number, source in enumerate(sources):
        files.append(tmp_path / f"memo_structure_{number}.py")
        files[-1].write_text(source)
    tasks = tmp_path / "tasks.jsonl"
    tasks.write_text("".join(json.dumps(task) + "\n" for task in easy_tasks()))
    clean = {name: value for name, value in os.environ.items() if not name.startswith("OPENAI")}
    dotenv = tmp_path / "env"
    dotenv.touch()
    tasks = ["--tasks", str(tasks), "--train_size", "0", "--repeats", "1"]
    done = subprocess.run(
        [
            *(
                sys.executable,
                ROOT / "run_main.py",
                "--status",
                "test",
                "--result_dir",
                "r",
                *tasks,
                *arguments,
            ),
            *("--memo_SHA", ",".join(map(str, files))),
        ],
        env=clean | {"LOG_DIR": str(tmp_path / "logs"), "DOTENV_PATH": str(dotenv)},
        capture_output=True,
        text=True,
        timeout=300,
    )
    folder = tmp_path / "logs" / "r"
    assert (folder / "summary.json").exists(), done.stderr
    return json.loads((folder / "summary.json").read_text())["designs"], done.stdout, folder


@pytest.fixture(scope="module")
def evaluated(tmp_path_factory):
    """Sequential, so that the designs learn and are asked in turn; the game's design fails and stops no other."""
    sources = [*dialect.RUNS.values(), dialect.GAME_KEYS]
    return evaluate(tmp_path_factory.mktemp("dialect"), sources, "--rollout_type", "sequential")


@pytest.mark.parametrize("number, habit", list(enumerate(dialect.RUNS)))
def test_it_runs_and_hands_out_what_it_learned(evaluated, number, habit):
    designs, _, folder = evaluated
    design = designs[number]
    assert design["status"] == "ok", (habit, design["error"])
    assert design["memory_tokens"] > 0 and design["episodes"] == 1
    card = json.loads(
        (folder / "evaluations" / f"{design['sha']}_eval_1" / "memory" / "memory.json").read_text()
    )
    assert card["error"] is None and len(card["learned"]) == 2


def test_a_design_for_another_environment_fails_with_the_key_that_is_missing(evaluated):
    designs, out, _ = evaluated
    assert designs[-1]["status"] == "design_error"
    assert "KeyError: 'goal'" in designs[-1]["error"] and "KeyError: 'goal'" in out


def test_no_text_was_embedded_twice(evaluated):
    _, _, folder = evaluated
    with closing(sqlite3.connect(folder / "ledger.sqlite")) as ledger:
        rows = ledger.execute(
            "SELECT request_hash, prompt_tokens FROM calls WHERE purpose = 'embed'"
        ).fetchall()
    assert 0 < len(rows) == len({hash for hash, _ in rows})
