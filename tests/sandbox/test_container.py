"""The kind `container`: its command line, its errors, and sessions through an engine.

The engine of these tests is a program that builds the container with bubblewrap.
"""

from __future__ import annotations

import asyncio
import dataclasses
import os
import subprocess
import sys
from pathlib import Path

import pytest

from evals.utils import container
from evals.utils.sandbox import Limits, SandboxKind, SandboxUnavailable, View, probe, sandboxed_argv
from evals.utils.session import Session
from tests.stand_in_engine import make_engine

DOCKER = SandboxKind("container", "", "/usr/bin/docker")


@pytest.fixture
def engine(bwrap, tmp_path, monkeypatch):
    if not bwrap.fresh_proc:
        pytest.skip("no new /proc can be mounted here")
    monkeypatch.setenv("PATH", f"{make_engine(tmp_path)}:/usr/bin:/bin")
    return probe("container")


def test_the_command_line_closes_everything_that_is_not_given(tmp_path):
    view = View(((tmp_path, "/data"),), ((tmp_path / "own", "/own"),), cwd="/own")
    limits = Limits(memory_mb=100, processes=7)
    line = container.container_argv(DOCKER, ["true", "-x"], view, limits, ["TOKEN"])
    for word in (
        "--rm",
        "--read-only",
        "--cap-drop=ALL",
        "--security-opt=no-new-privileges",
        "--network=none",
    ):
        assert word in line
    assert {"--memory=100m", "--memory-swap=100m", "--pids-limit=28", "--workdir=/own", "--env=TOKEN"} <= set(
        line
    )
    assert f"--mount=type=bind,source={tmp_path},target=/data,readonly" in line
    assert f"--mount=type=bind,source={tmp_path}/own,target=/own" in line
    assert line[-3:] == ["--entrypoint=true", container.IMAGE, "-x"]
    assert "--network=bridge" in container.container_argv(DOCKER, ["x"], View(network=True), limits, [])


def test_an_image_of_a_benchmark_is_neither_fetched_nor_given_our_packages():
    image = dataclasses.replace(DOCKER, image="sha256:1")
    line = container.container_argv(image, ["x"], View(), Limits(), [])
    assert "--pull=never" in line and line[-1] == "sha256:1" and "site-packages" not in " ".join(line)
    argv, _ = sandboxed_argv(image, [sys.executable, "-c", "0"], View())
    assert argv[-3:] == [container.IMAGE_PYTHON, "-c", "0"]


@pytest.mark.parametrize("user, keeps", [(0, False), (1000, True)])
def test_podman_keeps_an_ordinary_users_id(monkeypatch, user, keeps):
    monkeypatch.setattr(os, "geteuid", lambda: user)
    podman = dataclasses.replace(DOCKER, executable="/bin/podman")
    line = container.container_argv(podman, ["x"], View(), Limits(), [])
    assert ("--userns=keep-id" in line) == keeps  # podman refuses it to root


def test_the_client_keeps_its_home_and_the_container_gets_another(monkeypatch):
    for name, value in (("HOME", "/home/me"), ("USER", "me"), ("OPENAI_API_KEY", "sesame")):
        monkeypatch.setenv(name, value)
    argv, env = sandboxed_argv(DOCKER, ["true"], View())
    assert (env["HOME"], env["USER"], env["PATH"]) == ("/home/me", "me", os.environ["PATH"])
    assert "OPENAI_API_KEY" not in env
    inside = ("HOME=/tmp/home", "USER=user", "PATH=/usr/local/bin:/usr/bin:/bin")
    assert {f"--env={variable}" for variable in inside} <= set(argv)


def test_values_are_not_on_the_command_line(engine):
    argv, env = sandboxed_argv(engine, ["true"], View(env={"TOKEN": "sesame"}))
    assert env["TOKEN"] == "sesame" and "sesame" not in " ".join(argv)


@pytest.mark.parametrize("answer", [None, "Cannot connect to the daemon"])
def test_without_an_engine_the_error_says_what_to_do(tmp_path, monkeypatch, answer):
    if answer:
        path = tmp_path / "docker"
        path.write_text(f"#!/bin/sh\necho '{answer}' >&2\nexit 1\n")
        path.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(
        SandboxUnavailable, match=f"{answer or 'neither docker nor podman found'}.*install"
    ) as caught:
        probe("container")
    assert "\n" not in str(caught.value)


def test_a_session_in_a_container(engine, workspace):
    (workspace / "test_a.py").write_text("def test_a(): pass\n")

    async def body():
        async with Session(engine, workspace, Limits(processes=50)) as session:
            commands = [
                "pwd; touch made; touch /usr/x; ls /run/control",
                "python -m pytest -q -p no:cacheprovider",
            ]
            done = [await session.run(command) for command in commands]
            done.append(await session.run("sleep 50", wall_s=0.3))
            done.append(await session.run([sys.executable, "-c", "print('mine')"]))
            return done

    first, tests, slow, own = asyncio.run(body())
    assert (
        first.output.startswith("/workspace\n")
        and "Read-only" in first.output
        and (workspace / "made").exists()
    )
    assert "1 passed" in tests.output and tests.exit_code == 0
    assert slow.timed_out and own.output == "mine\n"


def test_a_program_in_a_container_finds_itself_inside_one(engine, tmp_path):
    code = (
        "import sys; sys.path.insert(0, '/code'); from evals.utils.sandbox import probe; "
        "print(probe('container').note)"
    )
    root = Path(__file__).resolve().parents[2]
    view = View(((root / "evals", "/code/evals"),), ((tmp_path, "/own"),), cwd="/own")
    argv, env = sandboxed_argv(engine, [sys.executable, "-c", code], view, Limits())
    done = subprocess.run(argv, env=env, capture_output=True, text=True, timeout=60)
    assert done.stdout == "sandbox: process, inside a container\n", done.stderr
