"""--doctor says what is on here; without a boundary every run says so."""

import json

import pytest
from test_bad_input import SAMPLES, run

from evals.utils.sandbox import SandboxUnavailable, probe


def test_it_says_what_the_sandbox_in_use_protects(tmp_path):
    try:
        kind = probe("auto").kind
    except SandboxUnavailable as error:
        pytest.skip(str(error))
    found = run(tmp_path, "--doctor")
    assert found.returncode == (0 if kind != "process" else 1)
    assert f"--sandbox auto uses {kind}:" in found.stdout
    assert ("on   no network" in found.stdout) == (kind != "process")
    assert not (tmp_path / "logs").exists()


def test_processes_are_no_boundary_and_it_says_what_to_do(tmp_path):
    found = run(tmp_path, "--doctor", "--sandbox", "process")
    assert found.returncode == 1
    assert "OFF  no network" in found.stdout and "no security boundary" in found.stdout
    advice = [line for line in found.stdout.splitlines() if line.startswith("to do:")]
    works = "ok         sandbox: bwrap" in found.stdout
    assert any("take --sandbox bwrap" in line for line in advice) == works


def test_a_sandbox_that_does_not_work_here_is_said_in_a_line(tmp_path):
    found = run(tmp_path, "--doctor", "--sandbox", "bwrap", PATH="/nowhere")
    assert found.returncode == 1 and "bwrap" in found.stdout and "Traceback" not in found.stderr


def test_a_run_without_a_boundary_says_so_once_and_keeps_it(tmp_path):
    few = ["--tasks", str(SAMPLES), "--train_size", "2", "--repeats", "1", "--status", "test"]
    done = run(
        tmp_path,
        *few,
        "--memo_SHA",
        "no_mem",
        "--sandbox",
        "process",
        "--execution_model",
        "offline",
        "--result_dir",
        "r",
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("no security boundary") == 1
    summary = json.loads((tmp_path / "logs/r/summary.json").read_text())
    assert summary["sandbox"] == "process" and "no security boundary" in summary["warnings"][0]
