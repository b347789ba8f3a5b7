"""``--check_tasks`` and a run on what it wrote, from the shell."""

import json
import os
import subprocess
import sys
from pathlib import Path

from small_instance import make_row

ROOT = Path(__file__).resolve().parents[2]


def run(folder, *arguments):
    clean = {name: value for name, value in os.environ.items() if not name.startswith("OPENAI")}
    (folder / "env").touch()
    return subprocess.run(
        [sys.executable, ROOT / "run_main.py", *arguments],
        env=clean | {"LOG_DIR": str(folder / "logs"), "DOTENV_PATH": str(folder / "env")},
        capture_output=True,
        text=True,
        timeout=120,
    )


def test_what_is_usable_is_written_and_runs(place, row, tmp_path):
    bad = make_row(place[1], instance_id="acme__shapes-2", patch=None)
    unusable = make_row(place[1], instance_id="acme__shapes-3", base_commit="1" * 40)
    second = make_row(place[1], instance_id="acme__shapes-4")
    rows = tmp_path / "rows.json"
    rows.write_text(json.dumps([bad, row, unusable, second, 7]))
    where = ["--repo_cache", str(place[0] / "mirror"), "--environments", str(place[0] / "environments.yaml")]
    done = run(
        tmp_path,
        "--check_tasks",
        "--tasks",
        f"swebench:{rows}",
        *where,
        "--repeats",
        "2",
        "--result_dir",
        "c",
    )
    assert done.returncode == 0, done.stderr
    assert "2 of 5 can be used" in done.stdout and "2/2" in done.stdout and "0/2" in done.stdout
    found = {one["name"]: one for one in json.loads((tmp_path / "logs/c/check.json").read_text())}
    assert {name for name, one in found.items() if one["usable"]} == {"acme__shapes-1", "acme__shapes-4"}
    assert "'patch' is missing" in found["acme__shapes-2"]["reason"]
    assert "is not in" in found["acme__shapes-3"]["reason"]
    assert found["row 5"]["reason"] == "a row must be an object"
    usable = tmp_path / "logs/c/usable.jsonl"
    assert [json.loads(line) for line in usable.read_text().splitlines()] == [row, second]

    flags = [
        "--status",
        "test",
        "--train_size",
        "0",
        "--memo_SHA",
        "no_mem",
        "--repeats",
        "1",
        "--result_dir",
        "r",
    ]
    done = run(tmp_path, *flags, "--tasks", f"swebench:{usable}", *where)
    assert done.returncode == 0, done.stderr
    [episode] = [
        json.loads(line)
        for path in (tmp_path / "logs/r/evaluations").glob("no_mem_eval_*/episodes.jsonl")
        for line in path.read_text().splitlines()
    ]
    assert episode["reward"] >= 0.75  # three of four tests pass without a change
    steps = " ".join(step["observation"] for step in episode["trajectory"])
    assert "passed" in steps and "test_oblong" not in steps
    # The run has all it needs of the rows, not of what they came from.
    kept = (tmp_path / "logs/r/inputs/tasks.jsonl").read_text()
    assert '"parser": "pytest"' in kept and str(place[0]) not in kept


def test_usage(place, row, tmp_path):
    rows = tmp_path / "rows.jsonl"
    rows.write_text(json.dumps(row))
    for arguments, reason in (
        (["--check_tasks"], "takes --tasks swebench:FILE"),
        (["--check_tasks", "--tasks", f"swebench:{tmp_path}/none.json"], "none.json: cannot read the rows"),
        (["--tasks", f"swebench:{rows}", "--memo_SHA", "no_mem"], "none of 1 rows can be used"),
    ):
        done = run(tmp_path, *arguments)
        assert (done.returncode, done.stderr.count("Traceback")) == (2, 0)
        assert reason in done.stderr
    assert not (tmp_path / "logs").exists()
