"""Conversations in the product's text formats, and real folders with real pytest runs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from core.gateway.offline.repair import act


def first_turn(files: list[str], issue: str = "It is wrong.", limit: int = 30, memory: str = "") -> str:
    text = (
        f"# Issue\n{issue}\n\n# Repository\nProject: shop\nWorking directory: /workspace\nFiles:\n"
        + "\n".join(files)
        + f"\nTest command: python -m pytest -q\nStep limit: {limit}\n"
    )
    if memory:
        text += (
            "\n# Notes from earlier tasks\nThe block below was written by a memory system from earlier tasks. "
            f"It may be incomplete or wrong.\n<memory>\n{memory}\n</memory>\n"
        )
    return text


def conversation(first: str, *turns: tuple[dict, str]) -> list[dict]:
    messages = [{"role": "system", "content": "You repair code."}, {"role": "user", "content": first}]
    for action, observation in turns:
        messages.append({"role": "assistant", "content": json.dumps(action)})
        messages.append({"role": "user", "content": observation})
    return messages


class Episode:
    """One agent in one real folder."""

    def __init__(self, folder: Path, limit: int) -> None:
        self.folder, self.limit, self.actions = folder, limit, []

    def observe(self, action: dict) -> str:
        self.actions.append(action)
        head = f"[{len(self.actions)}/{self.limit}] "
        path = self.folder / action.get("path", ".")
        kind = action["action"]
        if kind == "read_file":
            text = path.read_text()
            return f"{head}read_file {action['path']}: {len(text)} characters\n{text}"
        if kind == "edit_file":
            text = path.read_text()
            if "content" in action:
                path.write_text(action["content"])
                return f"{head}edit_file {action['path']}: written"
            if text.count(action["old"]) != 1:
                return f'{head}error: edit_file: "old" occurs {text.count(action["old"])} times'
            path.write_text(text.replace(action["old"], action["new"]))
            return f"{head}edit_file {action['path']}: replaced 1 occurrence at line 1"
        if kind == "search":
            command = ["grep", "-rnE", "--include=*.py", action["pattern"], "."]
            found = subprocess.run(command, cwd=self.folder, capture_output=True, text=True).stdout
            return f"{head}search {action['pattern']!r}: {found.count(chr(10))} matches\n{found}"
        assert kind == "run_command", action
        command = ["sh", "-c", action["command"]]
        env = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1", "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
        env["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{env['PATH']}"
        env.pop("PYTEST_ADDOPTS", None)
        done = subprocess.run(command, cwd=self.folder, capture_output=True, text=True, env=env, timeout=60)
        return f"{head}run_command: exit code {done.returncode}\n{done.stdout}{done.stderr}"

    def play(self, first: str, seed: int = 0) -> bool:
        """Whether the visible suite was green when the agent submitted."""
        messages = conversation(first)
        green = False
        while len(self.actions) < self.limit:
            answer = act(messages, seed)
            action = json.loads(answer)
            if action["action"] == "submit":
                return green
            observation = self.observe(action)
            green = "run_command: exit code 0" in observation and "-m pytest" in action.get("command", "")
            messages.append({"role": "assistant", "content": answer})
            messages.append({"role": "user", "content": observation})
        return False


@pytest.fixture
def repair(tmp_path: Path) -> Callable[..., tuple[bool, Episode]]:
    """Run the agent on a dictionary of files."""

    def run(files: dict[str, str], limit: int = 30, memory: str = "", seed: int = 0) -> tuple[bool, Episode]:
        for name, text in files.items():
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_text(text)
        episode = Episode(tmp_path, limit)
        return episode.play(first_turn(sorted(files), limit=limit, memory=memory), seed), episode

    return run
