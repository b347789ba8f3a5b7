"""The kind `container`: its command line, its errors, and sessions through an engine.

The engine of these tests is a program that understands `run` as docker does and builds the container with bubblewrap.
"""

from __future__ import annotations

import asyncio
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from evals.utils import container
from evals.utils.sandbox import Limits, SandboxUnavailable, View, probe, sandboxed_argv
from evals.utils.session import Session

ENGINE = """\
#!{python}
import os, sys
words = sys.argv[1:]
if words[0] == "info":
    sys.exit(0)
line = ["bwrap", "--unshare-all", "--die-with-parent", "--cap-drop", "ALL", "--tmpfs", "/"]
for name in sorted(os.listdir("/")):
    if name not in ("proc", "dev", "tmp", "run", "sys"):
        line += ["--ro-bind", "/" + name, "/" + name]
line += ["--proc", "/proc", "--dev", "/dev", "--tmpfs", "/tmp", "--ro-bind", {image!r}, "/usr/local/bin"]
line += ["--ro-bind", {prefix!r}, {prefix!r}]
env, rest = {{"PATH": os.environ["PATH"]}}, words[1:]
while rest[0].startswith("--"):
    key, _, value = rest.pop(0).partition("=")
    if key == "--mount":
        parts = dict(p.partition("=")[::2] for p in value.split(","))
        if "site-packages" not in parts["target"]:
            line += ["--ro-bind" if "readonly" in parts else "--bind", parts["source"], parts["target"]]
    elif key == "--workdir":
        line += ["--chdir", value]
    elif key == "--env":
        name, given, text = value.partition("=")
        env[name] = text if given else os.environ[name]
    elif key == "--network":
        assert value == "none"
assert rest.pop(0).startswith("python:")
os.execvpe("bwrap", [*line, "--", *rest], env)
"""


@pytest.fixture
def engine(bwrap, tmp_path, monkeypatch):
    if not bwrap.fresh_proc:
        pytest.skip("no new /proc can be mounted here")
    image, path = tmp_path / "image", tmp_path / "bin" / "docker"
    image.mkdir()
    path.parent.mkdir()
    (image / "python3").symlink_to(sys.executable)
    (image / "python").symlink_to(sys.executable)
    path.write_text(ENGINE.format(python=sys.executable, image=str(image), prefix=sys.prefix))
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{path.parent}:/usr/bin:/bin")
    return probe("container")


def test_the_command_line_closes_everything_that_is_not_given(tmp_path):
    view = View(((tmp_path, "/data"),), ((tmp_path / "own", "/own"),), cwd="/own")
    limits = Limits(memory_mb=100, processes=7)
    line = container.container_argv("/usr/bin/docker", ["true"], view, limits, ["TOKEN"])
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
    assert line[-2:] == [container.IMAGE, "true"]
    assert "--network=bridge" in container.container_argv("docker", ["x"], View(network=True), limits, [])
    assert "--userns=keep-id" in container.container_argv("/bin/podman", ["x"], view, limits, [])


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
