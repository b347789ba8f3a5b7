"""Wrong use of the command line: one clear line on stderr, exit code 2, nothing written."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SAMPLES = ROOT / "data/coding/samples.jsonl"


def run(tmp_path, *arguments, **env):
    clean = {name: value for name, value in os.environ.items() if not name.startswith("OPENAI")}
    # An empty .env of its own: the developer's must not lend its key.
    dotenv = tmp_path / "env"
    dotenv.touch()
    return subprocess.run(
        [sys.executable, ROOT / "run_main.py", *arguments],
        env=clean | {"LOG_DIR": str(tmp_path / "logs"), "DOTENV_PATH": str(dotenv)} | env,
        capture_output=True,
        text=True,
        timeout=60,
    )


def broken_design(tmp_path):
    path = tmp_path / "my_design.py"
    path.write_text(
        "from agents.memo_structure import MemoStructure\n\nclass Mine(MemoStructure:\n    pass\n"
    )
    return path


def broken_tasks(tmp_path):
    rows = [json.loads(line) for line in SAMPLES.read_text().splitlines()]
    whole = rows[0] | {"repo_path": str(SAMPLES.parent / rows[0]["repo_path"])}
    path = tmp_path / "tasks.jsonl"
    path.write_text(json.dumps(whole) + "\n" + json.dumps(rows[1])[:50] + "\n")
    return path


CASES = {
    "unknown flag": (["--memory", "x"], "--memory"),
    "abbreviated flag": (["--stat", "test"], "--stat"),
    "bad number": (["--steps", "-1"], "--steps"),
    "test without designs": (["--status", "test"], "--memo_SHA"),
    "experiment without designs": (["--experiment", "h1"], "--memo_SHA"),
    "unknown design": (["--status", "test", "--memo_SHA", "claud_md"], "did you mean claude_md"),
    "unknown baseline": (
        ["--experiment", "h1", "--memo_SHA", "claude_md", "--baseline", "no_mme"],
        "did you mean no_mem",
    ),
    "only the control": (["--experiment", "h1", "--memo_SHA", "no_mem"], "only the control"),
    "builds without h1": (["--status", "test", "--memo_SHA", "no_mem", "--builds", "2"], "--experiment h1"),
    "folds without h1": (["--status", "test", "--memo_SHA", "no_mem", "--folds", "3"], "--experiment h1"),
    "more folds than tasks": (["--experiment", "h1", "--memo_SHA", "claude_md", "--folds", "27"], "26 parts"),
    "a race of memories that learn on": (
        ["--evaluation", "race", "--rollout_type", "sequential"],
        "--rollout_type batched",
    ),
    "a race without evolution": (
        ["--status", "test", "--memo_SHA", "no_mem", "--evaluation", "race"],
        "--evaluation goes with evolution",
    ),
    "a cost that is nothing": (
        ["--objective", "cost", "--selection", "rank"],
        "offline costs nothing, so --objective cost cannot tell designs apart",
    ),
    "an agent that proposes nothing": (
        ["--status", "test", "--memo_SHA", "no_mem", "--proposer", "agent"],
        "--proposer goes with evolution",
    ),
    "alma by another objective": (["--objective", "resolved"], "--selection alma"),
    "plan without h1": (["--plan"], "--experiment h1"),
    "plan from nothing": (["--experiment", "h1", "--memo_SHA", "claude_md", "--plan", "nothing"], "nothing"),
    "plan from outside": (["--experiment", "h1", "--memo_SHA", "claude_md", "--plan", "../x"], "../x"),
    "one group": (
        ["--experiment", "h1", "--memo_SHA", "claude_md", "--grouped", "--repeats", "1"],
        "--repeats 2",
    ),
    "design twice": (["--status", "test", "--memo_SHA", "no_mem,no_mem"], "twice"),
    "missing design file": (["--status", "test", "--memo_SHA", "./nowhere.py"], "nowhere.py"),
    "missing key": (
        ["--status", "test", "--memo_SHA", "no_mem", "--execution_model", "gpt-4o-mini"],
        "OPENAI_API_KEY is not set",
    ),
    "missing task file": (["--tasks", "nowhere.jsonl"], "nowhere.jsonl"),
    "no task left": (["--status", "test", "--memo_SHA", "no_mem", "--train_size", "54"], "--train_size"),
    "folder as name": (["--result_dir", "../x"], "--result_dir"),
    "no archive to go on from": (["--history_ckpt_path", "nowhere/archive.json"], "--history_ckpt_path"),
    "evolution that learns from the test half": (["--update_task", "test"], "--update_task test"),
    "h3 that learns from the test half": (
        ["--experiment", "h3", "--update_task", "test"],
        "--update_task test",
    ),
    "unknown run": (["--resume", "nothing"], "nothing"),
    "run outside": (["--resume", "../x"], "--resume"),
    "nothing to replay": (["--replay", "nothing"], "nothing"),
    "a budget below nothing": (["--max_cost_usd", "-1"], "--max_cost_usd"),
}


@pytest.mark.parametrize("case", CASES)
def test_one_line_exit_code_2_and_nothing_written(tmp_path, case):
    arguments, said = CASES[case]
    done = run(tmp_path, *arguments)
    assert done.returncode == 2, done.stderr
    assert said in done.stderr
    assert done.stderr.count("\n") == 1 and done.stdout == ""
    assert not (tmp_path / "logs").exists()


def test_a_design_with_a_syntax_error_is_named_with_its_line(tmp_path):
    path = broken_design(tmp_path)
    done = run(tmp_path, "--status", "test", "--memo_SHA", str(path))
    assert done.returncode == 2
    assert f"{path}:3: syntax error" in done.stderr and done.stderr.count("\n") == 1


def test_a_broken_line_of_a_task_file_is_named(tmp_path):
    path = broken_tasks(tmp_path)
    done = run(tmp_path, "--status", "test", "--memo_SHA", "no_mem", "--tasks", str(path))
    assert done.returncode == 2
    assert f"{path}:2" in done.stderr and done.stderr.count("\n") == 1


def test_an_unwritable_log_folder_is_named(tmp_path):
    blocked = tmp_path / "file"
    blocked.write_text("not a folder")
    done = run(tmp_path, "--status", "test", "--memo_SHA", "no_mem", LOG_DIR=str(blocked / "logs"))
    assert done.returncode == 2
    assert str(blocked / "logs") in done.stderr and done.stderr.count("\n") == 1


def test_a_missing_dotenv_is_named(tmp_path):
    done = run(tmp_path, "--status", "test", DOTENV_PATH=str(tmp_path / "none"))
    assert done.returncode == 2 and "DOTENV_PATH" in done.stderr


def test_a_finished_run_is_not_overwritten(tmp_path):
    folder = tmp_path / "logs" / "mine"
    folder.mkdir(parents=True)
    (folder / "options.json").write_text(json.dumps({}))
    done = run(tmp_path, "--status", "test", "--memo_SHA", "no_mem", "--result_dir", "mine")
    assert done.returncode == 2 and "--resume mine" in done.stderr
