"""Whatever an agent's command does, the episode goes on with a short, readable observation, within the configured
limits; the workspace is all that it can change."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import subprocess
import time
from pathlib import Path

import pytest

from envs_archive.coding.workspace import prepare_base
from envs_archive.coding_envs import Coding_Env, load_config
from evals.contract import Verdict
from evals.utils.sandbox import SandboxUnavailable, probe
from tests.env.env_project import TASK

MARK = f"6{os.getpid()}.{time.monotonic_ns() % 10**9}"
LIMITS = {
    "command_timeout": 4,
    "output_chars": 2000,
    "memory_mb": 200,
    "processes": 40,
    "file_mb": 16,
    "disk_mb": 64,
}


def python(code: str) -> str:
    """A command that runs a program."""
    return f"cat > /tmp/p.py <<'EOF'\n{code}\nEOF\npython /tmp/p.py"


# name -> (command, part of the observation)
COMMANDS = {
    "a fork bomb": ("bash -c 'b() { b | b & }; b; sleep 5'", "stopped: more than"),
    "fills the memory": (python("k = []\nwhile True: k.append(b'x' * (8 << 20))"), "MemoryError"),
    "fills the memory with many": (
        python("import os, time\nfor _ in range(4): os.fork()\nx = b'x' * (30 << 20)\ntime.sleep(20)"),
        "MiB of memory",
    ),
    "fills the disk": (
        "for i in $(seq 1000); do head -c 8000000 /dev/zero > big$i; done; sleep 9",
        "MiB on disk",
    ),
    "fills /tmp": (
        "for i in $(seq 1000); do head -c 8000000 /dev/zero > /tmp/big$i; done; sleep 9",
        "run_command:",  # the watch over the disk stops it, or that over the memory, whichever is quicker
    ),
    "a large file": ("head -c 99999999 /dev/zero > big; ls -l big", "File"),
    "a gigabyte of output": ("yes | head -c 1000000000; echo; echo LAST", "bytes of output cut]"),
    "an endless flood": ("yes", "timed out after 4 s"),
    "a daemon": (f"nohup setsid sleep {MARK} >/dev/null 2>&1 & echo started", "started"),
    "escape codes": (r"printf '\033[2J\033]0;owned\007\033[31mred\033[0m'", "red"),
    "binary output": ("head -c 3000 /dev/urandom; echo; echo END", "END"),
    "waits for input": ("python; cat; read x; echo done", "done"),
    "a pager and an editor": ("git log; vi README.md; less README.md; echo done", "run_command:"),
    "a pipe that nobody writes": ("mkfifo pipe; cat pipe", "timed out after 4 s"),
    "deep folders": (
        python("import os\nfor _ in range(30):\n    os.mkdir('d' * 200); os.chdir('d' * 200)\nprint('deep')"),
        "deep",
    ),
    "kills everything it sees": ("kill -9 -1; kill -9 1; echo done", ""),
    "raises its limits": ("ulimit -n 99999999; ulimit -f unlimited; ulimit -v unlimited; echo done", "done"),
    "secrets in /proc": (
        "cat /proc/[0-9]*/environ /proc/[0-9]*/cmdline | tr '\\0' ' ' | grep -c 'sesame-045[1]'",
        "\n0",
    ),
    "the network": (
        python(
            "import socket\nfor a in (('127.0.0.1', @PORT@), ('1.1.1.1', 53), ('example.com', 80)):\n"
            "    try: socket.create_connection(a, 1); print('connected')\n    except OSError: print('refused')"
        ),
        "refused\nrefused\nrefused",
    ),
    "a link out of the workspace": (
        "ln -s @SECRET@ secret.txt; ln -s / root; cat secret.txt",
        "No such file",
    ),
    "takes its own permissions away": ("chmod 0 shapes tests; chmod 0 .; echo done", "done"),
    "rm -rf /": (
        "chmod 755 . shapes tests; rm -rf --no-preserve-root / 2>/dev/null; ls / | head -3; echo done",
        "run_command:",
    ),
}


@pytest.fixture(scope="module")
def episode(tmp_path_factory):
    """One episode that runs all of them: observations by name, and what was left."""
    try:
        kind = probe("bwrap")
    except SandboxUnavailable as error:
        pytest.skip(str(error))
    tmp_path = tmp_path_factory.mktemp("episode")
    return asyncio.run(run_all(tmp_path, kind))


async def run_all(tmp_path: Path, kind):
    secret = tmp_path / "secret"
    secret.write_text("sesame-0451")
    (tmp_path / "scratch").mkdir()
    base = await prepare_base(TASK, tmp_path / "base")
    handed_in = []

    async def grade(task, changes):
        handed_in.append(changes)
        return Verdict(0.5, False, 0.0, 1.0)

    env = Coding_Env([TASK.public(base)], load_config(overrides=LIMITS), kind, tmp_path / "scratch", grade)
    env.max_trails = 2 * len(COMMANDS) + 1
    observed, alive = {}, {}
    with socket.create_server(("127.0.0.1", 0)) as server:
        await env.set_task_env(TASK.instance_id)
        for name, (command, _) in COMMANDS.items():
            command = command.replace("@SECRET@", str(secret)).replace("@PORT@", str(server.getsockname()[1]))
            for found, text in ((observed, command), (alive, "rm -rf big* /tmp/big* d* pipe; echo alive")):
                action = json.dumps({"action": "run_command", "command": text})
                found[name] = (await env.run_step(action, TASK.instance_id))[0]["observation"]
        recorder = await env.cal_reward(None, TASK.instance_id)
        await env.close()
    return tmp_path, observed, alive, handed_in, recorder.reward


@pytest.mark.parametrize("name", COMMANDS)
def test_the_observation_is_short_and_readable_and_the_episode_goes_on(name, episode):
    _, observed, alive, _, _ = episode
    assert COMMANDS[name][1] in observed[name]
    assert len(observed[name]) < LIMITS["output_chars"] + 300
    assert not any((c < " " and c not in "\n\t") or "\x7f" <= c <= "\x9f" for c in observed[name])
    assert alive[name].endswith("\nalive")


def test_it_is_graded_and_nothing_is_left(episode):
    tmp_path, _, _, handed_in, reward = episode
    assert reward == 0.5
    assert handed_in[0]["shapes/area.py"] is None  # what it removed, and no link, pipe or deep folder
    assert not {name for name in handed_in[0] if name.startswith(("root", "secret", "pipe", "d/"))}
    assert (tmp_path / "secret").read_text() == "sesame-0451"
    assert list((tmp_path / "scratch").iterdir()) == []
    assert subprocess.run(["pgrep", "-f", MARK], capture_output=True).stdout == b""
