"""Whole runs from the shell on the three smoke tasks, with the offline model and real sandboxes."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
EVALUATE = ["--status", "test", "--memo_SHA", "no_mem,claude_md", "--train_size", "0", "--repeats", "2"]
EVOLVE = ["--status", "train", "--train_size", "3", "--steps", "1", "--repeats", "1"]


def start(tmp_path, *arguments):
    clean = {name: value for name, value in os.environ.items() if not name.startswith("OPENAI")}
    dotenv = tmp_path / "env"
    dotenv.touch()
    return subprocess.Popen(
        [sys.executable, ROOT / "run_main.py", *arguments],
        env=clean | {"LOG_DIR": str(tmp_path / "logs"), "DOTENV_PATH": str(dotenv)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(process, code=0):
    out, err = process.communicate(timeout=180)
    assert process.returncode == code, err
    return out, err


def run(tmp_path, name, *arguments):
    tasks = ["--tasks", str(ROOT / "data/coding/samples.jsonl")]
    return finish(start(tmp_path, *arguments, *tasks, "--result_dir", name))


def outcome(tmp_path, name):
    """What a run found, without times."""
    summary = json.loads((tmp_path / "logs" / name / "summary.json").read_text())
    for design in summary["designs"]:
        for key in ("seconds", "memory_seconds"):
            design.pop(key, None)
    return {key: summary[key] for key in ("kind", "state", "designs", "tokens", "paired") if key in summary}


def trajectories(tmp_path, name):
    found = {}
    for path in sorted((tmp_path / "logs" / name / "evaluations").glob("*/episodes.jsonl")):
        for line in path.read_text().splitlines():
            e = json.loads(line)
            found[path.parent.name, e["task"], e["repeat"]] = (
                e["trajectory"],
                e["memory_retrieved"],
                e["reward"],
            )
    return found


@pytest.fixture(scope="module")
def evaluated(tmp_path_factory):
    """One finished evaluation: (folder of the logs, what it printed)."""
    tmp_path = tmp_path_factory.mktemp("evaluated")
    return tmp_path, run(tmp_path, "first", *EVALUATE)


def test_an_evaluation_prints_its_table_and_leaves_a_complete_folder(evaluated):
    tmp_path, (out, err) = evaluated
    assert all(word in out for word in ("no_mem", "claude_md", "delta", "resolved"))
    assert "offline" in err and "no language model" in out
    folder = tmp_path / "logs" / "first"
    summary = json.loads((folder / "summary.json").read_text())
    assert (summary["schema"], summary["kind"], summary["state"]) == (1, "evaluate", "done")
    assert [d["sha"] for d in summary["designs"]] == ["no_mem", "claude_md"]
    assert all(d["status"] == "ok" and d["episodes"] == 4 for d in summary["designs"])
    assert summary["paired"]["claude_md"]["n"] == 2
    assert summary["calls"]["total"] > 0 and summary["tokens"]["prompt"] > 0
    assert not list(folder.glob("evaluations/*/tmp"))
    assert "claude_md resolves" in (folder / "report.html").read_text()


def test_nothing_an_evaluation_can_read_holds_the_answers(evaluated):
    tmp_path, _ = evaluated
    folder = tmp_path / "logs" / "first"
    rows = [json.loads(line) for line in (ROOT / "data/coding/samples.jsonl").read_text().splitlines()]
    specs = "".join(p.read_text() for p in folder.glob("evaluations/*/spec.json"))
    assert "FAIL_TO_PASS" not in specs and "test_patch" not in specs
    hidden_somewhere = 0
    for row in rows:
        files = (p for p in (folder / "bases" / row["instance_id"]).rglob("*") if p.is_file())
        visible = specs + "".join(p.read_text(errors="replace") for p in files)
        added = [
            line[1:].strip()
            for line in row["patch"].splitlines()
            if line.startswith("+") and line[1:2] != "+"
        ]
        assert not any(len(line) > 20 and line in visible for line in added)
        names = re.findall(r"^\+def (test_\w+)\(", row["test_patch"], re.M)
        assert not any(f"def {name}(" in visible for name in names)
        hidden_somewhere += len(names)
    assert hidden_somewhere > 0


def test_the_same_seed_gives_the_same_trajectories(evaluated):
    tmp_path, _ = evaluated
    run(tmp_path, "again", *EVALUATE)
    assert trajectories(tmp_path, "again") == trajectories(tmp_path, "first")
    assert outcome(tmp_path, "again") == outcome(tmp_path, "first")


@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_stopped_run_goes_on_to_the_same_result(evaluated, stop, tmp_path):
    reference, _ = evaluated
    process = start(
        tmp_path, *EVALUATE, "--tasks", str(ROOT / "data/coding/samples.jsonl"), "--result_dir", "stopped"
    )
    verdicts = tmp_path / "logs" / "stopped" / "verdicts.jsonl"
    deadline = time.monotonic() + 60
    while not (verdicts.exists() and verdicts.read_text().count("\n") >= 2):
        assert time.monotonic() < deadline and process.poll() is None
        time.sleep(0.02)
    process.send_signal(stop)
    _, err = process.communicate(timeout=30)
    if stop == signal.SIGKILL:
        assert process.returncode == -signal.SIGKILL
    else:
        assert process.returncode == 130
        assert "--resume stopped" in err and "Traceback" not in err
        assert json.loads((tmp_path / "logs/stopped/summary.json").read_text())["state"] == "interrupted"
        assert "This run is not finished" in (tmp_path / "logs/stopped/report.html").read_text()
    assert_nothing_left(str(tmp_path))
    finish(start(tmp_path, "--resume", "stopped"))
    assert trajectories(tmp_path, "stopped") == trajectories(reference, "first")
    assert outcome(tmp_path, "stopped") == outcome(reference, "first")


def assert_nothing_left(marker, seconds=10):
    """No process that names ``marker`` in its command line is alive."""
    deadline = time.monotonic() + seconds
    while left := [pid for pid in os.listdir("/proc") if pid.isdigit() and marker in command_line(pid)]:
        assert time.monotonic() < deadline, [command_line(pid) for pid in left]
        time.sleep(0.1)


def command_line(pid):
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace")
    except OSError:
        return ""


def test_evolution_fills_the_archive_and_is_the_same_for_the_same_seed(tmp_path):
    out, err = run(tmp_path, "a", *EVOLVE)
    assert "What to do next" in out and "step 1" in err
    run(tmp_path, "b", *EVOLVE)
    first, second = (outcome(tmp_path, name) for name in "ab")
    assert first == second
    designs = first["designs"]
    assert [d["sha"] for d in designs[:2]] == ["no_mem", "claude_md"]
    assert len(designs) >= 4 and all(d["status"] == "ok" for d in designs)
    generated = [d for d in designs if d["sha"] not in ("no_mem", "claude_md")]
    assert all((ROOT / f"memo_archive/coding/memo_structure_{d['sha']}.py").is_file() for d in generated)
    assert max(d["generation"] for d in designs) >= 1


def test_a_design_that_raises_is_reported_and_the_others_finish(tmp_path):
    design = tmp_path / "bad.py"
    design.write_text(
        "from agents.memo_structure import MemoStructure\n\n\n"
        "class Bad(MemoStructure):\n"
        "    async def general_update(self, recorder):\n        pass\n\n"
        "    async def general_retrieve(self, recorder):\n        return recorder.nothing_here\n"
    )
    tasks = ["--tasks", str(ROOT / "data/coding/samples.jsonl"), "--train_size", "0", "--repeats", "1"]
    process = start(
        tmp_path, "--status", "test", "--memo_SHA", f"no_mem,{design}", *tasks, "--result_dir", "bad"
    )
    out, _ = finish(process, code=1)
    assert "nothing_here" in out
    designs = outcome(tmp_path, "bad")["designs"]
    assert [d["status"] for d in designs] == ["ok", "design_error"]
    assert designs[0]["reward"] is not None and designs[1]["reward"] is None
