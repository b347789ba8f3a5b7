"""A server of the OpenAI shape that others wrote (fakellm, from PyPI): a whole run with its model."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from .stub import run_main

RULES = """
version: 1
rules:
  - name: look
    when: {turn: 1}
    respond: {tool_calls: [{name: read_file, arguments: {path: README.md}}]}
  - name: test
    when: {turn: 2}
    respond: {content: '{"action": "run_command", "command": "python -m pytest -q"}'}
  - name: end
    respond: {content: '{"action": "submit"}'}
"""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[str]:
    """Its base URL."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    (tmp_path / "rules.yaml").write_text(RULES)
    command = ["serve", "--port", str(port), "--config", str(tmp_path / "rules.yaml")]
    process = subprocess.Popen(
        [sys.executable, "-c", "from fakellm.cli import main; main()", *command],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        deadline = time.monotonic() + 30
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                break
            except OSError:
                assert process.poll() is None and time.monotonic() < deadline, "fakellm does not start"
                time.sleep(0.05)
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        process.terminate()
        process.wait(10)


def test_a_run_with_the_models_of_a_foreign_server(tmp_path, server):
    names = ["--memo_SHA", "no_mem", "--train_size", "2", "--execution_model", "anything/low"]
    done = run_main(tmp_path, server, *names)
    assert done.returncode == 0, done.stderr
    [line] = (tmp_path / "logs/run/evaluations/no_mem_eval_1/episodes.jsonl").read_text().splitlines()
    episode = json.loads(line)
    actions = [step["action"]["action"] for step in episode["trajectory"]]
    assert actions == ["read_file", "run_command", "submit"]
    assert episode["ended"] == "submit" and episode["prompt_tokens"] > 100
    assert "failed" in episode["trajectory"][1]["observation"]
