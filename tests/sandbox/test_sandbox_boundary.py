"""What a sandbox keeps from the host: files, network, secrets, its own supervisor; and a sandbox inside a sandbox."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import textwrap
import threading
import time
from pathlib import Path

import pytest

from evals.utils import sandbox
from evals.utils.sandbox import Limits, SandboxUnavailable, View, probe, sandboxed_argv
from evals.utils.session import Session

REPOSITORY = Path(__file__).resolve().parents[2]


def inside(kind, workspace, *commands, **options):
    async def body():
        async with Session(kind, workspace, **options) as session:
            return [await session.run(command) for command in commands]

    return asyncio.run(body())


def test_host_files_are_not_there(bwrap, workspace, tmp_path):
    (tmp_path / "secret").write_text("sesame")
    home = Path.home()
    interpreter = {os.path.realpath(prefix) for prefix in (sys.prefix, sys.base_prefix)} | {sys.prefix}
    but = " ".join(f"-not -path '{prefix}/*'" for prefix in sorted(interpreter))
    results = inside(
        bwrap,
        workspace,
        f"cat {tmp_path}/secret",
        f"ls -A {REPOSITORY}",
        f"find {home} -maxdepth 1 -mindepth 1 ! -name '.pyenv' ! -name '.venv'",
        "cat /etc/shadow /etc/hostname",
        # Folders on the way to the interpreter may be there, files beside it not.
        f"find /home /var /opt /srv -type f {but} 2>/dev/null",
        "find / -xdev -name .git -not -path '/proc/*' 2>/dev/null",
    )
    assert "sesame" not in results[0].output and results[0].exit_code == 1
    assert not {"evals", "core", "tests", ".git"} & set(results[1].output.split())
    assert results[3].output.count("No such file") == 2
    assert results[4].output == ""
    assert results[5].output == ""


WRITABLE = """
import os, sys
# Opened, never written: a hole in the sandbox must not be a hole in the machine that tests it.
for path in sys.argv[1:]:
    try:
        os.close(os.open(path, os.O_WRONLY))
        print("writable", path)
    except OSError:
        pass
"""
MACHINE = [
    "/proc/sys/kernel/core_pattern",
    "/proc/sys/vm/drop_caches",
    "/proc/sysrq-trigger",
    "/dev/kmsg",
    "/dev/mem",
]


def test_only_the_workspace_and_tmp_can_be_written(bwrap, workspace):
    new = f"/x /usr/x /etc/x /run/x /proc/x /dev/x {sys.prefix}/x"
    created, opened = inside(
        bwrap,
        workspace,
        f"for f in {new}; do touch $f 2>/dev/null && echo $f; done; id -u; touch /tmp/a b",
        ["python", "-c", WRITABLE, "/run/sandbox/sandbox_init.py", "/etc/passwd", sys.executable, *MACHINE],
    )
    assert (created.output, created.exit_code) == ("1000\n", 0)
    assert (opened.output, opened.exit_code) == ("", 0)


def test_the_outer_sandbox_cannot_change_the_machine_either(bwrap):
    argv, env = sandboxed_argv(bwrap, [sys.executable, "-c", WRITABLE, *MACHINE], View())
    done = subprocess.run(argv, env=env, capture_output=True, text=True, timeout=30)
    assert (done.stdout, done.stderr, done.returncode) == ("", "", 0)


def test_no_network(bwrap, workspace):
    with socket.create_server(("127.0.0.1", 0)) as server, socket.socket(socket.AF_UNIX) as abstract:
        name = f"\0sandbox-test-{os.getpid()}"
        abstract.bind(name)
        abstract.listen()
        connect = (
            "import socket\ntry: socket.socket({family}).connect({address!r}); print('connected')\n"
            "except OSError: print('refused')"
        )
        results = inside(
            bwrap,
            workspace,
            ["python", "-c", connect.format(family="socket.AF_INET", address=server.getsockname())],
            ["python", "-c", connect.format(family="socket.AF_UNIX", address=name)],
            "cat /proc/net/dev | grep -c :",
        )
    assert [result.output for result in results] == ["refused\n", "refused\n", "1\n"]


def test_processes_and_environments_of_the_host_are_not_there(bwrap, workspace, monkeypatch):
    monkeypatch.setenv("SECRET_KEY", "sesame-0451")
    (result,) = inside(
        bwrap, workspace, "cat /proc/[0-9]*/environ /proc/[0-9]*/cmdline 2>/dev/null | tr '\\0' '\\n'"
    )
    assert "PATH=" in result.output
    elsewhere = result.output.replace(sys.prefix, "")  # the interpreter may be part of the checkout
    assert "sesame" not in elsewhere and str(REPOSITORY) not in elsewhere


def test_the_supervisor_cannot_be_reached(bwrap, workspace):
    attack = textwrap.dedent("""
        import ctypes, os, signal
        for name in ("mem", "fd", "environ", "root"):
            path = f"/proc/1/{name}"
            try:
                if name == "fd":
                    os.readlink(path + "/" + os.listdir(path)[0])
                else:
                    os.listdir(path) if name == "root" else open(path, "rb").read(1)
                print("read", path)
            except OSError:
                pass
        print(ctypes.CDLL(None).ptrace(16, 1, 0, 0))
        for number in (signal.SIGKILL, signal.SIGSTOP, signal.SIGTERM, signal.SIGINT, signal.SIGSEGV, signal.SIGCHLD):
            os.kill(1, number)
    """)
    first, second = inside(bwrap, workspace, ["python", "-c", attack], "echo alive")
    assert (first.output, first.exit_code) == ("-1\n", 0)
    assert second.output == "alive\n"


def test_probe_says_what_it_is(monkeypatch, tmp_path):
    assert "NO security boundary" in probe("process").note
    with pytest.raises(SandboxUnavailable, match="unknown sandbox 'jail'"):
        probe("jail")
    sandbox._try_bwrap.cache_clear()
    try:
        monkeypatch.setenv("PATH", str(tmp_path))
        fallen_back = probe("auto")
        assert fallen_back.kind == "process" and "apt-get install bubblewrap" in fallen_back.note
        with pytest.raises(SandboxUnavailable, match="bwrap does not work here: not found; install"):
            probe("bwrap")
        sandbox._try_bwrap.cache_clear()
        broken = tmp_path / "bwrap"
        broken.write_text("#!/bin/sh\necho 'bwrap: No permissions to create new namespace' >&2\nexit 1\n")
        broken.chmod(0o755)
        with pytest.raises(SandboxUnavailable, match="No permissions to create new namespace") as caught:
            probe("bwrap")
        assert "\n" not in str(caught.value)
        assert probe("auto").kind == "process"
    finally:
        sandbox._try_bwrap.cache_clear()


def outer(
    kind, code: str, view: View, limits: Limits | None = None, **options
) -> subprocess.CompletedProcess:
    argv, env = sandboxed_argv(kind, [sys.executable, "-c", textwrap.dedent(code)], view, limits)
    return subprocess.run(argv, env=env, capture_output=True, text=True, timeout=30, **options)


def test_outer_sees_its_view_and_only_that(bwrap, tmp_path):
    given, own = tmp_path / "given", tmp_path / "own"
    given.mkdir()
    own.mkdir()
    (given / "a").write_text("shown")
    (tmp_path / "hidden").write_text("sesame")
    code = f"""
        import os, sys
        print(open("/data/a").read(), os.listdir({str(tmp_path)!r}), os.getcwd(), os.environ["TOKEN"])
        open("made", "w").write("x")
        try: open("/data/b", "w")
        except OSError as error: print(error.strerror)
        sys.exit(5)
    """
    view = View(((given, "/data"),), ((own, str(own)),), cwd=str(own), env={"TOKEN": "t0"})
    done = outer(bwrap, code, view)
    assert done.stdout == f"shown ['own'] {own} t0\nRead-only file system\n"
    assert done.returncode == 5 and (own / "made").exists()


def test_outer_environment_is_not_on_the_command_line(kind):
    argv, env = sandboxed_argv(kind, ["true"], View(env={"TOKEN": "sesame"}))
    assert env["TOKEN"] == "sesame" and "sesame" not in " ".join(argv)
    assert not {"SSH_AUTH_SOCK", "OPENAI_API_KEY", "PYTHONPATH"} & set(env)


def test_outer_reaches_a_unix_socket_it_was_given(bwrap):
    with tempfile.TemporaryDirectory() as folder, socket.socket(socket.AF_UNIX) as server:
        path = Path(folder, "s")
        server.bind(str(path))
        server.listen()
        threading.Thread(target=lambda: server.accept()[0].sendall(b"hello"), daemon=True).start()
        code = 'import socket; s = socket.socket(socket.AF_UNIX); s.connect("/run/gateway"); print(s.recv(9))'
        done = outer(bwrap, code, View(readonly=((path, "/run/gateway"),)))
    assert done.stdout == "b'hello'\n", done.stderr


def test_outer_limits_processes(kind, tmp_path):
    bomb = "import os, time\nfor _ in range(30):\n    if os.fork() == 0: time.sleep(30)\ntime.sleep(30)"
    done = outer(
        kind, bomb, View(cwd=str(tmp_path), writable=((tmp_path, str(tmp_path)),)), Limits(processes=10)
    )
    assert done.returncode == 125 and done.stderr.endswith("sandbox: stopped: more than 10 processes\n")


def test_outer_limits_memory(kind, tmp_path):
    done = outer(kind, "x = b'x' * (200 << 20); import time; time.sleep(30)", View(), Limits(memory_mb=100))
    assert done.returncode == 125 and "more than 100 MiB of memory" in done.stderr


@pytest.mark.parametrize("how", ["ends", "terminated"])
def test_outer_leaves_nothing_running(kind, tmp_path, how):
    marker = f"8{os.getpid()}.{time.monotonic_ns() % 10**9}"
    code = f"""
        import subprocess, time
        subprocess.Popen(["setsid", "sleep", "{marker}"])
        print("started", flush=True)
        {"time.sleep(60)" if how == "terminated" else ""}
    """
    argv, env = sandboxed_argv(kind, [sys.executable, "-c", textwrap.dedent(code)], View())
    process = subprocess.Popen(argv, env=env, stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "started\n"
    if how == "terminated":
        process.send_signal(signal.SIGTERM)
    process.wait(10)
    process.stdout.close()
    end = time.monotonic() + 5
    while (left := _sleeping(marker)) and time.monotonic() < end:
        time.sleep(0.02)
    assert not left


def _sleeping(marker: str) -> list[str]:
    done = subprocess.run(["pgrep", "-f", f"^sleep {marker}"], capture_output=True, text=True)
    return done.stdout.split()


OUTER = """
import subprocess, sys
from pathlib import Path
code, scratch, kind = sys.argv[1:]
sys.path.insert(0, code)
from evals.utils.sandbox import View, probe, sandboxed_argv
view = View(((Path(code), code),), ((Path(scratch), scratch),), cwd=scratch, env={"TOKEN": "sesame"})
argv, env = sandboxed_argv(probe(kind), [sys.executable, "inner.py", code, kind], view)
sys.exit(subprocess.run(argv, env=env).returncode)
"""
INNER = """
import asyncio, json, sys
from pathlib import Path
code, kind = sys.argv[1:]
sys.path.insert(0, code)
from evals.utils.sandbox import probe
from evals.utils.session import Session
SPY = "cat /proc/[0-9]*/environ 2>/dev/null | tr '\\\\0' '\\\\n' | grep -c sesame; "
SPY += f"ls -d inner.py ../inner.py {code}/evals"
async def main():
    Path("ws").mkdir(exist_ok=True)
    Path("ws/test_a.py").write_text("def test_a(): assert 1 + 1 == 3")
    results = []
    async with Session(probe(kind), Path("ws")) as session:
        for command in ("pwd; (sleep 1000 &); yes | head -c 20", SPY, "python -m pytest -q", "sleep 50"):
            r = await session.run(command, wall_s=30 if command[:5] != "sleep" else 0.3)
            results.append([r.output, r.exit_code, r.timed_out, r.error])
    print(json.dumps(results))
asyncio.run(main())
"""


def check_nested(done: subprocess.CompletedProcess, kind: str) -> None:
    assert done.returncode == 0, done.stderr
    first, spy, tests, slow = json.loads(done.stdout)
    assert first == ["/workspace\n" + "y\n" * 10, 0, False, None]
    if kind == "bwrap":
        assert spy[0].startswith("0\n") and spy[0].count("No such file") == 3
    assert "assert (1 + 1) == 3" in tests[0] and tests[1] == 1
    assert slow == ["", None, True, None]


def test_a_session_inside_the_outer_sandbox(kind, tmp_path):
    (tmp_path / "inner.py").write_text(INNER)
    command = [sys.executable, "-c", OUTER, str(REPOSITORY / "evals" / ".."), str(tmp_path), kind.kind]
    command[3] = str(REPOSITORY)
    check_nested(subprocess.run(command, capture_output=True, text=True, timeout=60), kind.kind)


@pytest.mark.skipif(os.geteuid() != 0, reason="the other tests run as an ordinary user already")
def test_all_of_it_as_an_ordinary_user(bwrap):
    if not shutil.which("setpriv") or not shutil.which("unshare"):
        pytest.skip("setpriv and unshare (util-linux) are needed to become an ordinary user")
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        shared, python, venv, scratch = (Path(folder, name) for name in ("", "python", "venv", "scratch"))
        shared.chmod(0o755)
        shutil.copytree(REPOSITORY / "evals", shared / "evals", ignore=shutil.ignore_patterns("__pycache__"))
        packages = Path(pytest.__file__).parents[1]
        site = venv / "lib" / f"python3.{sys.version_info.minor}" / "site-packages"
        for path in [python, site, venv / "bin", scratch]:
            path.mkdir(parents=True)
        (venv / "pyvenv.cfg").write_text(f"home = {python}/bin\n")
        (venv / "bin" / "python").symlink_to(python / "bin" / Path(sys.executable).resolve().name)
        (scratch / "inner.py").write_text(INNER)
        for path in [scratch, scratch / "inner.py"]:
            os.chown(path, 65534, 65534)
        # The interpreter may be in a place only root can read: mount it, and the packages, where nobody can.
        script = f"""
            set -e
            mount --bind {sys.base_prefix} {python}
            mount --bind {packages} {site}
            exec setpriv --reuid 65534 --regid 65534 --clear-groups env -i PATH=/usr/bin:/bin \\
                {venv}/bin/python -c "$0" {shared} {scratch} bwrap
        """
        done = subprocess.run(
            ["unshare", "-m", "sh", "-c", script, OUTER], capture_output=True, text=True, timeout=60, cwd="/"
        )
        if "unshare failed" in done.stderr or "mount:" in done.stderr:
            pytest.skip(f"no mounts here: {done.stderr.strip()}")
        check_nested(done, "bwrap")
